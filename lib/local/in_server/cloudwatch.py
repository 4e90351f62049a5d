"""Corrections of MiniStack's CloudWatch: `corrections/cloudwatch.py` says what of it, and why."""

import json
from urllib.parse import parse_qsl

from ministack.core.responses import new_uuid

from lib.local.in_server.corrections import cloudwatch as corrections

TARGET = "GraniteServiceVersion20100801"


@corrections.DASHBOARDS.replacing("ministack.services.cloudwatch:_error")
def error(code: str, *arguments, **named):
    """Answer with an error, by AWS's code for it."""
    known = "ResourceNotFound" if code == "DashboardNotFoundError" else code
    return error.original(known, *arguments, **named)


@corrections.QUERY_PROTOCOL.replacing("ministack.services.cloudwatch:handle_request")
async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> tuple:
    """Answer a request to CloudWatch."""
    if "x-amz-target" in headers or "smithy-protocol" in headers or "/operation/" in path:
        return await handle_request.original(method, path, headers, body, query_params)
    from lib.local.in_server import cloudwatch_query  # here, since a server starts sooner without it

    params = {name: values[0] for name, values in query_params.items()}
    params |= parse_qsl((body or b"").decode(), keep_blank_values=True)
    action = params.get("Action", "")
    try:
        asked = cloudwatch_query.asked(action, params)
    except ValueError as reason:
        return error.original("MalformedInput", str(reason), 400)
    if asked is None:
        return await handle_request.original(method, path, headers, body, query_params)
    as_json = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{TARGET}.{action}"}
    status, _, content = await handle_request.original(
        method, path, headers | as_json, json.dumps(asked).encode(), {}
    )
    told = json.loads(content or b"{}")
    if status >= 300:
        return error.original(told["__type"], told.get("message", ""), status)
    return 200, {"Content-Type": "text/xml"}, cloudwatch_query.answer(action, told, new_uuid())
