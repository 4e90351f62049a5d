"""Handing a key over to another function, which looks at it as if S3 had sent an event."""

import json
from datetime import UTC, datetime
from urllib.parse import quote_plus

from botocore.client import BaseClient

from common.events import ObjectEvent


def hand_over(client: BaseClient, function: str, event: ObjectEvent, event_name: str) -> None:
    """Invoke another function asynchronously with the key of an event.

    Two functions that hand a key back and forth do so only while it changes. Lambda stops such a chain after
    16 invocations and sends its event to the on-failure destination:
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html

    Args:
        client: Lambda client of the function's region.
        function: Name of the function.
        event: What brought us to the key.
        event_name: What the other function is to think happened, such as `ObjectCreated:HandedOver`.

    Raises:
        ClientError: Lambda did not accept it.
    """
    payload = json.dumps(s3_event(event, event_name))
    client.invoke(FunctionName=function, InvocationType="Event", Payload=payload)


def s3_event(event: ObjectEvent, event_name: str) -> dict:
    """Return an event as S3 sends it, about the key of another one.

    Args:
        event: Gives bucket, key, version, sequencer and times.
        event_name: As in the record, without `s3:`.

    Returns:
        An S3 event of one record, without size and ETag. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    known = {"versionId": event.version_id, "sequencer": event.sequencer}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": _text(event.event_time),
        "eventName": event_name,
        **({"sentTime": _text(event.sent_time)} if event.sent_time else {}),
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": event.bucket, "arn": f"arn:aws:s3:::{event.bucket}"},
            "object": {
                "key": quote_plus(event.key, safe="/"),  # as S3 does: a space is a plus, a slash stays
                **{name: value for name, value in known.items() if value is not None},
            },
        },
    }
    return {"Records": [record]}


def _text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
