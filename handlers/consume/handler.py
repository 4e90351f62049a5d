"""Lambda *consume*: stores the rows of the files whose events it gets in a table.

Invoked by SQS with S3 events, raw or in SNS envelopes, and by a queue of its own with events about parts of
large files; the mappings report batch item failures. A file's bad rows go to
s3://REJECTED_BUCKET/<REJECTED_PREFIX><key of the file>, for instance
`rejected/stocks/dt=2026-01-02/150400-07.csv`, those of its pieces to `rejected/pieces/<key of the file>/`.
Environment: ITEMS_TABLE; TABLE_DESCRIPTION, as lib/parameters writes it; PIECES_QUEUE, the name of its own
queue; REJECTED_BUCKET, in the function's region; REJECTED_PREFIX, such as "rejected/"; TIME_TO_LIVE_DAYS,
after the row was stored, or after the time in a column, "0" for ever, or for that time.
"""

import os
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

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
from consumption import Consumer, Outcome
from pieces import PieceQueue
from rejected_rows import RejectedPlace
from table_description import TableDescription

logger, metrics = log_and_metrics("consume")
processor = BatchProcessor(event_type=EventType.SQS)
client = clients()
# Of an invocation's time; the rest is for what is under way, and for handing on what is left.
SHARE_OF_TIME = 0.6


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
    seconds = context.get_remaining_time_in_millis() / 1000
    deadline = time.monotonic() + SHARE_OF_TIME * seconds
    return process_partial_response(
        event=event,
        record_handler=partial(handle_message, is_over=lambda: time.monotonic() > deadline),
        processor=processor,
        context=context,
    )


def handle_message(record: SQSRecord, is_over: Callable[[], bool]) -> None:
    """Store the rows of every file that one message names; the failure of one does not hold up the others."""
    try:
        for_each_event(
            object_events(record.body),
            partial(consume_one, is_over=is_over),
            logger,
            "Not stored, see the log for their keys",
            facts=lambda _, error: {"reason": str(error)},
        )
    except ValueError:
        logger.exception("unreadable message", message_id=record.message_id)
        raise


def consume_one(event: ObjectEvent, is_over: Callable[[], bool] = lambda: False) -> None:
    """Store the rows of the file that one S3 record names, or of a part of it, and report it."""
    if not event.is_created:
        logger.info("ignored", bucket=event.bucket, key=event.key, event_name=event.event_name)
        return
    started = time.perf_counter()
    source = Place(client("s3", event.region), event.bucket, event.key)
    bucket, prefix = os.environ["REJECTED_BUCKET"], os.environ["REJECTED_PREFIX"]
    consumer = Consumer(
        table(os.environ["ITEMS_TABLE"]),
        described(os.environ["TABLE_DESCRIPTION"]),
        int(os.environ["TIME_TO_LIVE_DAYS"]),
        PieceQueue(client("sqs"), os.environ["PIECES_QUEUE"]),
        is_over,
    )
    rejected = RejectedPlace.of(client("s3"), bucket, prefix, event.key)
    outcome = consumer.consume(event, source, rejected)
    if outcome.name == "gone":
        check_gone(source, event.version_id)
    report(event, outcome, seconds=time.perf_counter() - started)


@cache
def described(text: str) -> TableDescription:
    """Return what the table is."""
    return TableDescription.read(text)


def report(event: ObjectEvent, outcome: Outcome, seconds: float) -> None:
    """Log and count what was done."""
    facts: dict[str, Any] = {}
    if outcome.part:
        begin, step = outcome.part.begin, outcome.part.step
        facts |= {"line": begin.line, "byte": begin.byte, "step": step, "done": outcome.is_done}
    if outcome.has_cut:
        facts |= {"pieces": outcome.pieces, "rows_cut": outcome.rows_cut}
    logger.info(
        outcome.name,
        bucket=event.bucket,
        key=event.key,
        version=outcome.version_id,
        bytes=outcome.size,
        rows_stored=outcome.rows_stored,
        rows_rejected=outcome.rows_rejected,
        seconds=round(seconds, 3),
        **facts,
    )
    if outcome.has_stored or outcome.name == "gone":
        metrics.add_metric("Lag", MetricUnit.Milliseconds, event.lag_seconds * 1000)
        metrics.add_metric("RowsStored", MetricUnit.Count, outcome.rows_stored)
        metrics.add_metric("RowsRejected", MetricUnit.Count, outcome.rows_rejected)
