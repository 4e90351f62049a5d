"""Lambda *announce*: tells a pipeline of an object, as S3 would have if the object were new.

Invoked by S3 Batch Operations, synchronously, with one object each time, in the region of its bucket.
Environment: QUEUE_URL and QUEUE_REGION of the queue that the pipeline takes its events from; or
PIPELINE_FUNCTION, the name of a function in this region that takes them.
"""

import json
import os
import time
from datetime import UTC, datetime
from typing import Literal

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import S3BatchOperationEvent, S3BatchOperationResponse
from aws_lambda_powertools.utilities.data_classes.s3_batch_operation_event import S3BatchOperationTask
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from common.clients import clients
from common.events import ObjectEvent
from common.hand_over import hand_over, s3_event
from common.objects import ObjectState, Place, look
from common.observed import log_and_metrics

logger, metrics = log_and_metrics("announce")
client = clients()
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
ResultCode = Literal["Succeeded", "TemporaryFailure", "PermanentFailure"]
EVENT_NAME = "ObjectCreated:Backfill"  # as lib/operate/backfills/backfill.py calls it


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> dict:
    """Announce the object that a task names.

    Args:
        event: A request of S3 Batch Operations, with one task.
        context: Lambda's context.

    Returns:
        What became of the task: S3 tries again after `TemporaryFailure`, and writes every failure into the
        job's report. https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
    """
    request = S3BatchOperationEvent(event)
    response = S3BatchOperationResponse(
        request.invocation_schema_version, request.invocation_id, treat_missing_keys_as="TemporaryFailure"
    )
    result_code, why = announce(request.task)
    response.add_result(request.task.build_task_batch_response(result_code, why))
    return response.asdict()


def announce(task: S3BatchOperationTask) -> tuple[ResultCode, str]:
    """Announce one object; return the result's code, and why."""
    started = time.perf_counter()
    place = Place(client("s3"), task.s3_bucket, task.s3_key)
    try:
        state = look(place, with_checksums=False)
        if state is None:
            return "PermanentFailure", "There is no such object any more."
        send(event_of(place, state))
    except ClientError as error:
        logger.exception("failed", bucket=place.bucket, key=place.key)
        return ("TemporaryFailure" if will_pass(error) else "PermanentFailure"), str(error)
    seconds = round(time.perf_counter() - started, 3)
    logger.info("announced", bucket=place.bucket, key=place.key, bytes=state.size, seconds=seconds)
    metrics.add_metric("ObjectsAnnounced", MetricUnit.Count, 1)
    return "Succeeded", "announced"


def event_of(place: Place, state: ObjectState) -> ObjectEvent:
    """Return the event of an object; its time is the object's own, so that a second one says the same."""
    return ObjectEvent(
        place.bucket,
        place.key,
        os.environ["AWS_REGION"],
        EVENT_NAME,
        state.head["LastModified"],
        sent_time=datetime.now(UTC),
    )


def send(event: ObjectEvent) -> None:
    """Send an event where the pipeline takes its events."""
    if function := os.environ.get("PIPELINE_FUNCTION"):
        hand_over(client("lambda"), function, event, EVENT_NAME)
        return
    queue = client("sqs", os.environ["QUEUE_REGION"])
    queue.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(s3_event(event, EVENT_NAME)))


def will_pass(error: ClientError) -> bool:
    """Return whether a refusal is for now only: S3 is busy, or we are too fast."""
    answer = error.response
    return answer["ResponseMetadata"]["HTTPStatusCode"] in {429, 500, 502, 503, 504} or (
        "Throttl" in answer["Error"]["Code"]
    )
