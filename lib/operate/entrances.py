"""Sending S3 events into a pipeline's own entrance, as if S3 had sent them."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_plus

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from lib.base.errors import RunbookError
from lib.base.retry import seen_last
from lib.base.shown import counted
from lib.base.threads import WORKERS
from lib.base.times import iso8601
from lib.operate.pipelines import FunctionName
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.s3.listing import Entry
from lib.target import Target

# As in S3's events; the ending tells in logs and in an index where the event came from.
EVENT_NAME = "ObjectCreated:Backfill"
BATCH = 10  # messages one SendMessageBatch takes
ATTEMPTS, FIRST_WAIT_S, LONGEST_WAIT_S = 6, 0.1, 5  # at messages of a batch that SQS has not taken


@dataclass(frozen=True)
class ObjectEvent:
    """Something that happened to an object.

    Attributes:
        name: As in S3's events, such as `ObjectCreated:Put` or `ObjectRemoved:Delete`.
        key: The object's key.
        time: When it happened, with time zone.
        bytes: Its size; None for deletes.
        etag: Without quotes; None for deletes.
        version_id: Which version; None without versioning.
    """

    name: str
    key: str
    time: datetime
    bytes: int | None = None
    etag: str | None = None
    version_id: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> "ObjectEvent":
        """Return the event of an object; its time is the object's own, so that a second one says the same.

        Args:
            entry: The object.
        """
        return cls(EVENT_NAME, entry.key, entry.modified, entry.size, entry.etag)

    def message(self, bucket: Bucket) -> dict:
        """Return the event as S3 sends it, with one record.

        Args:
            bucket: The bucket it happened in.

        Returns:
            The event; without a sequencer, which only S3 knows, and with `sentTime`, which S3 does not send:
            from then on the functions count how long it takes.
            https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        """
        known = {"size": self.bytes, "eTag": self.etag, "versionId": self.version_id}
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": bucket.region,
            "eventTime": iso8601(self.time),
            "eventName": self.name,
            "sentTime": iso8601(datetime.now(UTC)),
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket.name, "arn": bucket.arn},
                "object": {
                    "key": quote_plus(self.key, safe="/"),  # as S3 does: a space is a plus, a slash stays
                    **{name: value for name, value in known.items() if value is not None},
                },
            },
        }
        return {"Records": [record]}


Send = Callable[[Sequence[ObjectEvent]], object]


@contextmanager
def sending(target: Target, entrance: Queue | FunctionName, bucket: Bucket) -> Iterator[Send]:
    """Get ready to send events to a queue, or to invoke a function with them, one by one as S3 does.

    Args:
        target: The AWS to work on.
        entrance: Where the pipeline takes its events.
        bucket: The bucket that they are about.

    Yields:
        A function that sends events, some hundreds at a time; any thread may call it. It raises a
        RunbookError if a queue did not accept them all, and a ClientError if AWS refused a call; some may
        have been sent then, which does no harm.
    """
    if isinstance(entrance, Queue):
        client = target.client("sqs", entrance.region)
        url = entrance.output(client)
        yield lambda events: _to_queue(client, url, _messages(bucket, events))
        return
    client = target.client("lambda", entrance.region)

    def invoke(message: str) -> None:
        client.invoke(FunctionName=entrance.name, InvocationType="Event", Payload=message)

    # However many threads send, no more invoke than the client keeps connections.
    with ThreadPoolExecutor(WORKERS) as threads:
        yield lambda events: list(threads.map(invoke, _messages(bucket, events)))


def _messages(bucket: Bucket, events: Sequence[ObjectEvent]) -> list[str]:
    return [json.dumps(event.message(bucket)) for event in events]


def _to_queue(client, url: str, messages: list[str]) -> None:
    for first in range(0, len(messages), BATCH):
        batch = messages[first : first + BATCH]
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
        _send_batch(client, url, entries)


def _send_batch(client, url: str, entries: list[dict]) -> None:
    """Send messages, and those again that were not taken: SQS takes some of a batch and refuses others.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
    """
    left = list(entries)

    def send() -> list[dict]:
        refused = client.send_message_batch(QueueUrl=url, Entries=left).get("Failed", [])
        ids = {each["Id"] for each in refused}
        left[:] = [entry for entry in left if entry["Id"] in ids]
        return refused

    def give_up(state: RetryCallState) -> None:
        refused = seen_last(state)
        raise RunbookError(
            f"{url} did not accept {counted(len(refused), 'message')}, the first: {refused[0]}"
        )

    Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
        retry_error_callback=give_up,
    )(send)
