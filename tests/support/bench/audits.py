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
from pathlib import Path

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

    def measure(self, command: list, ends_with: int = 0, calls: Callable[[list], int] | None = None) -> list:
        """Return what a command takes, as cells of the table.

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
            found = measure(command, ends_with, {PATH_VARIABLE: str(ledger)} if calls is None else {})
            of_server = sum(server.cpu_times()[:2]) - before
            made = _by_name(ledger) if calls is None else f"{calls(command):,}"
        return [found, f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{of_server:.1f}", f"{found.peak:.0f}", made]


def against_peers(objects: int) -> pd.DataFrame:
    """Return what it takes to compare, send and restore so many objects, by ours and by what others use."""
    rows: list[tuple] = []
    with local_aws() as (server, patch):
        there = _filled(server, objects)
        west, east = f"s3://{there.source}", f"s3://{there.target}"
        sync = [TOOLS / "aws", "s3", "sync", "--dryrun", "--source-region", "us-west-1", "--region", "us-east-1"]
        check = [TOOLS / "rclone", "check", "--fast-list", "--ca-cert", server.ca_bundle]
        check += [_remote(server, "us-west-1", there.source), _remote(server, "us-east-1", there.target)]
        audit = [RUNBOOK, "audit", "migrate", "--json", "--quiet", *_options("audit")]
        closely = [*audit, "--set", "audit.metadata_and_tags=true"]
        both = (CHANGED, MISSING)
        for name, command, code, calls, finds in (
            ("rclone check", check, 1, _calls_of_rclone, both),
            # It compares sizes and times, so that it does not see other bytes.
            ("aws s3 sync --dryrun", [*sync, west, east], 0, _calls_of_aws, (MISSING,)),
            ("audit, bytes", audit, DIFFERS, None, both),
            ("audit, bytes, metadata and tags", closely, DIFFERS, None, both),
        ):
            found, *cells = there.measure(command, code, calls)
            _require(all(key in found.output + found.errors for key in finds), name, found)
            rows.append((name, *cells))
            told(" ".join((name, *cells)))
        found, *cells = there.measure(_ours(BACKFILL))
        _require(json.loads(found.output) == objects, "backfill", found)
        rows.append(("backfill: counted and sent", *cells))
        _erase(there)
        back = [*sync, east, west]
        back[4:8] = ["--source-region", "us-east-1", "--region", "us-west-1"]
        found, *cells = there.measure(back, 0, _calls_of_aws)
        _require(found.output.count("(dryrun) copy:") == objects - 1, "aws s3 sync back", found)
        rows.append(("aws s3 sync --dryrun, back", *cells))
        for name, script, state in (
            ("restore: planned", PLAN, "to restore"),
            ("restore: copied and compared", RESTORE, "restored"),
            ("restore: planned, all in place", PLAN, "in place"),
        ):
            found, *cells = there.measure(_ours(script))
            _require(json.loads(found.output).get(state) == objects - 1, name, found)
            rows.append((name, *cells))
            told(" ".join((name, *cells)))
    names = [f"{objects:,} objects of 10 KB", "seconds", "of a processor", "of the server's", "peak MiB", "calls"]
    return pd.DataFrame(rows, columns=names)


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
    """Delete all objects of the source."""
    client = clients(there.server)("s3", "us-west-1")
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
    from datetime import UTC, datetime

    now = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    settings = SETTINGS | {"restore": SETTINGS["restore"] | now}
    return [sys.executable, "-c", BEGIN + script, json.dumps(settings)]


def _remote(server: LocalAws, region: str, bucket: str) -> str:
    return f":s3,provider=Other,env_auth=true,region={region},endpoint='{server.endpoint_url}':{bucket}"


def _require(holds: bool, name: str, found: Measured) -> None:
    """Stop if something did not do what it was measured for: it would have been quick for nothing."""
    if not holds:
        raise SystemExit(f"{name} has not found what is there: {found.output[-500:]} {found.errors[-500:]}")


def _by_name(ledger: Path) -> str:
    """Return how many calls, and which operations were called more than a hundred times or list objects."""
    made = Counter(call.operation for call in read(ledger))
    return f"{made.total():,}: " + ", ".join(f"{count:,} {name}" for name, count in made.most_common(4))


def _calls_of_rclone(command: list) -> int:
    done = subprocess.run([*command, "--dump", "headers"], capture_output=True, text=True)
    return done.stderr.count("HTTP REQUEST (")


def _calls_of_aws(command: list) -> int:
    done = subprocess.run([*command, "--debug"], capture_output=True, text=True)
    return done.stderr.count("Sending http request:")
