"""Lambda *replicate*: keeps TARGET_BUCKET the same as the buckets whose events it gets.

Invoked by SQS (S3 events, raw or in SNS envelopes; the mapping reports batch item failures) or by S3 itself.
Environment:
    TARGET_BUCKET: Name of the bucket to write to.
    TARGET_REGION: Its region; without it, the function's own.
    TARGET_ACCOUNT: The account that owns it; without it, any.
    DELETE_FUNCTION: Name of the function that follows deletions; without it, they are not followed.
    ERASE_VERSIONS: `true` if that function erases versions, the same as in its environment.
"""

import os
import time

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from common.at_once import AT_ONCE, ConcurrentBatchProcessor, one_at_a_time
from common.clients import clients
from common.each_event import for_each_event
from common.events import ObjectEvent, object_events
from common.hand_over import hand_over
from common.objects import Place, check_gone
from common.observed import log_and_metrics
from copying import PARTS_AT_ONCE
from replication import Outcome, replicate

logger, metrics = log_and_metrics("replicate")
processor = ConcurrentBatchProcessor(event_type=EventType.SQS)

# 300 s: CopyObject answers when it is done, and copies up to 5 GB across regions.
client = clients(read_timeout=300, max_pool_connections=AT_ONCE * PARTS_AT_ONCE)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> PartialItemFailureResponse | None:
    """Replicate every object that the event names.

    Args:
        event: A batch of SQS messages, or an S3 event.
        context: Lambda's context.

    Returns:
        For SQS, which messages failed; None otherwise.

    Raises:
        ExceptionGroup: Objects of an S3 event failed; Lambda retries, then uses the on-failure destination.
        BatchProcessingError: Every message of a batch failed, so that it counts as an error of the function.
    """
    if any(record.get("eventSource") == "aws:sqs" for record in event.get("Records", [])):
        return process_partial_response(
            event=event, record_handler=handle_message, processor=processor, context=context
        )
    replicate_all(event)
    return None


def handle_message(record: SQSRecord) -> None:
    """Replicate every object that one SQS message names, or raise."""
    try:
        replicate_all(record.body)
    except ValueError:
        logger.exception("unreadable message", message_id=record.message_id)
        raise


def replicate_all(message: object) -> None:
    """Replicate every object that a message names; the failure of one does not hold up the others."""
    failed = "Not replicated, see the log for their keys"
    for_each_event(object_events(message), one_at_a_time(replicate_one), logger, failed)


def replicate_one(event: ObjectEvent) -> None:
    """Replicate the object that one S3 record names, and report it."""
    if not event.is_created:
        logger.info("ignored", bucket=event.bucket, key=event.key, event_name=event.event_name)
        return
    started = time.perf_counter()
    source = Place(client("s3", event.region), event.bucket, event.key)
    owner = os.environ.get("TARGET_ACCOUNT", "")
    target_client = client("s3", os.environ.get("TARGET_REGION", ""), owner=owner)
    target = Place(target_client, os.environ["TARGET_BUCKET"], event.key)
    outcome = replicate(source, target, deletions_followed=bool(os.environ.get("DELETE_FUNCTION")))
    if outcome.name == "gone":
        check_gone(source, event.version_id)
    report(event, outcome, seconds=time.perf_counter() - started)
    follow_up(event, outcome)


def follow_up(event: ObjectEvent, outcome: Outcome) -> None:
    """Hand the key over if what was found is for the function that follows deletions."""
    if outcome.name == "gone":
        hand_over_to_delete(event, "ObjectRemoved:HandedOver")
    elif os.environ.get("ERASE_VERSIONS") == "true":
        # What is noncurrent now was current, and so not to be erased, when its deletion was followed.
        hand_over_to_delete(event, "ObjectRemoved:ToErase")


def hand_over_to_delete(event: ObjectEvent, event_name: str) -> None:
    """Let the function that follows deletions, if there is one, look at the key."""
    if function := os.environ.get("DELETE_FUNCTION"):
        hand_over(client("lambda"), function, event, event_name)
        logger.info("handed over to delete", bucket=event.bucket, key=event.key, version=event.version_id)


def report(event: ObjectEvent, outcome: Outcome, seconds: float) -> None:
    """Log and count what was done."""
    lag_seconds = event.lag_seconds
    logger.info(
        outcome.name,
        bucket=event.bucket,
        key=event.key,
        version=outcome.version_id,
        bytes=outcome.bytes_copied,
        outcome=outcome.name,
        seconds=round(seconds, 3),
        lag_seconds=round(lag_seconds, 3),
    )
    metrics.add_metric("Lag", MetricUnit.Milliseconds, lag_seconds * 1000)
    metrics.add_metric("BytesCopied", MetricUnit.Bytes, outcome.bytes_copied)
    metrics.add_metric("ObjectsCopied", MetricUnit.Count, int(outcome.name == "copied"))
    metrics.add_metric("ObjectsAlreadyInPlace", MetricUnit.Count, int(outcome.name == "in place"))
