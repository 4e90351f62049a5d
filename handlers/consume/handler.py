"""Lambda *consume*: stores the rows of the CSV files whose events it gets in table STOCK_TABLE.

Invoked by SQS with S3 events, raw or in SNS envelopes; the mapping reports batch item failures.
A file's bad rows go to s3://REJECTED_BUCKET/<REJECTED_PREFIX><key of the file>, for instance
`rejected/stocks/dt=2026-01-02/150400-07.csv`.
Environment: STOCK_TABLE; REJECTED_BUCKET, in the function's region; REJECTED_PREFIX, such as "rejected/";
TIME_TO_LIVE_DAYS, after the row was stored, "0" for ever.
"""

import os
import time

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from common.clients import clients, table
from common.each_event import for_each_event
from common.events import ObjectEvent, object_events
from common.objects import Place, check_gone
from common.observed import log_and_metrics
from consumption import Outcome, consume

logger, metrics = log_and_metrics("consume")
processor = BatchProcessor(event_type=EventType.SQS)
client = clients()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> PartialItemFailureResponse:
    """Store the rows of every file that the messages name.

    Args:
        event: A batch of SQS messages.
        context: Lambda's context.

    Returns:
        Which messages failed.

    Raises:
        BatchProcessingError: Every message of a batch failed, so that it counts as an error of the function.
    """
    return process_partial_response(
        event=event, record_handler=handle_message, processor=processor, context=context
    )


def handle_message(record: SQSRecord) -> None:
    """Store the rows of every file that one message names; the failure of one does not hold up the others."""
    try:
        for_each_event(
            object_events(record.body),
            consume_one,
            logger,
            "Not stored, see the log for their keys",
            facts=lambda _, error: {"reason": str(error)},
        )
    except ValueError:
        logger.exception("unreadable message", message_id=record.message_id)
        raise


def consume_one(event: ObjectEvent) -> None:
    """Store the rows of the file that one S3 record names, and report it."""
    if not event.is_created:
        logger.info("ignored", bucket=event.bucket, key=event.key, event_name=event.event_name)
        return
    started = time.perf_counter()
    source = Place(client("s3", event.region), event.bucket, event.key)
    outcome = consume(
        source=source,
        rejected=Place(
            client("s3"),
            os.environ["REJECTED_BUCKET"],
            os.environ["REJECTED_PREFIX"] + event.key,
        ),
        table=table(os.environ["STOCK_TABLE"]),
        time_to_live_days=int(os.environ["TIME_TO_LIVE_DAYS"]),
    )
    if outcome.name == "gone":
        check_gone(source, event.version_id)
    report(event, outcome, seconds=time.perf_counter() - started)


def report(event: ObjectEvent, outcome: Outcome, seconds: float) -> None:
    """Log and count what was done."""
    logger.info(
        outcome.name,
        bucket=event.bucket,
        key=event.key,
        version=outcome.version_id,
        bytes=outcome.size,
        rows_stored=outcome.rows_stored,
        rows_rejected=outcome.rows_rejected,
        seconds=round(seconds, 3),
    )
    metrics.add_metric("Lag", MetricUnit.Milliseconds, event.lag_seconds * 1000)
    metrics.add_metric("RowsStored", MetricUnit.Count, outcome.rows_stored)
    metrics.add_metric("RowsRejected", MetricUnit.Count, outcome.rows_rejected)
