"""Audit, backfill and restore of many objects, beside `rclone check` and `aws s3 sync --dryrun`.

All are processes that begin with nothing, on the same server. The buckets are those of *migrate*, filled on
both sides while nothing is told of it, with two differences that every check must find.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from support.audited import make
from support.bench.process import Measured, measure
from support.bench.servers import RUNBOOK, clients, local_aws, told
from support.the_five import pipelines

from lib.base.call_ledger import PATH_VARIABLE, read
from lib.base.paths import ROOT
from lib.local.ministack import LocalAws
from lib.parameters import Parameters
from lib.target import connect

TOOLS = ROOT / ".cache" / "tools" / "bin"
BODY_BYTES = 10_000
FOLDERS = 20
MOST = 3  # operations that are named
CHANGED, MISSING = "00/0.bin", "01/1.bin"
DIFFERS = 3  # what `runbook audit` ends with then
SETTINGS = {
    "audit": {"grace_s": 0, "metadata_and_tags": False},
    "backfill": {"pipeline": "migrate", "objects_per_second": 3000, "send": True},
    "restore": {"pipeline": "migrate"},
}
# Each prints what it found, as JSON.
BACKFILL = """
from lib.operate.backfills import backfill, estimate
there = estimate.estimate(aws, parameters).objects
print(int(backfill.backfill(aws, parameters, there)["sent"].sum()))
"""
PLAN = """
from lib.operate.recovery import restore
print(json.dumps(restore.from_parameters(aws, parameters).plan().objects))
"""
RESTORE = PLAN.replace(".plan()", ".run()")
BEGIN = """
import json, sys
from lib.parameters import Parameters
from lib.target import connect
parameters = Parameters.of_layers([("bench", json.loads(sys.argv[1]))])
aws = connect(parameters)
"""


@dataclass(frozen=True)
class Buckets:
    """Two buckets that hold the same, but for two objects, and what is on the server that has them.

    Attributes:
        server: The local AWS.
        source, target: Their names; in `us-west-1` and `us-east-1`.
        objects: How many are in the source.
    """

    server: LocalAws
    source: str
    target: str
    objects: int

    def measure(self, command: list, ends_with: int, calls: Callable[[list], str] | None) -> tuple:
        """Return what a command takes: what it is itself, seconds of the server's processor, and its calls.

        Args:
            command: Of a process.
            ends_with: Its exit code.
            calls: Counts the calls of the same command, which says more then and so is run again; None if it
                is ours, which keeps a ledger of its calls.
        """
        server = psutil.Process(self.server.pid)
        with tempfile.TemporaryDirectory() as folder:
            ledger = Path(folder) / "calls"
            before = sum(server.cpu_times()[:2])
            found = measure(command, ends_with, {} if calls else {PATH_VARIABLE: str(ledger)})
            of_server = sum(server.cpu_times()[:2]) - before
            return found, of_server, calls(command) if calls else _by_name(ledger)


@dataclass(frozen=True)
class Step:
    """Something that is measured.

    Attributes:
        name: What it is called in the table.
        command: Of a process.
        finds: Says of what it has written whether it did its work.
        ends_with: Its exit code.
        calls: As for `Buckets.measure`.
        asks_of_each: Whether it makes calls for each object, so that it is not measured with very many.
    """

    name: str
    command: list
    finds: Callable[[Measured], bool]
    ends_with: int = 0
    calls: Callable[[list], str] | None = None
    asks_of_each: bool = False


def against_peers(counts: list[int]) -> pd.DataFrame:
    """Return what it takes to compare, send and restore so many objects, by ours and by what others use.

    Args:
        counts: How many objects, one after the other on servers of their own: what grows with them shows.
    """
    rows: list[tuple] = []
    for objects in counts:
        with local_aws() as (server, _):
            there = _filled(server, objects)
            for steps in (_with_both, _with_one):
                chosen = [step for step in steps(there) if objects == min(counts) or not step.asks_of_each]
                rows += _measured(there, chosen)
                if steps is _with_both:
                    _erase(there)
    names = ["objects", "what", "seconds", "of a processor", "of the server's"]
    return pd.DataFrame(rows, columns=[*names, "both, × rclone's", "× the AWS CLI's", "peak MiB", "calls"])


def _measured(there: Buckets, steps: list[Step]) -> list[tuple]:
    """Measure one after the other; the first of them are the peers."""
    rows: list[tuple] = []
    peers: dict[str, float] = {}
    for step in steps:
        found, of_server, calls = there.measure(step.command, step.ends_with, step.calls)
        if not step.finds(found):
            said = f"{found.output[-500:]} {found.errors[-500:]}"
            raise RuntimeError(f"{step.name} was quick for nothing, it has not found what is there: {said}")
        if step.calls:
            peers[step.name.split()[0]] = found.cpu + of_server
        work = found.cpu + of_server
        beside = [f"{work / peers[peer]:.2f}" if peer in peers else "" for peer in ("rclone", "aws")]
        times = f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{of_server:.1f}", *beside, f"{found.peak:.0f}"
        rows.append((f"{there.objects:,}", step.name, *times, calls))
        told(" | ".join(rows[-1]))
    return rows


def _with_both(there: Buckets) -> list[Step]:
    """Return what is done while both buckets hold the objects."""
    check = [TOOLS / "rclone", "check", "--fast-list", "--ca-cert", there.server.ca_bundle]
    check += [
        _remote(there.server, "us-west-1", there.source),
        _remote(there.server, "us-east-1", there.target),
    ]
    audit = [RUNBOOK, "audit", "migrate", "--json", "--quiet", *_options("audit")]
    closely = [*audit, "--set", "audit.metadata_and_tags=true"]

    def finds(*keys: str) -> Callable[[Measured], bool]:
        return lambda found: all(key in found.output + found.errors for key in keys)

    return [
        Step("rclone check", check, finds(CHANGED, MISSING), 1, _calls_of_rclone),
        # It compares sizes and times, so that it does not see other bytes.
        Step("aws s3 sync --dryrun", _sync(there), finds(MISSING), 0, _calls_of_aws),
        Step("audit, bytes", audit, finds(CHANGED, MISSING), DIFFERS),
        Step(
            "audit, bytes, metadata and tags",
            closely,
            finds(CHANGED, MISSING),
            DIFFERS,
            asks_of_each=True,
        ),
        Step(
            "backfill, counted and sent",
            _ours(BACKFILL),
            lambda found: _last(found) == there.objects,
        ),
    ]


def _with_one(there: Buckets) -> list[Step]:
    """Return what is done once the source has lost its objects."""
    left = there.objects - 1  # one was never in the target

    def finds(state: str) -> Callable[[Measured], bool]:
        return lambda found: _last(found).get(state) == left

    def lists(found: Measured) -> bool:
        return found.output.count("(dryrun) copy:") == left

    return [
        Step("aws s3 sync --dryrun, back", _sync(there, is_back=True), lists, 0, _calls_of_aws),
        Step("restore, planned", _ours(PLAN), finds("to restore")),
        Step("restore, copied and compared", _ours(RESTORE), finds("restored"), asks_of_each=True),
        Step("restore, planned once all is in place", _ours(PLAN), finds("in place"), asks_of_each=True),
    ]


def _sync(there: Buckets, is_back: bool = False) -> list:
    ends = [(there.source, "us-west-1"), (there.target, "us-east-1")]
    (one, its_region), (other, region) = reversed(ends) if is_back else ends
    where = ["--source-region", its_region, "--region", region]
    return [TOOLS / "aws", "s3", "sync", "--dryrun", *where, f"s3://{one}", f"s3://{other}"]


def _filled(server: LocalAws, objects: int) -> Buckets:
    """Make the stores of *migrate*, and put the same into both buckets, of which nobody is told."""
    parameters = Parameters.of_layers([("bench", SETTINGS)])
    aws = connect(parameters)
    make(aws, parameters, "migrate")
    pipeline = pipelines(parameters)["migrate"]
    there = Buckets(server, pipeline.source_bucket.name, pipeline.destination_bucket.name, objects)
    west = aws.client_of(pipeline.source_bucket)
    told_of = west.get_bucket_notification_configuration(Bucket=there.source)
    told_of.pop("ResponseMetadata")
    of_nothing: dict = {}
    west.put_bucket_notification_configuration(Bucket=there.source, NotificationConfiguration=of_nothing)
    told(f"filling two buckets with {objects:,} objects each")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(objects):
            path = Path(folder) / f"{number % FOLDERS:02}" / f"{number}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(f"{number:08}".encode() * (BODY_BYTES // 8))
        for bucket, region in ((there.source, "us-west-1"), (there.target, "us-east-1")):
            command = [TOOLS / "s5cmd", "--no-verify-ssl", "--endpoint-url", server.endpoint_url]
            subprocess.run(
                [*command, "cp", f"{folder}/", f"s3://{bucket}/"],
                check=True,
                stdout=subprocess.PIPE,
                env=os.environ | {"AWS_REGION": region},
            )
    # An audit goes by what the pipeline is told of.
    west.put_bucket_notification_configuration(Bucket=there.source, NotificationConfiguration=told_of)
    east = aws.client_of(pipeline.destination_bucket)
    east.put_object(Bucket=there.target, Key=CHANGED, Body=b"z" * BODY_BYTES)
    east.delete_object(Bucket=there.target, Key=MISSING)
    return there


def _erase(there: Buckets) -> None:
    """Delete all objects of the source, of which nobody is told any more."""
    client = clients(there.server)("s3", "us-west-1")
    client.put_bucket_notification_configuration(Bucket=there.source, NotificationConfiguration={})
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=there.source):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        client.delete_objects(Bucket=there.source, Delete={"Objects": keys})


def _options(*sections: str) -> list[str]:
    values = [
        f"{section}.{name}={json.dumps(value).strip(chr(34))}"
        for section in sections
        for name, value in SETTINGS[section].items()
    ]
    return [word for value in values for word in ("--set", value)]


def _ours(script: str) -> list:
    now = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    settings = SETTINGS | {"restore": SETTINGS["restore"] | now}
    return [sys.executable, "-c", BEGIN + script, json.dumps(settings)]


def _remote(server: LocalAws, region: str, bucket: str) -> str:
    return f":s3,provider=Other,env_auth=true,region={region},endpoint='{server.endpoint_url}':{bucket}"


def _last(found: Measured) -> Any:
    """Return what the last line says: before it, a process may have said what it thinks of the pipeline."""
    return json.loads(found.output.splitlines()[-1])


def _by_name(ledger: Path) -> str:
    """Return how many calls were made, and of what most."""
    made = Counter(call.operation for call in read(ledger))
    most = ", ".join(f"{count:,} {name}" for name, count in made.most_common(MOST))
    return f"{made.total():,}: {most}"


def _calls_of_rclone(command: list) -> str:
    done = subprocess.run([*command, "--dump", "headers"], capture_output=True, text=True)
    return f"{done.stderr.count('HTTP REQUEST ('):,}"


def _calls_of_aws(command: list) -> str:
    done = subprocess.run([*command, "--debug"], capture_output=True, text=True)
    return f"{done.stderr.count('Sending http request:'):,}"
