"""Listings of objects, read from S3's XML at once: botocore goes through the model for each field of each.

What comes out is what botocore would have made of it; a field that is not known here leaves all to botocore.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from botocore.client import BaseClient

from lib.base.aws_times import read

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
CONTENTS = f"{NAMESPACE}Contents"


def _text(text: str | None) -> str:
    return text or ""


def _number(text: str | None) -> int:
    return int(text or "")


def _time(text: str | None) -> Any:
    return read(text or "")


READ: dict[str, tuple[str, Callable[[str | None], Any]]] = {
    f"{NAMESPACE}{name}": (name, read_it)
    for name, read_it in {
        "Key": _text,
        "LastModified": _time,
        "ETag": _text,
        "Size": _number,
        "StorageClass": _text,
        "ChecksumType": _text,
    }.items()
}
ALGORITHM = f"{NAMESPACE}ChecksumAlgorithm"  # of which there may be several


def quick_listings(client: BaseClient) -> BaseClient:
    """Let an S3 client read listings so, and return it."""
    client.meta.events.register("before-parse.s3.ListObjectsV2", _take_contents, unique_id="quick-listings")
    return client


def _take_contents(response_dict: dict, customized_response_dict: dict, **_: object) -> None:
    """Read the objects, and leave the rest to botocore."""
    if response_dict["status_code"] != 200:
        return
    try:
        root = ElementTree.fromstring(response_dict["body"])
        contents = [_object(element) for element in root.findall(CONTENTS)]
    except (ElementTree.ParseError, KeyError, ValueError):  # botocore says what is wrong, or knows more
        return
    if not contents:
        return
    root[:] = [element for element in root if element.tag != CONTENTS]
    response_dict["body"] = ElementTree.tostring(root)
    customized_response_dict["Contents"] = contents


def _object(element: ElementTree.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        if child.tag == ALGORITHM:
            found.setdefault("ChecksumAlgorithm", []).append(child.text or "")
        else:
            name, read_it = READ[child.tag]
            found[name] = read_it(child.text)
    return found
