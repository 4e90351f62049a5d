"""Corrections of MiniStack's CloudWatch.

MiniStack 1.5.33 has a code of its own for a dashboard that is to be deleted and is not there. AWS has the
same one for it as for a dashboard that is asked for.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html

To who speaks the protocol of older SDKs it tells of an alarm neither actions nor dimensions, and loses some
of what it is told. Such a request is answered as it would be in JSON, which is told whole.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
"""

import json
from urllib.parse import parse_qsl

from ministack.core.responses import new_uuid
from ministack.services import cloudwatch

TARGET = "GraniteServiceVersion20100801"

_handle_request = cloudwatch.handle_request
_error = cloudwatch._error


def error(code: str, *arguments, **named):
    """Answer with an error, by AWS's code for it."""
    return _error("ResourceNotFound" if code == "DashboardNotFoundError" else code, *arguments, **named)


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> tuple:
    """Answer a request to CloudWatch."""
    if "x-amz-target" in headers or "smithy-protocol" in headers or "/operation/" in path:
        return await _handle_request(method, path, headers, body, query_params)
    from lib.local.in_server import cloudwatch_query  # here, since a server starts sooner without it

    params = {name: values[0] for name, values in query_params.items()}
    params |= parse_qsl((body or b"").decode(), keep_blank_values=True)
    action = params.get("Action", "")
    try:
        asked = cloudwatch_query.asked(action, params)
    except ValueError as reason:
        return _error("MalformedInput", str(reason), 400)
    if asked is None:
        return await _handle_request(method, path, headers, body, query_params)
    as_json = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{TARGET}.{action}"}
    status, _, content = await _handle_request(
        method, path, headers | as_json, json.dumps(asked).encode(), {}
    )
    told = json.loads(content or b"{}")
    if status >= 300:
        return _error(told["__type"], told.get("message", ""), status)
    return 200, {"Content-Type": "text/xml"}, cloudwatch_query.answer(action, told, new_uuid())


cloudwatch.handle_request = handle_request
cloudwatch._error = error
