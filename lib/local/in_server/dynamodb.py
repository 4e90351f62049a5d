"""Corrections of MiniStack's DynamoDB: `corrections/dynamodb.py` says what, and why."""

import json
import time
from functools import lru_cache

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json
from ministack.services import dynamodb

from lib.local.in_server import clients
from lib.local.in_server.announcements import EXPORTED
from lib.local.in_server.announcing import announcing, refused
from lib.local.in_server.corrections import dynamodb as corrections
from lib.local.in_server.not_here import not_here

# What is exported: all, as it is now, in DynamoDB's JSON.
USUAL = {"ExportFormat": "DYNAMODB_JSON", "ExportType": "FULL_EXPORT", "ExportTime": None}
UNAVAILABLE = "PointInTimeRecoveryUnavailableException"
TOLD_AT_THE_END = frozenset(
    ("EndTime", "ItemCount", "BilledSizeBytes", "ExportManifest", "FailureCode", "FailureMessage")
)


@corrections.EXPORTS.replacing("ministack.services.dynamodb:handle_request")
async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> tuple:
    """Answer a request to DynamoDB."""
    if not headers.get("x-amz-target", "").endswith(".ExportTableToPointInTime"):
        return await handle_request.original(method, path, headers, body, query_params)
    asked = json.loads(body or b"{}")
    for name, value in USUAL.items():
        if asked.get(name, value) != value:
            return refused(
                not_here(f"{name}={asked[name]}", "it keeps no history and no Ion", f"leave {name} out")
            )
    name = dynamodb._table_name_from_arn(asked.get("TableArn"))
    if name in dynamodb._tables and not dynamodb._pitr_settings.get(name):
        return error_response_json(
            UNAVAILABLE, f"Point in time recovery is not enabled for table '{name}'", 400
        )
    answer = await handle_request.original(method, path, headers, body, query_params)
    if answer[0] != 200:
        return answer
    told = json.loads(answer[2])["ExportDescription"]
    if "ExportTime" not in told:  # else the same was asked for before, and is done
        told["ExportTime"] = time.time()
        client = clients.of_caller(headers, query_params)
        done = await run_reentrant(export, asked, told, client, clients.of_aws())
        dynamodb._exports[told["ExportArn"]] |= told | done | {"EndTime": time.time()}
    return announcing(dynamodb.json_response({"ExportDescription": told}), EXPORTED)


def export(*arguments) -> dict:
    """Export; what makes a server start slower is imported when it is needed."""
    from lib.local.in_server import table_exports

    return table_exports.export(*arguments)


@corrections.EXPORTS.replacing("ministack.services.dynamodb:_describe_export")
def describe_export(asked: dict) -> tuple:
    """Describe an export; as with AWS, whoever does not wait sees it in progress."""
    status, headers, body = answer = describe_export.original(asked)
    description = json.loads(body).get("ExportDescription", {})
    if status != 200 or time.time() - description["StartTime"] >= dynamodb._EXPORT_COMPLETE_AFTER_SEC:
        return answer
    kept = {name: value for name, value in description.items() if name not in TOLD_AT_THE_END}
    return dynamodb.json_response({"ExportDescription": kept | {"ExportStatus": "IN_PROGRESS"}})


@corrections.CONDITIONS.replacing("ministack.services.dynamodb:_condition_syntax_error")
@lru_cache(maxsize=1000)
def condition_syntax_error(expression: str, slot: str) -> str | None:
    """Return what is wrong with a condition, or raise it; of one that is well-formed it is known then."""
    return condition_syntax_error.original(expression, slot)
