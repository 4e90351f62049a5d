"""Lambda *announce*: tells a pipeline of an object, as S3 would have if the object were new.

Invoked by S3 Batch Operations, synchronously, with one object each time, in the region of its bucket.
Environment: QUEUE_URL and QUEUE_REGION of the queue that the pipeline takes its events from; or
PIPELINE_FUNCTION, the name of a function in this region that takes them.
"""

import json
import os
import time
import warnings
from functools import cache

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import S3BatchOperationEvent, S3BatchOperationResponse
from aws_lambda_powertools.utilities.data_classes.s3_batch_operation_event import S3BatchOperationTask
from botocore.config import Config
from botocore.exceptions import ClientError
from common.events import ObjectEvent
from common.hand_over import hand_over, s3_event
from common.objects import ObjectState, Place, look

SERVICE = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "announce")
logger = Logger(service=SERVICE)
metrics = Metrics(namespace="runbook", service=SERVICE)
# An event with nothing to do has no metrics to tell; Powertools would log a warning each time.
warnings.filterwarnings("ignore", "No application metrics to publish")

CONFIG = Config(tcp_keepalive=True, retries={"mode": "standard", "max_attempts": 5})
EVENT_NAME = "ObjectCreated:Backfill"  # as lib/operate/backfills/backfill.py calls it


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: object) -> dict:
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


def announce(task: S3BatchOperationTask) -> tuple[str, str]:
    """Announce one object; return the result's code, and why."""
    started = time.perf_counter()
    place = Place(s3(), task.s3_bucket, task.s3_key)
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
        place.bucket, place.key, os.environ["AWS_REGION"], EVENT_NAME, state.head["LastModified"]
    )


def send(event: ObjectEvent) -> None:
    """Send an event where the pipeline takes its events."""
    if function := os.environ.get("PIPELINE_FUNCTION"):
        hand_over(client("lambda", os.environ["AWS_REGION"]), function, event, EVENT_NAME)
        return
    queue = client("sqs", os.environ["QUEUE_REGION"])
    queue.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(s3_event(event, EVENT_NAME)))


def will_pass(error: ClientError) -> bool:
    """Return whether a refusal is for now only: S3 is busy, or we are too fast."""
    answer = error.response
    return answer["ResponseMetadata"]["HTTPStatusCode"] in {429, 500, 502, 503, 504} or (
        "Throttl" in answer["Error"]["Code"]
    )


def s3():
    """Return the S3 client of this region."""
    return client("s3", os.environ["AWS_REGION"])


@cache
def client(service: str, region: str):
    """Return a client, made once per Lambda environment."""
    return boto3.client(service, region_name=region, config=CONFIG)
