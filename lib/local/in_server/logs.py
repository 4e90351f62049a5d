"""What MiniStack's log groups lack: `corrections/cloudwatch.py` says what, and why."""

import json

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs

from lib.local.in_server.corrections import cloudwatch as corrections

SETS_A_KEY = ("AssociateKmsKey", "DisassociateKmsKey")


@corrections.LOG_GROUP_KEYS.replacing("ministack.services.cloudwatch_logs:handle_request")
async def handle_request(method, path, headers, body, query_params):
    """Answer the two calls that are missing, and leave all others to MiniStack."""
    if headers.get("x-amz-target", "").split(".")[-1] not in SETS_A_KEY:
        return await handle_request.original(method, path, headers, body, query_params)
    asked = json.loads(body)
    group = cloudwatch_logs._log_groups.get(asked["logGroupName"])
    if group is None:
        return error_response_json(
            "ResourceNotFoundException", "The specified log group does not exist.", 400
        )
    group["kmsKeyId"] = asked.get("kmsKeyId")
    return json_response({})
