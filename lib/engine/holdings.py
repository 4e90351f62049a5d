"""How much is in what a destruction would delete: objects, bytes, items and messages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lib.base.shown import counted, shown_bytes
from lib.resources.base import Found, Resource
from lib.resources.dynamodb import Table
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue

# A bucket of millions would take as long to count as to empty: so many calls are made of each, and it is said
# that there is more.
PAGES = 100


@dataclass(frozen=True)
class Held:
    """How much something holds; sums of it are made with `+`.

    Attributes:
        objects: Versions and delete markers of objects, since all of them go.
        bytes: What these versions have.
        items: Of a table.
        messages: About how many, of a queue.
        is_more: Whether there is more than was counted.
        uncounted: Why something could not be counted, AWS's codes.
    """

    objects: int = 0
    bytes: int = 0
    items: int = 0
    messages: int = 0
    is_more: bool = False
    uncounted: frozenset[str] = frozenset()

    def __add__(self, other: "Held") -> "Held":
        return Held(
            self.objects + other.objects,
            self.bytes + other.bytes,
            self.items + other.items,
            self.messages + other.messages,
            self.is_more or other.is_more,
            self.uncounted | other.uncounted,
        )

    def __bool__(self) -> bool:
        return bool(self.objects or self.items or self.messages or self.uncounted)

    def __str__(self) -> str:
        said = [f"{counted(self.objects, 'version')} of objects ({shown_bytes(self.bytes)})"] * bool(
            self.objects
        )
        said += [counted(self.items, "item")] * bool(self.items)
        said += [f"about {counted(self.messages, 'message')}"] * bool(self.messages)
        counted_ones = ("more than " if self.is_more else "") + ", ".join(said)
        why = ", ".join(sorted(self.uncounted))
        return " and ".join(filter(None, [counted_ones, f"what could not be counted ({why})" * bool(why)]))


def holding(client: Any, kind: type[Resource], found: Found) -> Held:
    """Return how much something holds; what holds nothing that could be counted has none.

    Args:
        client: A client of its service, region and account.
        kind: Its class.
        found: As its `find` gave it.
    """
    count = _COUNTS.get(kind)
    if count is None:
        return Held()
    try:
        return count(client, found.identifier)
    except ClientError as error:  # gone meanwhile; or we may not look, which stops nothing: it is information
        code = error.response["Error"]["Code"]
        return Held() if code in _GONE else Held(uncounted=frozenset({code}))


_GONE = {"NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue"}


def _of_bucket(client: Any, name: str) -> Held:
    held = Held()
    pages = client.get_paginator("list_object_versions").paginate(Bucket=name)
    for number, page in enumerate(pages, 1):
        versions, markers = page.get("Versions", []), page.get("DeleteMarkers", [])
        size = sum(version["Size"] for version in versions)
        is_more = number == PAGES and bool(page.get("IsTruncated"))
        held += Held(len(versions) + len(markers), size, is_more=is_more)
        if is_more:
            break
    return held


def _of_table(client: Any, name: str) -> Held:
    """Count the items, since what DescribeTable says of them is up to six hours old.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
    """
    held = Held()
    pages = client.get_paginator("scan").paginate(TableName=name, Select="COUNT")
    for number, page in enumerate(pages, 1):
        is_more = number == PAGES and "LastEvaluatedKey" in page
        held += Held(items=page["Count"], is_more=is_more)
        if is_more:
            break
    return held


def _of_queue(client: Any, url: str) -> Held:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return Held(messages=sum(int(found[name]) for name in names))


_COUNTS: dict[type[Resource], Callable[[Any, str], Held]] = {
    Bucket: _of_bucket,
    Table: _of_table,
    Queue: _of_queue,
}
