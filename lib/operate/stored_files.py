"""What became of single files of *ingest*, by what its function logs, and why rows were rejected."""

import time
from collections.abc import Callable
from contextlib import closing
from itertools import chain, islice

import pandas as pd
from botocore.client import BaseClient

from lib.base.retry import wait_until
from lib.operate import facts, large_files, log_events
from lib.operate.watch import CLOCKS_DIFFER
from lib.parameters.sections import PIECES_PREFIX
from lib.s3.listing import listing
from lib.s3.objects import Place

COLUMNS = ["key", "state", "rows_stored", "rows_rejected", "why"]
IN_PIECES = "0"  # the number of the line that says so
FIRST_ROWS = 3  # of those that were rejected, so many reasons are told


def follow(
    uploads: pd.DataFrame,
    client: BaseClient,
    *,
    log_group: str,
    rejected: Place,
    rejected_prefix: str,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Wait until files are stored, or their function has failed on them, or the time is up.

    Args:
        uploads: As `samples.upload` returns it.
        client: A CloudWatch Logs client of the function's region.
        log_group: That of the function which stores them.
        rejected: The bucket in which its bad rows are.
        rejected_prefix: What their keys begin with, before the file's own.
        timeout_s: How long to wait, in seconds.
        sleep: Waits between two looks.

    Returns:
        One row a file: key, `state`, rows_stored, rows_rejected, and `why` rows were rejected or it failed.
    """
    since = uploads["time"].min() - CLOCKS_DIFFER
    versions = dict(zip(uploads["key"], uploads["version_id"], strict=True))
    counted = {
        message for message, metric in facts.of(facts.handler_of(log_group)).outcomes.items() if metric
    }

    def found() -> dict[str, tuple]:
        rows: dict[str, tuple] = {}
        for line in log_events.lines(client, log_group, since):
            key = line["key"]
            if key not in versions or "step" in line or line.get("version", versions[key]) != versions[key]:
                continue  # of pieces, the whole is told below
            if line.get("message") in counted:
                rows[key] = "stored", line["rows_stored"], line["rows_rejected"], ""
            elif "reason" in line and line.get("level") == "ERROR":
                rows.setdefault(key, ("failed, and is tried again", 0, 0, line["reason"]))
        for large in large_files.progress(client, log_group, since=since).to_dict("records"):
            if large["key"] in versions and large["state"] != large_files.UNDER_WAY:
                rows[large["key"]] = large["state"], large["rows_stored"], large["rows_rejected"], ""
        return rows

    ended = wait_until(
        found, lambda rows: len(rows) == len(versions), timeout_s, log_events.SOON, sleep, what="Stored"
    )
    rows = [(key, *ended.get(key, ("not yet", 0, 0, ""))) for key in versions]
    told = [
        (*row[:4], _reasons(rejected, rejected_prefix, row[0]) if row[3] and not row[4] else row[4])
        for row in rows
    ]
    return pd.DataFrame(told, columns=COLUMNS)


def _reasons(place: Place, prefix: str, key: str) -> str:
    """Return why the first rows of a file were rejected, each with its line."""
    first = _first_rejected(place, f"{prefix}{key}")
    if any(line == IN_PIECES for line, _ in first):  # those of pieces have objects of their own
        folder = f"{prefix}{PIECES_PREFIX}{key}/"
        listed = (entry.key for entry in listing(place, folder))
        pieces = (name for name in listed if "/" not in name.removeprefix(folder))
        rows = chain.from_iterable(_first_rejected(place, name) for name in pieces)
        first = list(islice(rows, FIRST_ROWS))
    return "; ".join(f"line {line}: {reason}" for line, reason in first) or "its rejected rows are gone"


def _first_rejected(place: Place, key: str) -> list[tuple[str, str]]:
    """Return the first rows of an object with rejected rows, line and reason; none if it is gone."""
    try:
        body = place.client.get_object(Bucket=place.bucket, Key=key)["Body"]
    except place.client.exceptions.NoSuchKey:
        return []
    with closing(body):
        table = pd.read_csv(body, dtype=str, nrows=FIRST_ROWS, keep_default_na=False)
    return list(zip(table["line"], table["reason"], strict=True))
