"""Whether the last fifth of much work takes what the first one took: rows of one file, objects of one queue.

Judged by seconds of a processor, since the clock says more about who else uses the machine.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3
import pandas as pd
import psutil
from support.bench.items import rows_of
from support.bench.servers import RUNBOOK, clients, handler, local_aws, output, quietly, told
from support.consuming import Consume
from support.servers import eventually

from lib.local.ministack import LocalAws

FIFTHS = 5
MIB = 2**20
BODY = b"x" * 10_000
LINE = "{:010}," + "x" * 988 + "\n"  # of 1,000 bytes
POLL_S, LONG_S = 1.0, 3600


class Account:
    """What processes have used, at each fifth of the work."""

    def __init__(self, total: int, *processes: Callable[[], float], memory: Callable[[], list[float]]):
        """Begin with the first fifth.

        Args:
            total: How much work there is.
            processes: Each returns the seconds of a processor that one has used so far.
            memory: Returns MiB that each uses.
        """
        self.total, self._processes, self._memory = total, processes, memory
        self._done, self._lock = 0, threading.RLock()
        self.marks: list[tuple[int, list[float], list[float]]] = []
        self._mark()

    def is_done(self, done: int) -> None:
        """Take note of how much is done."""
        with self._lock:
            self._done = done
            if done >= len(self.marks) * self.total / FIFTHS:
                self._mark()

    def add(self, more: int) -> None:
        """Take note that more is done, by any thread."""
        with self._lock:
            self.is_done(self._done + more)

    def _mark(self) -> None:
        used = [used() for used in self._processes]
        self.marks.append((self._done, used, self._memory()))

    def fifths(self) -> list[tuple[int, int, list[float], list[float]]]:
        """Return of each fifth its first and last place, µs that each process took for one, and MiB then."""
        return [
            (
                first,
                last,
                [(b - a) / (last - first) * 1e6 for a, b in zip(before, after, strict=True)],
                memory,
            )
            for (first, before, _), (last, after, memory) in zip(self.marks, self.marks[1:], strict=False)
        ]


def rows(count: int) -> pd.DataFrame:
    """Return what the rows of one file take in *consume*, fifth by fifth."""
    me = psutil.Process()
    with local_aws() as (server, patch):

        def as_handler(name: str, _region: str, environment: dict, _policy_values: dict):
            for variable, value in environment.items():
                patch.setenv(variable, value)
            return handler(name)

        made = Consume.make(boto3.Session(), as_handler)
        made.put("warm.csv", rows_of(100))
        with redirect_stdout(StringIO()):
            made.deliver(made.record("warm.csv"))
        record = made.put("large.csv", rows_of(count))
        account = Account(count, cpu(me), cpu(of(server)), memory=lambda: [mib(me), mib(of(server))])

        def stored(params: dict, **_: object) -> None:
            account.add(sum(map(len, params["RequestItems"].values())))

        events = made.module.table(made.table.name).meta.client.meta.events
        events.register("provide-client-params.dynamodb.BatchWriteItem", stored)
        told(f"one file of {count:,} rows")
        with redirect_stdout(StringIO()):
            failed = made.deliver(record)
            while not failed and (bodies := made.handed_on()):
                failed = made.deliver_bodies(*bodies)
        if failed or account.marks[-1][0] < count:
            raise RuntimeError(f"the file was not stored: {account.marks[-1][0]:,} of {count:,} rows")
    return _table("row", "*consume*", account)


def objects(count: int) -> pd.DataFrame:
    """Return what objects take in *migrate* as it is deployed, from when all wait in its queue."""
    with local_aws() as (server, _):
        quietly([RUNBOOK, "run", "migrate", "--no-exercise"])
        client = clients(server)
        source, target = (output(f"migrate.{name}_bucket") for name in ("source", "target"))
        west, lambdas, sqs = client("s3", "us-west-1"), client("lambda"), client("sqs")
        (mapping,) = lambdas.list_event_source_mappings()["EventSourceMappings"]
        url = sqs.get_queue_url(QueueName=mapping["EventSourceArn"].rpartition(":")[2])["QueueUrl"]
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        told(f"{count:,} objects, all of which wait in the queue")
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda n: west.put_object(Bucket=source, Key=f"a/{n}", Body=BODY), range(count)))
        eventually(lambda: _waiting(sqs, url) >= count, LONG_S, POLL_S)
        functions = Functions(server)
        account = Account(
            count, functions.cpu, cpu(of(server)), memory=lambda: [functions.mib(), mib(of(server))]
        )
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

        def is_over() -> bool:
            functions.look()
            account.is_done(count - _waiting(sqs, url))
            return account.marks[-1][0] >= count

        eventually(is_over, LONG_S, POLL_S)
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=target)
        if (arrived := sum(page["KeyCount"] for page in pages)) != count:
            raise RuntimeError(f"{arrived:,} of {count:,} objects have arrived")
    return _table("object", "*replicate*", account)


def large(megabytes: int) -> pd.DataFrame:
    """Return what the rows of one large file take in *ingest* as it is deployed, which stores it in pieces.

    Args:
        megabytes: Of the file.
    """
    described = {
        "generate": "false",
        "table_name": "large",
        "columns": '["id integer>=0", "note string"]',
        "hash_key": "id",
        "range_key": "",
    }
    given = [word for name, value in described.items() for word in ("--set", f"ingest.{name}={value}")]
    with local_aws() as (server, _), TemporaryDirectory() as folder:
        quietly([RUNBOOK, "run", "ingest", "--no-exercise", *given])
        client = clients(server)
        bucket, table = (output(f"ingest.{name}") for name in ("bucket", "table"))
        path, count = Path(folder) / "large.csv", megabytes * 1_000_000 // len(LINE.format(0))
        with path.open("w") as file:
            file.write("id,note\n")
            file.writelines(map(LINE.format, range(count)))
        told(f"one file of {megabytes:,} MB, {count:,} rows")
        functions = Functions(server)
        account = Account(
            count, functions.cpu, cpu(of(server)), memory=lambda: [functions.mib(), mib(of(server))]
        )
        client("s3").upload_file(str(path), bucket, "stocks/large.csv")

        def is_over() -> bool:
            functions.look()
            account.is_done(client("dynamodb").describe_table(TableName=table)["Table"]["ItemCount"])
            return account.marks[-1][0] >= count

        eventually(is_over, LONG_S, POLL_S)
    return _table("row", "*consume*", account)


class Functions:
    """The processes in which a local AWS runs functions; those that have ended count, too."""

    def __init__(self, server: LocalAws):
        """Look at those that there are.

        Args:
            server: Which local AWS.
        """
        self._server, self._seen = of(server), dict[int, float]()
        self._mib = 0.0
        self.look()

    def look(self) -> None:
        """Take note of what each has used."""
        self._mib = 0.0
        for process in self._server.children(recursive=True):
            try:
                self._seen[process.pid] = sum(process.cpu_times()[:2])
                self._mib = max(self._mib, mib(process))
            except psutil.NoSuchProcess:  # ended since
                continue

    def cpu(self) -> float:
        """Return what all have used."""
        self.look()
        return sum(self._seen.values())

    def mib(self) -> float:
        """Return what the largest uses."""
        return self._mib


def of(server: LocalAws) -> psutil.Process:
    """Return a local AWS's process."""
    return psutil.Process(server.pid)


def cpu(process: psutil.Process) -> Callable[[], float]:
    """Return what tells the seconds of a processor that a process has used."""
    return lambda: sum(process.cpu_times()[:2])


def mib(process: psutil.Process) -> float:
    """Return what a process uses."""
    return process.memory_info().rss / MIB


def _table(unit: str, ours: str, account: Account) -> pd.DataFrame:
    found, first = [], 0.0
    for begin, end, used, memory in account.fifths():
        first = first or sum(used)
        cells = [f"{each:,.0f}" for each in (*used, *memory)]
        found.append((f"{begin:,} to {end:,}", cells[0], cells[1], f"{sum(used) / first:.2f}", *cells[2:]))
    names = [f"µs a {unit}, {ours}", "local AWS", "× the first fifth's", f"MiB, {ours}", "local AWS's"]
    return pd.DataFrame(found, columns=[f"{unit}s of {account.total:,}", *names])


def _waiting(sqs, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)
