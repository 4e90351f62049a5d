"""Glue and DynamoDB are late: roles of crawlers, ends of crawls, point-in-time recovery. See `lag.py`."""

import json
from collections.abc import Callable

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import glue

from lib.local.in_server.glue_grouping import split
from lib.local.in_server.lag import FOREVER_AGO, SECONDS, Names, now, wrapping
from lib.local.in_server.lag_iam import denied, is_assumed_by

tables = Names()
_ended: dict[str, tuple[float, dict]] = {}  # crawlers' ARNs: when a crawl ended, and what was told before
_made: dict[tuple[str, str, str], float] = {}
_recoverable: dict[tuple[str, str, str], float] = {}


def _crawler_refused(asked: dict, role: str) -> tuple | None:
    """Return Glue's refusal of a crawler whose role is not seen, or is not seen to be allowed to read."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{get_account_id()}:role/{role}"
    if not is_assumed_by(arn, "glue.amazonaws.com"):
        said = "Service is unable to assume provided role. Please verify role's TrustPolicy"
        return error_response_json("InvalidInputException", said, 400)
    for target in asked.get("Targets", {}).get("S3Targets", []):
        bucket, _ = split(target["Path"])
        if denied(arn, ["s3:ListBucket"], f"arn:aws:s3:::{bucket}", get_region()):
            said = f"Unable to validate existence of s3 target {target['Path']}"
            return error_response_json("InvalidInputException", said, 400)
    return None


@wrapping("ministack.services.glue:_create_crawler")
def create_crawler(asked: dict) -> tuple:
    """Create a crawler whose role is seen."""
    return _crawler_refused(asked, asked.get("Role", "")) or create_crawler.original(asked)


@wrapping("ministack.services.glue:_update_crawler")
def update_crawler(asked: dict) -> tuple:
    """Change a crawler; its role is looked at again."""
    crawler = glue._crawlers.get(asked.get("Name"))
    if crawler and ("Role" in asked or "Targets" in asked):
        described = {"Targets": asked.get("Targets", crawler["Targets"])}
        if refused := _crawler_refused(described, asked.get("Role", crawler["Role"])):
            return refused
    return update_crawler.original(asked)


@wrapping("lib.local.in_server.glue:end")
def end(crawler: dict, began: float, last: dict) -> None:
    """Let a crawler tell how its crawl ended, a while later."""
    _ended[glue._arn("crawler", crawler["Name"])] = now(), dict(crawler.get("LastCrawl") or {})
    end.original(crawler, began, last)


@wrapping("ministack.services.glue:_get_crawler")
def get_crawler(asked: dict) -> tuple:
    """Describe a crawler; of a crawl that has just ended it does not tell yet."""
    status, headers, body = get_crawler.original(asked)
    ended_at, before = _ended.get(glue._arn("crawler", asked.get("Name")), (FOREVER_AGO, {}))
    if status != 200 or now() - ended_at > SECONDS["crawl"]:
        return status, headers, body
    told = json.loads(body)
    told["Crawler"].pop("LastCrawl", None)
    told["Crawler"] |= {"LastCrawl": before} if before else {}
    return status, headers, json.dumps(told).encode()


def _of_table(name: str) -> tuple[str, str, str]:
    return get_account_id(), get_region(), name.rpartition("/")[2]


@wrapping("ministack.services.dynamodb:_create_table")
def create_table(asked: dict) -> tuple:
    """Create a table, of which lists do not tell yet."""
    answer = create_table.original(asked)
    if answer[0] == 200:
        tables.made(asked["TableName"])
        _made[_of_table(asked["TableName"])] = now()
    return answer


@wrapping("ministack.services.dynamodb:_delete_table")
def delete_table(asked: dict) -> tuple:
    """Delete a table, of which lists still tell."""
    answer = delete_table.original(asked)
    if answer[0] == 200:
        name = asked["TableName"].rpartition("/")[2]
        tables.gone(name, name)
    return answer


@wrapping("ministack.services.dynamodb:_list_tables")
def list_tables(asked: dict) -> tuple:
    """List the tables of a while ago."""
    status, headers, body = list_tables.original(asked)
    told = json.loads(body)
    told["TableNames"] = [name for name in told["TableNames"] if not tables.hides(name)]
    if "LastEvaluatedTableName" not in told:
        told["TableNames"] += tables.ghosts()
    return status, headers, json.dumps(told).encode()


def _too_early(since: dict, name: str, code: str, said: str, ask: Callable[[], tuple]) -> tuple:
    if now() - since.get(_of_table(name), FOREVER_AGO) < SECONDS["recovery"]:
        return error_response_json(code, said, 400)
    return ask()


@wrapping("ministack.services.dynamodb:_update_continuous_backups")
def update_continuous_backups(asked: dict) -> tuple:
    """Turn point-in-time recovery on, once the backups of a new table are there."""
    name = asked.get("TableName", "")
    code = "ContinuousBackupsUnavailableException"
    said = f"Backups are being enabled for the table: {name.rpartition('/')[2]}. Please retry later"
    answer = _too_early(_made, name, code, said, lambda: update_continuous_backups.original(asked))
    if answer[0] == 200:
        _recoverable[_of_table(name)] = now()
    return answer


@wrapping("ministack.services.dynamodb:_export_table_to_point_in_time")
def export(asked: dict) -> tuple:
    """Export a table, once point-in-time recovery is on."""
    name = asked.get("TableArn", "")
    code = "PointInTimeRecoveryUnavailableException"
    said = f"Point in time recovery is not enabled for table '{name.rpartition('/')[2]}'"
    return _too_early(_recoverable, name, code, said, lambda: export.original(asked))
