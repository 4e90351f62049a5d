"""What *watch* looks at, and what it has found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

GROWN_TIMES = 3  # in a row, and a queue grows


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
        short: Objects of sources that have no copy yet, of those that were there long enough.
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


@dataclass(frozen=True)
class Counted:
    """How many objects there are; of a bucket with more than are counted, `is_whole` is false."""

    objects: int
    is_whole: bool


def grows(values: Sequence[float]) -> bool:
    """Return whether the last values, each a later one, have grown each time.

    Args:
        values: The oldest first.
    """
    last = values[-1 - GROWN_TIMES :]
    return len(last) > GROWN_TIMES and all(one < other for one, other in zip(last, last[1:], strict=False))


def queues(client, beginning: str) -> Iterator[str]:
    """Yield the URLs of the queues of a region whose names begin so."""
    for page in client.get_paginator("list_queues").paginate(QueueNamePrefix=beginning):
        yield from page.get("QueueUrls", [])


def topics(client, beginning: str) -> Iterator[str]:
    """Yield the names of the topics of a region that begin so."""
    for page in client.get_paginator("list_topics").paginate():
        names = (topic["TopicArn"].rpartition(":")[2] for topic in page["Topics"])
        yield from (name for name in names if name.startswith(beginning))


def count(client, where: dict, most: int, before: datetime | None = None) -> Counted:
    """Count the objects of a bucket.

    Args:
        client: An S3 client of its region.
        where: `Bucket` and `Prefix`.
        most: So many are counted; of more nothing is known.
        before: Only those that were written before.
    """
    seen = objects = 0
    for page in client.get_paginator("list_objects_v2").paginate(**where):
        listed = page.get("Contents", [])
        seen += len(listed)
        if seen > most:
            return Counted(objects, is_whole=False)
        objects += sum(before is None or one["LastModified"] < before for one in listed)
    return Counted(objects, is_whole=True)
