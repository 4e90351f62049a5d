"""Lambda *generate*: writes a minute of stock ticks as CSV files.

Invoked by an EventBridge schedule, or by hand with {"time": "2026-01-02T15:04:00Z"}. The same minute gives
the same keys and bytes, so that a retry, or a second delivery of the event, is harmless.
Environment: FILES_BUCKET; KEY_PREFIX, such as "stocks/"; TICKERS, with commas; FILES, a run; ROWS, a file;
EXERCISE_OF, by which the files are known in a bucket that is not ours, as their metadata; empty for none.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from common.clients import clients
from common.observed import log_and_metrics
from files import Settings, files_of_run, scheduled_time

UPLOADS_AT_A_TIME = 16
MARK = "runbook-exercise"  # as lib/operate/samples_folder.py calls it
logger, metrics = log_and_metrics("generate")
client = clients(max_pool_connections=UPLOADS_AT_A_TIME)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> dict:
    """Write the files of the minute that the event names.

    Args:
        event: A scheduled event of EventBridge, or a dict with `time`.
        context: Lambda's context.

    Returns:
        `time`, number of `files` and `rows`, and the `keys`.

    Raises:
        ValueError: The time or the environment cannot be used; nothing is written.
        ExceptionGroup: Some files were not written; Lambda retries, and writes the same ones.
    """
    started = time.perf_counter()
    due = scheduled_time(event)
    settings = Settings.read(os.environ)
    files = files_of_run(due, os.environ["KEY_PREFIX"], settings)
    upload(files, os.environ["FILES_BUCKET"])
    rows = settings.files * settings.rows
    report(due, files, rows, seconds=time.perf_counter() - started)
    return {"time": utc_text(due), "files": len(files), "rows": rows, "keys": list(files)}


def upload(files: dict[str, bytes], bucket: str) -> None:
    """Write all files, the failure of one not holding up the others; then raise if any failed."""
    put, mark = client("s3").put_object, os.environ.get("EXERCISE_OF")
    described = {"ContentType": "text/csv", "Metadata": {MARK: mark} if mark else {}}
    with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as pool:
        uploads = {
            key: pool.submit(put, Bucket=bucket, Key=key, Body=body, **described)
            for key, body in files.items()
        }
    failures = {key: error for key, done in uploads.items() if (error := done.exception())}
    for key, error in failures.items():
        logger.error("failed", bucket=bucket, key=key, reason=str(error))
    if failures:
        text = f"{len(failures)} of {len(files)} files not written, see the log for their keys"
        raise BaseExceptionGroup(text, list(failures.values()))


def report(due: datetime, files: dict[str, bytes], rows: int, seconds: float) -> None:
    """Log and count what was written; the line's `key` is what the run's keys begin with."""
    logger.info(
        "generated",
        key=next(iter(files)).rpartition("-")[0],
        files=len(files),
        rows=rows,
        bytes=sum(map(len, files.values())),
        seconds=round(seconds, 3),
        scheduled_time=utc_text(due),
    )
    metrics.add_metric("FilesGenerated", MetricUnit.Count, len(files))
    metrics.add_metric("RowsGenerated", MetricUnit.Count, rows)


def utc_text(time: datetime) -> str:
    """Return a time in UTC as EventBridge writes it, such as 2026-01-02T15:04:00Z."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
