"""Unwrapping of S3 events, however they reach a Lambda."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from common.times import time_of

# What the key of a probe ends with: an empty object that the runbook puts and erases to see whether S3 has
# begun to tell of a bucket (lib/operate/hearing.py). The random part is nobody else's.
PROBE = re.compile(r"(?:^|/)runbook-probe-[0-9a-f]{32}[^/]*$")


@dataclass(frozen=True)
class ObjectEvent:
    """One record of an S3 event: something happened to this key.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object, decoded.
        region: The bucket's region.
        event_name: As in the record, without `s3:`, such as `ObjectCreated:Put`.
        event_time: When it happened, with time zone.
        version_id: Version the event is about; None without versioning.
        sequencer: Orders the events of one key; None where S3 sends none.
        size: Bytes of the object; None where S3 sends none, as for deletes.
        etag: Without quotes; None where S3 sends none.
        sent_time: When somebody other than S3 has told of it, such as a backfill of an old object; None if
            S3 has.
    """

    bucket: str
    key: str
    region: str
    event_name: str
    event_time: datetime
    version_id: str | None = None
    sequencer: str | None = None
    size: int | None = None
    etag: str | None = None
    sent_time: datetime | None = None

    @property
    def is_probe(self) -> bool:
        """Whether it is about a probe, of which nothing is made: like S3's test event it shows the way."""
        return not self.size and PROBE.search(self.key) is not None

    @property
    def lag_seconds(self) -> float:
        """How long ago it happened, or was told of later: an old object's age is no lag."""
        return (datetime.now(UTC) - (self.sent_time or self.event_time)).total_seconds()

    @property
    def is_created(self) -> bool:
        """Whether an object was written: by put, post, copy or completed multipart upload."""
        return self.event_name.removeprefix("s3:").startswith("ObjectCreated:")

    @property
    def is_removed(self) -> bool:
        """Whether an object or a version was deleted by a request, also if that only left a delete marker."""
        return self.event_name.removeprefix("s3:").startswith("ObjectRemoved:")


def object_events(message: object) -> Iterator[ObjectEvent]:
    """Yield every S3 record in a message, through any wrapping by SNS, SQS and Lambda.

    Args:
        message: A Lambda event, the body of an SQS message, or the message of an SNS notification;
            JSON text or what it decodes to.

    Yields:
        One ObjectEvent a record. `s3:TestEvent`, which S3 sends when a notification is set up, has none.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html

    Raises:
        ValueError: It is none of these, or a record is not; the text says what was found. Records that can be
            read are all yielded before.
    """
    content = _decoded(message)
    if content.get("Event") == "s3:TestEvent":
        return
    if content.get("Type") == "Notification" and "Message" in content:  # SNS → SQS without raw delivery
        yield from object_events(content["Message"])
        return
    records = content.get("Records")
    if not isinstance(records, list):
        raise ValueError(f"Neither an S3 event nor a wrapping of one: {_excerpt(content)}")
    unreadable = []
    for record in records:
        try:
            yield from _record_events(record)
        except ValueError as error:
            unreadable.append(error)
    if unreadable:
        raise unreadable[0]


def _record_events(record: Any) -> Iterator[ObjectEvent]:
    """Yield the S3 records in one entry of `Records`."""
    match record:
        case {"eventSource": "aws:s3"}:
            yield _object_event(record)
        case {"eventSource": "aws:sqs", "body": body}:
            yield from object_events(body)
        case {"EventSource": "aws:sns", "Sns": {"Message": message}}:
            yield from object_events(message)
        case _:
            raise ValueError(f"Not a record of S3, SQS or SNS: {_excerpt(record)}")


def _object_event(record: dict) -> ObjectEvent:
    """Return one S3 record as an ObjectEvent."""
    try:
        s3_object = record["s3"]["object"]
        return ObjectEvent(
            bucket=record["s3"]["bucket"]["name"],
            key=unquote_plus(s3_object["key"]),  # S3 encodes keys as forms do: a space is a plus
            region=record["awsRegion"],
            event_name=record["eventName"],
            event_time=time_of(record["eventTime"]),
            version_id=s3_object.get("versionId"),
            sequencer=s3_object.get("sequencer"),
            size=s3_object.get("size"),
            etag=s3_object.get("eTag"),
            sent_time=time_of(record["sentTime"]) if "sentTime" in record else None,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"Incomplete S3 record ({error!r}): {_excerpt(record)}") from error


def _decoded(message: object) -> dict:
    """Return the message as a dict, decoded if it is text."""
    content = message
    if isinstance(message, str):
        try:
            content = json.loads(message)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Not JSON ({error}): {_excerpt(message)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"Not a JSON object: {_excerpt(content)}")
    return content


def _excerpt(found: object) -> str:
    """Return the beginning of what was found, short enough for a log line."""
    return repr(found)[:200]
