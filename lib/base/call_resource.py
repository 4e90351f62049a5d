"""What a call to AWS is about, read from its parameters' names of things, never from contents."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

# What names a thing of no certain type. Tried in this order, after what names one of a type of resource.
NAMES = (
    *("JobId", "ResourceArn", "ResourceARN", "resourceArn", "ResourceName", "Resource", "ResourceId"),
    *("ResourceIdList", "Name", "NamePrefix"),
)


def resource(operation: str, params: Mapping[str, Any], named_by: Iterable[str]) -> str:
    """Return what a call is about.

    Args:
        operation: Its name, such as `GetTable`.
        params: As they were given to boto3.
        named_by: The parameters that name a thing of a certain type, such as `QueueUrl`; the first that is
            there counts. Buckets' and Glue tables' two names go before them.

    Returns:
        `bucket/key`, `bucket/prefix` or `database/table`; a queue's name; or what else a parameter names.
    """
    if "Bucket" in params:
        return _joined(params["Bucket"], params.get("Key") or params.get("Prefix"))
    if "DatabaseName" in params and "Crawler" not in operation:  # a crawler's description names both
        table = params.get("Name") or params.get("TableName") or params.get("TableInput", {}).get("Name")
        return _joined(params["DatabaseName"], table)
    return next((_text(params[name]) for name in (*named_by, *NAMES) if name in params), "")


def copied(params: Mapping[str, Any]) -> str:
    """Return what a call copies from, `bucket/key`; empty if it copies nothing."""
    source = params.get("CopySource", "")
    if isinstance(source, Mapping):
        return _joined(source["Bucket"], source["Key"])
    return unquote(source.partition("?versionId=")[0])


def names(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a call's parameters, and what else tells which permissions the call needs.

    Args:
        params: As they were given to boto3.

    Returns:
        The names; `CopySourceVersionId` if a version is copied, `VersionId` if one is among those to delete,
        `TaggingDirective=REPLACE` if a copy leaves the tags behind.
    """
    source = params.get("CopySource", "")
    versioned = bool(source.get("VersionId")) if isinstance(source, Mapping) else "?versionId=" in source
    copies = ["CopySourceVersionId"] if versioned else []
    deleted = params["Delete"]["Objects"] if "Delete" in params else []
    deletes = ["VersionId"] if any(one.get("VersionId") for one in deleted) else []
    replaces = ["TaggingDirective=REPLACE"] if params.get("TaggingDirective") == "REPLACE" else []
    return tuple(sorted([*params, *copies, *deletes, *replaces]))


def _joined(name: str, rest: str | None) -> str:
    return f"{name}/{rest}" if rest else name


def _text(value: Any) -> str:
    if isinstance(value, Mapping):  # a description with a name in it, or items by table
        return value["Name"] if "Name" in value else ", ".join(value)
    if isinstance(value, list):
        return ", ".join(value)
    return value.rpartition("/")[2] if value.startswith("http") else value
