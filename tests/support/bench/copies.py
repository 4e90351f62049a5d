"""Copies: what a batch is billed where each call takes its time, and how fast many arrive, beside s5cmd."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO

import boto3
import pandas as pd
from support.bench.servers import RUNBOOK, clients, handler, local_aws, output, quietly
from support.buckets import Pair
from support.handler_user import lambda_context
from support.s3_messages import in_sns_envelope, s3_event, s3_record, sqs_event
from support.servers import eventually

from lib.base.paths import ROOT

S5CMD = ROOT / ".cache" / "tools" / "bin" / "s5cmd"
BODY = b"x" * 10_000
BATCH = 10


def billed(latency_ms: float, batches: int) -> pd.DataFrame:
    """Return what an object of *migrate* is billed, in batches of ten, each call taking so much longer."""
    with local_aws(latency_ms) as (_, patch):
        session = boto3.Session()
        session.client("iam").create_user(UserName="replicate")  # whom a pair of buckets lets in
        pair = Pair.make(session, versioned=True)
        patch.setenv("TARGET_BUCKET", pair.target.bucket)
        replicate = handler("replicate")
        asked: list[str] = []
        for region in ("us-west-1", "us-east-1"):
            client = replicate.client("s3", region)
            client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
        rows = []
        for first in range(batches + 1):  # the first one makes connections, and does not count
            keys = [f"object {first} {number}" for number in range(BATCH)]
            for key in keys:
                pair.source.put(key, BODY)
            event = sqs_event(
                *(in_sns_envelope(s3_event(s3_record(pair.source.bucket, key))) for key in keys)
            )
            asked.clear()
            began, began_cpu = time.perf_counter(), time.process_time()
            with redirect_stdout(StringIO()):
                answer = replicate.handler(event, lambda_context("replicate"))
            ended, ended_cpu = time.perf_counter(), time.process_time()
            if answer["batchItemFailures"]:
                raise RuntimeError(f"not all were copied: {answer}")
            rows.append((ended - began, ended_cpu - began_cpu, len(asked)))
    measured = pd.DataFrame(rows[1:], columns=["wall", "cpu", "calls"]) / BATCH
    middle = measured.median()
    return pd.DataFrame(
        [(f"{latency_ms:g}", f"{middle.calls:g}", f"{middle.wall * 1000:.1f}", f"{middle.cpu * 1000:.1f}")],
        columns=["ms more a call", "calls to S3 an object", "ms billed an object", "ms of a processor"],
    )


def rates(objects: int) -> pd.DataFrame:
    """Return how many objects arrive a second, by *migrate* as it is deployed, and by s5cmd."""
    with local_aws() as (server, patch):
        quietly([RUNBOOK, "run", "migrate", "--no-exercise"])
        client = clients(server)
        source, target = (output(f"migrate.{name}_bucket") for name in ("source", "target"))
        west, east = client("s3", "us-west-1"), client("s3")
        (mapping,) = client("lambda").list_event_source_mappings()["EventSourceMappings"]
        turn = client("lambda").update_event_source_mapping
        turn(UUID=mapping["UUID"], Enabled=False)
        with ThreadPoolExecutor(8) as threads:
            list(
                threads.map(lambda n: west.put_object(Bucket=source, Key=f"a/{n}", Body=BODY), range(objects))
            )
        began = time.perf_counter()
        turn(UUID=mapping["UUID"], Enabled=True)
        eventually(lambda: _count(east, target) == objects)
        ours = time.perf_counter() - began
        # In the source's region: on the local AWS s5cmd is answered 301 for a bucket elsewhere.
        west.create_bucket(Bucket="by-s5cmd", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
        patch.setenv("AWS_REGION", "us-west-1")
        command = [S5CMD, "--no-verify-ssl", "--endpoint-url", server.endpoint_url, "cp"]
        began = time.perf_counter()
        subprocess.run([*command, f"s3://{source}/a/*", "s3://by-s5cmd/"], check=True, stdout=subprocess.PIPE)
        theirs = time.perf_counter() - began
        if _count(west, "by-s5cmd") != objects:
            raise RuntimeError("s5cmd did not copy all")
    rows = [
        ("migrate, all delivered", f"{objects / ours:.0f}", f"{theirs / ours:.2f}"),
        ("s5cmd cp", f"{objects / theirs:.0f}", "1.00"),
    ]
    return pd.DataFrame(rows, columns=[f"{objects:,} objects of 10 KB", "objects a second", "× s5cmd's"])


def _count(client, bucket: str) -> int:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(len(page.get("Contents", [])) for page in pages)
