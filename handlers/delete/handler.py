"""Lambda *delete*: what is deleted in the buckets whose events it gets is deleted in TARGET_BUCKET too.

Invoked by S3 itself, by *replicate* with what it found gone, or by a person with what the brake held; only
such an invocation can say `"released": true` beside `Records`, and is not stopped by the brake.

Environment:
    TARGET_BUCKET: Name of the bucket to delete in; it has versioning.
    TARGET_REGION: Its region.
    TARGET_ACCOUNT: The account that owns it; without it, any.
    REPLICATE_FUNCTION: Name of the function that follows what exists.
    BRAKE_TABLE: Name of the DynamoDB table of the brake, in the function's region.
    BRAKE_DELETES, BRAKE_MINUTES: More deletes in so many minutes pull the brake.
    HOLDING_QUEUE: Name of the queue for events that the brake stopped, in the function's region.
    ERASE_VERSIONS: `true` if what is deleted for good in the source is deleted for good in the target.
"""

import json
import os
import time
from collections.abc import Callable
from functools import cache, partial

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from brake import Brake, BrakePulledError
from common.clients import clients
from common.each_event import for_each_event
from common.events import ObjectEvent, object_events
from common.hand_over import hand_over, s3_event
from common.objects import Place
from common.observed import log_and_metrics
from deletion import Outcome, delete
from erasing import erase

logger, metrics = log_and_metrics("delete")
# What *replicate* says of a key that it has copied, where versions are erased.
ONLY_ERASE = "ObjectRemoved:ToErase"
client = clients()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> None:
    """Follow the deletion of every object that the event names; one that fails does not hold up the others.

    Args:
        event: An S3 event; with a top-level `"released": true` the brake lets it pass.
        context: Lambda's context.

    Raises:
        ExceptionGroup: Objects failed; Lambda retries, then uses the on-failure destination.
    """
    before_deleting = no_brake if event.get("released") is True else brake().count
    do = partial(follow_or_hold, before_deleting=before_deleting)
    for_each_event(object_events(event), do, logger, "Not deleted, see the log for their keys")


def follow_or_hold(event: ObjectEvent, before_deleting: Callable[[int], None]) -> None:
    """Follow one event, or keep it if the brake stops what it leads to."""
    if not event.is_removed:
        logger.info("ignored", bucket=event.bucket, key=event.key, event_name=event.event_name)
        return
    try:
        follow(event, before_deleting)
    except BrakePulledError as pulled:
        body = json.dumps(s3_event(event, event.event_name))
        client("sqs").send_message(QueueUrl=queue_url(), MessageBody=body)
        logger.warning("held", bucket=event.bucket, key=event.key, version=event.version_id, why=str(pulled))
        metrics.add_metric("DeletesHeld", MetricUnit.Count, 1)


def follow(event: ObjectEvent, before_deleting: Callable[[int], None]) -> None:
    """Make the target what the source is, as far as that means deleting; hand over what means copying."""
    source = Place(client("s3", event.region), event.bucket, event.key)
    owner = os.environ.get("TARGET_ACCOUNT", "")
    target_client = client("s3", os.environ["TARGET_REGION"], owner=owner)
    target = Place(target_client, os.environ["TARGET_BUCKET"], event.key)
    if event.event_name != ONLY_ERASE:
        delete_one(event, source, target, before_deleting)
    if os.environ.get("ERASE_VERSIONS") == "true" and (erased := erase(source, target, before_deleting)):
        logger.info("erased", bucket=event.bucket, key=event.key, versions=erased)
        metrics.add_metric("VersionsErased", MetricUnit.Count, erased)


def delete_one(
    event: ObjectEvent, source: Place, target: Place, before_deleting: Callable[[int], None]
) -> None:
    """Make the target gone if the source is, and report it; hand over a key whose source exists."""
    started = time.perf_counter()
    outcome = delete(source, target, before_deleting)
    report(event, outcome, seconds=time.perf_counter() - started)
    if outcome.source_exists:
        hand_over(client("lambda"), os.environ["REPLICATE_FUNCTION"], event, "ObjectCreated:HandedOver")
        logger.info("handed over to replicate", bucket=event.bucket, key=event.key, version=event.version_id)


def report(event: ObjectEvent, outcome: Outcome, seconds: float) -> None:
    """Log and count what was done."""
    lag_seconds = event.lag_seconds
    logger.info(
        outcome.name,
        bucket=event.bucket,
        key=event.key,
        version=event.version_id,
        bytes=outcome.bytes,
        outcome=outcome.name,
        seconds=round(seconds, 3),
        lag_seconds=round(lag_seconds, 3),
    )
    metrics.add_metric("Lag", MetricUnit.Milliseconds, lag_seconds * 1000)
    metrics.add_metric("ObjectsDeleted", MetricUnit.Count, int(outcome.name == "deleted"))


def no_brake(deletes: int) -> None:
    """Let deletes pass that a person has released."""


def brake() -> Brake:
    """Return the brake that the environment describes."""
    deletes, minutes = int(os.environ["BRAKE_DELETES"]), int(os.environ["BRAKE_MINUTES"])
    return Brake(client("dynamodb"), os.environ["BRAKE_TABLE"], deletes, minutes)


@cache
def queue_url() -> str:
    """Return the URL of the holding queue, asked for once per Lambda environment."""
    return client("sqs").get_queue_url(QueueName=os.environ["HOLDING_QUEUE"])["QueueUrl"]
