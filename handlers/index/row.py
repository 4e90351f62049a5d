"""The row that describes an event: pure, event in, item out."""

from datetime import datetime

from common.events import ObjectEvent
from common.times import iso8601

DAY_S = 86_400


def row(
    event: ObjectEvent,
    head: dict | None,
    content_preview: str | None,
    processed_at: datetime,
    time_to_live_days: int,
) -> dict:
    """Return the item of an event; what is not known has no attribute.

    Args:
        event: What happened.
        head: The answer of HeadObject about the event's version; None if that is gone or was deleted.
        content_preview: The beginning of a text; None if it is not text.
        processed_at: The clock, with time zone.
        time_to_live_days: How long after the event DynamoDB may delete the row; 0 for never.

    Returns:
        The item; its key is made of the event's key and time, so that a retry is the same row.
    """
    attributes = {
        "file_key": event.key,
        "timestamp": iso8601(event.event_time),
        "bucket_name": event.bucket,
        "event_name": event.event_name,
        "version_id": event.version_id,
        "sequencer": event.sequencer,
        "processed_at": iso8601(processed_at),
        "expires": _expires(event.event_time, time_to_live_days),
        "content_preview": content_preview,
        **_description(event, head),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _description(event: ObjectEvent, head: dict | None) -> dict:
    """Return what is known of the object: from itself, or else from the event; nothing of a deleted one."""
    if event.is_removed:
        return {}
    if head is None:
        return {"file_size": event.size, "etag": event.etag}
    return {
        "file_size": head["ContentLength"],
        "content_type": head.get("ContentType"),
        "last_modified": iso8601(head["LastModified"]),
        "etag": head["ETag"].strip('"'),  # without quotes, as in events
    }


def _expires(event_time: datetime, time_to_live_days: int) -> int | None:
    """Return when DynamoDB may delete the row, in seconds since 1970.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
    """
    if time_to_live_days == 0:
        return None
    return int(event_time.timestamp()) + time_to_live_days * DAY_S
