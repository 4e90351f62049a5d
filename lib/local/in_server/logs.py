"""What MiniStack's log groups lack.

MiniStack 1.5.33 takes a log group's KMS key when the group is created, but cannot give it another or take it
away. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html
"""

import json

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs

_handle_request = cloudwatch_logs.handle_request
SETS_A_KEY = ("AssociateKmsKey", "DisassociateKmsKey")


async def handle_request(method, path, headers, body, query_params):
    """Answer the two calls that are missing, and leave all others to MiniStack."""
    if headers.get("x-amz-target", "").split(".")[-1] not in SETS_A_KEY:
        return await _handle_request(method, path, headers, body, query_params)
    asked = json.loads(body)
    group = cloudwatch_logs._log_groups.get(asked["logGroupName"])
    if group is None:
        return error_response_json(
            "ResourceNotFoundException", "The specified log group does not exist.", 400
        )
    group["kmsKeyId"] = asked.get("kmsKeyId")
    return json_response({})


cloudwatch_logs.handle_request = handle_request
