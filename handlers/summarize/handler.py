"""Lambda *summarize*: a profile of each file under INPUT_PREFIX, as JSON under OUTPUT_PREFIX.

Invoked by S3 itself, asynchronously. Environment: OUTPUT_BUCKET, which is also the bucket of the files;
INPUT_PREFIX, OUTPUT_PREFIX, REJECTED_PREFIX, each with a slash at its end; ATHENA_ABOVE_BYTES, above which
Athena does the work, in WORKGROUP and DATABASE, up to ATHENA_SCANS_BYTES, which the workgroup may scan;
MEMORY_LIMIT_MB for DuckDB, by default what Lambda gives.
"""

import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from athena_profile import profile_by_athena
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from column_types import NULL_VALUES
from common.clients import clients
from common.each_event import for_each_event
from common.events import ObjectEvent, object_events
from common.objects import ObjectState, Place
from common.observed import log_and_metrics
from duckdb_profile import profile_file
from object_keys import CSV, Prefixes
from other_formats import FULL_REASON, make_csv
from reading import download
from rejection import RejectedError
from summarizing import Written, summarize

logger, metrics = log_and_metrics("summarize")
# 300 s: CopyObject answers when it is done, and copies up to 5 GB.
client = clients(read_timeout=300)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> None:
    """Summarize every CSV that the event names; the failure of one does not hold up the others.

    Args:
        event: An S3 event, bare or wrapped by SNS or SQS.
        context: Lambda's context.

    Raises:
        ExceptionGroup: Some could not be done; Lambda retries, then uses the on-failure destination. A file
            that is no CSV is no failure: the reason is written to REJECTED_PREFIX.
        ValueError: It is not an S3 event.
    """
    do = partial(summarize_one, context=context)
    for_each_event(object_events(event), do, logger, "Not summarized, see the log for their keys")


def summarize_one(event: ObjectEvent, context: LambdaContext) -> None:
    """Summarize the object that one S3 record names, and log each step."""
    prefixes = Prefixes.from_environment()
    why = prefixes.why_ignored(event.key) or (None if event.is_created else event.event_name)
    if event.bucket != os.environ["OUTPUT_BUCKET"]:
        why = "another bucket"
    if why:
        logger.info("ignored", bucket=event.bucket, key=event.key, why=why)
        return
    logger.info("event received", bucket=event.bucket, key=event.key, version=event.version_id)
    source = Place(client("s3"), event.bucket, event.key)
    if not summarize(source, prefixes, partial(profile, context), partial(report, event)):
        logger.info("gone", bucket=event.bucket, key=event.key)


def profile(context: LambdaContext, source: Place, state: ObjectState) -> dict:
    """Return what a summary says of the content, by the engine that the size asks for."""
    if not state.size:
        raise RejectedError("The file is empty.")
    if state.size > int(os.environ["ATHENA_SCANS_BYTES"]):
        raise RejectedError(f"The file has {state.size} bytes, more than Athena's workgroup may scan.")
    if source.key.endswith(CSV) and state.size > int(os.environ["ATHENA_ABOVE_BYTES"]):
        log_step = partial(logger.info, key=source.key, bytes=state.size)
        how, rows, columns = profile_by_athena(client, source, state, context, log_step)
    else:
        how, rows, columns = profile_by_duckdb(source, state)
    return {
        **how,
        "null_values": list(NULL_VALUES),
        "rows": rows,
        "columns": len(columns),
        "column_profiles": columns,
    }


def profile_by_duckdb(source: Place, state: ObjectState) -> tuple[dict, int, list[dict]]:
    """Download the file to a folder of its own, which is removed whatever happens, and profile it there."""
    with tempfile.TemporaryDirectory(prefix="summarize-") as folder:
        started = time.perf_counter()
        path = Path(folder) / "data.csv"
        if shutil.disk_usage(folder).free < state.size:
            raise RejectedError(FULL_REASON)
        download(source, state, path)
        seconds = round(time.perf_counter() - started, 3)
        logger.info("CSV downloaded", key=source.key, bytes=state.size, seconds=seconds)
        by_format = make_csv(path, source.key)
        how, rows, columns = profile_file(path)
    return {"engine": "duckdb"} | how | by_format, rows, columns


def report(event: ObjectEvent, written: Written) -> None:
    """Log and count what was written about the CSV that an event names."""
    message = "CSV rejected" if written.reason else "JSON uploaded"
    extra: dict[str, Any] = {"reason": written.reason} if written.reason else {}
    size, seconds = len(written.body), round(written.seconds, 3)
    lag_seconds = event.lag_seconds
    logger.info(
        message,
        key=event.key,
        target_key=written.key,
        bytes=size,
        seconds=seconds,
        lag_seconds=round(lag_seconds, 3),
        **extra,
    )
    metrics.add_metric("Lag", MetricUnit.Milliseconds, lag_seconds * 1000)
    metrics.add_metric("CsvsSummarized", MetricUnit.Count, int(not written.reason))
    metrics.add_metric("CsvsRejected", MetricUnit.Count, int(bool(written.reason)))
