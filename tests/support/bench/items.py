"""Ingest: rows of a file into a table, beside eight threads with boto3's `batch_writer`."""

import csv
import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from io import StringIO

import boto3
import pandas as pd
from support.bench.servers import handler, local_aws
from support.consuming import Consume, make_table
from support.handler_support import TARGET_REGION

WRITERS = 8
HEADER = "ticker,timestamp,price,volume,note"


def rows_of(count: int) -> str:
    """Return a file of stocks."""
    begin = datetime(2026, 1, 1)
    lines = (
        f"T{row % 50},{begin + timedelta(seconds=row):%Y-%m-%dT%H:%M:%SZ},10.{row % 97},{row},note {row % 89}"
        for row in range(count)
    )
    return "\n".join([HEADER, *lines]) + "\n"


def rates(counts: list[int]) -> pd.DataFrame:
    """Return how many rows a second are stored of files of so many rows, by *consume* and by the peer."""
    rows = []
    with local_aws() as (_, patch):
        session = boto3.Session()

        def as_handler(name: str, region: str, environment: dict, _policy_values: dict):
            for variable, value in environment.items():
                patch.setenv(variable, value)
            return handler(name)

        made = Consume.make(session, as_handler)
        made.put("warm.csv", rows_of(100))
        with redirect_stdout(StringIO()):
            made.deliver(made.record("warm.csv"))
        for count in counts:
            text = rows_of(count)
            record = made.put(f"{count}.csv", text)
            began, cpu = time.perf_counter(), time.process_time()
            with redirect_stdout(StringIO()):
                if made.deliver(record):
                    raise RuntimeError("the file was not stored")
            ours, ours_cpu = time.perf_counter() - began, time.process_time() - cpu
            began, cpu = time.perf_counter(), time.process_time()
            _write(text, make_table(session, made.settings).name)
            theirs, theirs_cpu = time.perf_counter() - began, time.process_time() - cpu
            rows.append(
                (
                    f"{count:,}",
                    f"{count / ours:,.0f}",
                    f"{count / theirs:,.0f}",
                    f"{theirs / ours:.2f}",
                    f"{ours_cpu / count * 1e6:.0f}",
                    f"{theirs_cpu / count * 1e6:.0f}",
                )
            )
    columns = ["rows of a file", "consume, rows/s", "eight batch_writers", "ratio", "µs of a processor a row"]
    return pd.DataFrame(rows, columns=[*columns, "theirs"])


def _write(text: str, table: str) -> None:
    """Parse the file as simply as one can, and have eight threads write a part of it each."""
    found = list(csv.DictReader(io.StringIO(text)))

    def write(part: list[dict]) -> None:
        writing = boto3.Session().resource("dynamodb", region_name=TARGET_REGION).Table(table)
        with writing.batch_writer() as batch:
            for row in part:
                batch.put_item(Item={"PK": row["ticker"], "SK": row["timestamp"], **row})

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(write, [found[first::WRITERS] for first in range(WRITERS)]))
