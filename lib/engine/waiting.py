"""What waits in a queue."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import not_
from urllib.parse import unquote_plus

from botocore.client import BaseClient

from lib.base.json_text import json_object
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.resources.sqs import Queue
from lib.target import Target

POLL_S = 0.25
# What SQS says of a queue's depth is a minute old at the most:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
SETTLE_S = 60
DEAD_LETTERS_SHOWN = 10  # one receive gives at most ten messages


@dataclass(frozen=True)
class Waiting:
    """A queue, and a client of its region.

    Attributes:
        client: An SQS client.
        url: The queue's URL.
        before: How many messages are none of those that are waited for.
    """

    client: BaseClient
    url: str
    before: int = 0

    @classmethod
    def of(cls, target: Target, queue: Queue) -> "Waiting":
        """Return a queue that exists, with a client."""
        client = target.client(queue.service, queue.region)
        return cls(client, queue.output(client))

    @classmethod
    def from_now(cls, target: Target, queue: Queue, *fed_by: Queue) -> "Waiting":
        """Return a queue that exists, for what comes into it from now on: before anything is sent.

        What is in it already, such as what somebody sent by hand, is named here, and nothing waits for it.

        Args:
            target: The AWS to look at.
            queue: Which.
            fed_by: Those whose messages end in it when they failed too often.
        """
        own, *others = (cls.of(target, one) for one in (queue, *fed_by))
        if before := own.depth():
            print(
                f"{queue.name} holds {counted(before, 'message')} of before, which the checks leave out; "
                "`runbook redrive` shows those that failed for good, and why"
            )
        return replace(own, before=before + sum(one.depth() for one in others))

    def depths(self) -> tuple[int, int]:
        """Return about how many messages wait in it, and how many are being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        visible, in_flight = (int(attributes[name]) for name in names)
        return visible, in_flight

    def depth(self) -> int:
        """Return about how many messages are in it, those included that are being worked on."""
        return sum(self.depths())

    def visibility_timeout_s(self) -> int:
        """Return for how many seconds a message that is being worked on is hidden."""
        names = ["VisibilityTimeout"]
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(answer["Attributes"][names[0]])

    def came(self) -> int:
        """Return about how many messages are in it besides those of before."""
        return max(0, self.depth() - self.before)

    def settle(self, timeout_s: float = SETTLE_S, sleep: Callable[[float], None] = time.sleep) -> int:
        """Wait until none but those of before are in it, or the time is up; return how many others are."""
        return wait_until(
            self.came, not_, timeout_s, POLL_S, sleep, what=f"Queue {self.url.rpartition('/')[2]} runs empty"
        )

    def versions(self) -> set[tuple[str, str | None]]:
        """Return key and version id of what up to ten of its messages speak of; the messages stay there."""
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=DEAD_LETTERS_SHOWN, VisibilityTimeout=0
        )
        return {version for message in answer.get("Messages", []) for version in _versions(message["Body"])}


def _versions(body: str) -> Iterator[tuple[str, str | None]]:
    """Yield key and version id of what a message speaks of; one that is no event of S3 speaks of nothing.

    Lambda wraps the event that a function failed on: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    content = json_object(body)
    content = content.get("requestPayload") or content
    match content:
        case {"Records": [*records]}:
            for record in records:
                match record:
                    case {"s3": {"object": {"key": str(key), **other}}}:
                        version = other.get("versionId")
                        yield unquote_plus(key), version if isinstance(version, str) else None
