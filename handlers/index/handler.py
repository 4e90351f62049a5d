"""Lambda *index*: one row in a DynamoDB table for each S3 event.

Invoked by S3 itself, asynchronously. Environment: INDEX_TABLE, a table in the function's region with keys
`file_key` and `timestamp`; TIME_TO_LIVE_DAYS, after which DynamoDB may delete a row, "0" for never.
"""

import os
import time
from datetime import UTC, datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from boto3.dynamodb.conditions import Attr
from common.clients import clients, table
from common.each_event import for_each_event
from common.events import ObjectEvent, object_events
from common.observed import log_and_metrics
from reading import read
from row import row

logger, metrics = log_and_metrics("index")
client = clients()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> None:
    """Write a row for each record of an event; the failure of one does not hold up the others.

    Args:
        event: An S3 event, bare or wrapped by SNS or SQS.
        context: Lambda's context.

    Raises:
        ExceptionGroup: Some have no row; Lambda retries, then uses the on-failure destination.
        ValueError: It is not an S3 event.
    """
    for_each_event(object_events(event), index_one, logger, "Not indexed, see the log for their keys")


def index_one(event: ObjectEvent) -> None:
    """Write the row of one record, and report it."""
    started = time.perf_counter()
    item = describe(event)
    written = put(item)
    report(event, item, written, seconds=time.perf_counter() - started)


def describe(event: ObjectEvent) -> dict:
    """Return the row of one record, with what S3 knows of the object."""
    s3 = client("s3", event.region)
    head, beginning = (None, None) if event.is_removed else read(s3, event)
    return row(
        event,
        head,
        content_preview=beginning,
        processed_at=datetime.now(UTC),
        time_to_live_days=int(os.environ["TIME_TO_LIVE_DAYS"]),
    )


def put(item: dict) -> bool:
    """Write a row, unless there is one of the same event, or of a later one in the same millisecond.

    The first row of an event stays, since by the time of a retry the object may be gone. Sequencers are to be
    compared right-padded with zeros; the order of text in DynamoDB, where a prefix comes first, is the same.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html

    Returns:
        Whether it was written.
    """
    index = table(os.environ["INDEX_TABLE"])
    is_new = Attr("file_key").not_exists()
    if "sequencer" in item:
        is_new |= Attr("sequencer").not_exists() | Attr("sequencer").lt(item["sequencer"])
    try:
        index.put_item(Item=item, ConditionExpression=is_new)
    except index.meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def report(event: ObjectEvent, item: dict, written: bool, seconds: float) -> None:
    """Log and count what was done."""
    logger.info(
        "indexed" if written else "already indexed",
        bucket=event.bucket,
        key=event.key,
        version=event.version_id,
        event_name=event.event_name,
        bytes=item.get("file_size"),
        seconds=round(seconds, 3),
    )
    metrics.add_metric("Lag", MetricUnit.Milliseconds, event.lag_seconds * 1000)
    metrics.add_metric("EventsIndexed", MetricUnit.Count, int(written))
