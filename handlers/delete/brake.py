"""The brake: more than so many deletes within so many minutes stop all deletes, until a person decides.

Its state is in a DynamoDB table (partition key `id`, time to live `expires`):
- `minute#<epoch minute>`: how many deletes were begun in that minute, in `deletes`.
- `brake`: there as long as the brake is pulled; `stopped_at`, and the `deletes` counted in so many `minutes`.
lib/operate/failures/brake.py reads and removes them.

Of any number of deliveries at once, no more than the limit pass: each adds to a counter before it reads all
of them, consistently, so that the last one to add among those that pass has seen all the others. Where two
are about to pass at the turn of a minute, or one of their clocks is late, the one reads what the other one
has counted, since the minutes before the window and after it are read too. A delivery that fails and is
retried may be counted twice: the brake errs on the side of stopping.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.client import BaseClient

DAY_S = 24 * 60 * 60


class BrakePulledError(Exception):
    """Deletes are stopped."""


class CountersUnreadError(Exception):
    """DynamoDB did not return all counters, so that it is not known whether there were too many deletes."""


@dataclass(frozen=True)
class Brake:
    """Counts deletes and stops them.

    Attributes:
        client: DynamoDB client of the table's region.
        table: Name of the table.
        deletes: How many may be done in the window.
        minutes: Length of the window, at most 98: BatchGetItem reads 100 items.
        clock: Tells the seconds since the epoch.
    """

    client: BaseClient
    table: str
    deletes: int
    minutes: int
    clock: Callable[[], float] = time.time

    def count(self, deletes: int) -> None:
        """Count deletes that are about to be done.

        Args:
            deletes: How many.

        Raises:
            BrakePulledError: They must not be done.
            CountersUnreadError: It is not known whether they may be done.
            ClientError: DynamoDB refused a call.
        """
        if self.is_pulled():
            raise BrakePulledError("The brake is pulled")
        minute = int(self.clock()) // 60
        self._add(minute, deletes)
        counted = self._sum(minute)
        if counted > self.deletes:
            self._pull(counted)
            raise BrakePulledError(
                f"{counted} deletes in {self.minutes} minutes are more than {self.deletes}"
            )

    def is_pulled(self) -> bool:
        """Return whether deletes are stopped."""
        answer = self.client.get_item(TableName=self.table, Key=_key("brake"), ConsistentRead=True)
        return "Item" in answer

    def _add(self, minute: int, deletes: int) -> None:
        """Add to the counter of a minute."""
        expires = (minute + self.minutes) * 60 + DAY_S
        self.client.update_item(
            TableName=self.table,
            Key=_key(f"minute#{minute}"),
            UpdateExpression="ADD deletes :deletes SET expires = :expires",
            ExpressionAttributeValues={":deletes": _number(deletes), ":expires": _number(expires)},
        )

    def _sum(self, minute: int) -> int:
        """Return how many deletes were counted in the window, which the oldest minute is partly in."""
        keys = [_key(f"minute#{each}") for each in range(minute - self.minutes, minute + 2)]
        request = {self.table: {"Keys": keys, "ConsistentRead": True}}
        answer = self.client.batch_get_item(RequestItems=request)
        if answer.get("UnprocessedKeys"):
            raise CountersUnreadError(f"Throttled: {answer['UnprocessedKeys']}")
        return sum(int(item["deletes"]["N"]) for item in answer["Responses"][self.table])

    def _pull(self, counted: int) -> None:
        """Stop all deletes; what another delivery has written meanwhile stays."""
        facts = {
            "stopped_at": {"S": datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="seconds")},
            "deletes": _number(counted),
            "minutes": _number(self.minutes),
        }
        try:
            self.client.put_item(
                TableName=self.table,
                Item=_key("brake") | facts,
                ConditionExpression="attribute_not_exists(id)",
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return  # it was pulled a moment ago


def _key(identifier: str) -> dict:
    """Return the key of an item."""
    return {"id": {"S": identifier}}


def _number(value: int) -> dict:
    """Return a number as DynamoDB wants it."""
    return {"N": str(value)}
