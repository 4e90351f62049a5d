"""What *watch* looks at, and what it has found."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

GROWN_TIMES = 3  # in a row, and a queue grows
MOST_QUEUES = 1000  # of a page


@dataclass(frozen=True)
class Waiting:
    """A queue that functions work off."""

    name: str
    region: str
    visible: int
    in_flight: int


@dataclass
class Look:
    """What was found.

    Attributes:
        not_done: Messages in queues that nobody works off: dead letters, failures, what a brake holds.
        growing: Queues whose backlog grew each time for a while.
        oldest_s: Age of the oldest message that waits for its turn, in seconds, as far as SQS tells it.
        undelivered: Notifications of topics that could not be delivered.
        short: Objects of sources that have no copy, of those that were there long enough.
        not_looked_at: What could not be looked at.
        waiting: The queues with a backlog, now or a while ago.
    """

    not_done: int = 0
    growing: int = 0
    oldest_s: float = 0
    undelivered: int = 0
    short: int = 0
    not_looked_at: int = 0
    waiting: list[Waiting] = field(default_factory=list)

    def totals(self) -> dict[str, Any]:
        """Return the numbers, int or float, by the names of their metrics."""
        return {
            "MessagesNotDone": self.not_done,
            "BacklogsGrowing": self.growing,
            "OldestMessageSeconds": self.oldest_s,
            "NotificationsNotDelivered": self.undelivered,
            "ObjectsShort": self.short,
            "NotLookedAt": self.not_looked_at,
        }


def grows(values: Sequence[float]) -> bool:
    """Return whether the last values, each a later one, have grown each time.

    Args:
        values: The oldest first.
    """
    last = values[-1 - GROWN_TIMES :]
    return len(last) > GROWN_TIMES and all(one < other for one, other in zip(last, last[1:], strict=False))


def queues(client, beginning: str) -> Iterator[str]:
    """Yield the URLs of the queues of a region whose names begin so.

    There is a next page only if one says how long a page is:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html
    """
    pages = client.get_paginator("list_queues").paginate(
        QueueNamePrefix=beginning, PaginationConfig={"PageSize": MOST_QUEUES}
    )
    for page in pages:
        yield from page.get("QueueUrls", [])


def topics(client, beginning: str) -> Iterator[str]:
    """Yield the names of the topics of a region that begin so."""
    for page in client.get_paginator("list_topics").paginate():
        names = (topic["TopicArn"].rpartition(":")[2] for topic in page["Topics"])
        yield from (name for name in names if name.startswith(beginning))


def objects(client, bucket: str, prefix: str) -> Iterator[dict]:
    """Yield the objects of a bucket in the order of their keys; asks for no page before it is wanted.

    Args:
        client: An S3 client of its region.
        bucket: Its name.
        prefix: What the keys begin with.
    """
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


def lacking(source: Iterable[dict], copies: Iterable[dict], before: datetime, most: int) -> int:
    """Return how many objects have no copy, among those that come first.

    Args:
        source: Objects in the order of their keys.
        copies: Likewise.
        before: Only objects that were written before.
        most: So many objects, and copies, are looked at; of what comes later nothing is known.
    """
    there = iter(copies)
    copy, seen, found = next(there, None), 1, 0
    for one in islice(source, most):
        while copy and seen <= most and copy["Key"] < one["Key"]:
            copy, seen = next(there, None), seen + 1
        if copy and seen > most and copy["Key"] <= one["Key"]:
            return found
        is_copied = copy is not None and copy["Key"] == one["Key"]
        found += not is_copied and one["LastModified"] < before
    return found
