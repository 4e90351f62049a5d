"""Pipelines that adopt a bucket full of somebody's objects, with their own functions, one after the other."""

import secrets
from urllib.parse import urlencode

import pandas as pd
import pytest
from support.audited import audited
from support.running import Running, eventually, settled
from support.somebodys import Somebodys

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.operate import samples, summaries, watch
from lib.operate.audits import audit as audits
from lib.operate.backfills.backfill import backfill
from lib.operate.backfills.estimate import estimate
from lib.operate.recovery import drill
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.s3.objects import Place

HERE = "us-east-1"
OBJECTS = 24
SAMPLE = samples.Sample("synthetic-data/s.csv", b"a,b\n1,2\n")
# What a pipeline is given to adopt the bucket as its source.
ADOPTING = {
    "migrate": {"source_region": HERE, "target_region": "us-east-2", "source_bucket": "{}"},
    "backup": {"primary_bucket": "{}"},
    "index": {"bucket": "{}"},
    "summarize": {"bucket": "{}"},
    "ingest": {"bucket": "{}"},
}


@pytest.fixture(scope="module")
def full(local_aws, somebody) -> Somebodys:
    """A bucket with settings and objects of all kinds, and a name of before 2018; nothing of it is ours."""
    bucket = Somebodys(somebody, f"Full_{secrets.token_hex(4)}.Photos".ljust(255, "-"), HERE).create()
    bucket.furnish(event="s3:ObjectRestore:Completed")
    for number in range(OBJECTS):
        folder = ("synthetic-data/", "photos 2019/ü+%/", "deep/er/")[number % 3]
        body = b"name,size\n" + b"".join(b"n%d,%d\n" % (row, row) for row in range(number + 1))
        facts = {"Metadata": {"number": f"{number}"}, "Tagging": urlencode({"kind": f"k{number % 2}"})}
        for _ in range(1 + (number % 5 == 0)):
            name = {"Bucket": bucket.name, "Key": f"{folder}{number}.csv"}
            bucket.s3.put_object(**name, Body=body, ContentType="text/csv", **facts)
    for number in range(OBJECTS // 3):
        rows = "".join(f"T{number},2026-01-03T{hour:02}:00:00Z,1.25,{hour}\n" for hour in range(number + 1))
        body = b"ticker,timestamp,price,volume\n" + rows.encode()
        bucket.s3.put_object(Bucket=bucket.name, Key=f"stocks/dt=2026-01-03/{number}.csv", Body=body)
    bucket.s3.put_object(Bucket=bucket.name, Key="gone", Body=b"")
    bucket.s3.delete_object(Bucket=bucket.name, Key="gone")
    return bucket


def adopting(pipeline: str, bucket: Somebodys) -> dict:
    return {name: value.format(bucket.name) for name, value in ADOPTING[pipeline].items()}


def differing(running: Running, name: str) -> str:
    """What an audit finds; empty if that is nothing."""
    found = audited(running.target, running.parameters, name)
    return "" if found.is_clean else f"{found}\n{found.differences}"


def operator(running: Running, name: str) -> Parameters:
    values = running.parameters.model_dump() | {"backfill": {"pipeline": name}}
    return Parameters.check(values)


def drilled(running: Running) -> None:
    """A drill beside the primary: all of it is restored into a bucket that is gone afterwards."""
    pipeline = running.pipeline("backup")
    with pytest.raises(RunbookError, match="is not ours: nothing is lost there on purpose"):
        drill.begin(running.target, running.parameters, deletes=1)
    stack = Stack(running.target, running.parameters, "restore")
    compared = drill.elsewhere(stack, pipeline, "synthetic-data/")
    assert len(compared) >= OBJECTS // 3
    assert compared[drill.SAME].all(axis=None)
    assert not [*Bucket.names(running.target.client("s3", HERE), stack.scope)]


@pytest.mark.parametrize("name", ADOPTING)
def test_all_of_it_arrives_and_the_bucket_stays_as_it_was(full, name):
    settings, objects = full.configuration(), full.objects()
    running = Running(f"ad{name}", (name,), {name: adopting(name, full)})
    try:
        assert differing(running, name)
        parameters = operator(running, name)
        there = estimate(running.target, parameters)
        backfill(running.target, parameters, there.objects)
        settled(lambda: differing(running, name), still_s=60, most_s=240)
        assert not differing(running, name)
        new = {"Bucket": full.name, "Key": "synthetic-data/new.csv"}
        version = full.s3.put_object(**new, Body=b"a,b\n1,2\n")["VersionId"]
        assert not running.stuck(name)
        if name == "backup":
            drilled(running)
        settled(lambda: differing(running, name), still_s=60, most_s=240)
        assert not differing(running, name)
        full.s3.delete_object(**new, VersionId=version)
        written = [each for each in full.objects() if each not in objects]
        assert name == "summarize" or not written
    finally:
        running.destroy()
    assert full.configuration() == settings
    assert [each for each in full.objects() if each in objects] == objects


def test_samples_are_followed_to_their_end_where_no_versions_are_kept(local_aws, somebody):
    names = ("migrate", "backup", "index", "summarize")
    kept = {name: Somebodys(somebody, f"none.{name}.{secrets.token_hex(4)}", HERE).create() for name in names}
    running = Running("nover", names, {name: adopting(name, kept[name]) for name in names})
    try:
        for name in names:
            pipeline, place = running.pipeline(name), Place(running.source(name).client, kept[name].name)
            failed = Waiting.of(running.target, pipeline.dead_letters[0].queue)
            uploads = samples.upload(place.client, place.bucket, [SAMPLE])
            if name == "summarize":
                settings = running.parameters.summarize
                found = summaries.watch_outcomes(uploads, place, settings=settings, failed=failed)
                assert list(found["state"]) == ["summarized"]
                continue
            if name == "index":
                table = running.target.client("dynamodb", pipeline.destination.region)
                how = {"table": pipeline.destination.name, "dead_letters": failed, "timeout_s": 60}
                assert list(watch.rows(uploads, table, **how)["state"]) == ["indexed"]
                deletes = samples.delete(place.client, place.bucket, [SAMPLE.key])
                assert list(watch.rows(deletes, table, **how)["state"]) == ["indexed"]
                nothing = deletes.assign(time=deletes["time"] + watch.CLOCKS_DIFFER + pd.Timedelta("1s"))
                assert list(watch.rows(nothing, table, **how | {"timeout_s": 0.1})["state"]) == ["not yet"]
                continue
            there = Place(running.destination(name).client, running.destination(name).bucket)
            how = {"dead_letters": failed, "timeout_s": 60}
            assert list(watch.arrivals(uploads, place, target=there, **how)["state"]) == ["in place"]
    finally:
        running.destroy()


def test_what_others_have_in_an_adopted_dr_bucket_is_nobodys_to_delete(local_aws, somebody):
    dr = Somebodys(somebody, f"dr.{secrets.token_hex(4)}", "us-east-2").create().furnish()
    dr.s3.put_object(Bucket=dr.name, Key="theirs", Body=b"1")
    settings, objects = dr.configuration(), dr.objects()
    running = Running("addr", ("backup",), {"backup": {"dr_bucket": dr.name}})
    try:
        running.source("backup").put("ours", b"2")
        assert eventually(lambda: running.destination("backup").read("ours") == b"2")
        settled(lambda: differing(running, "backup"), still_s=60)
        found = audits.audit(running.target, running.parameters, "backup")
        assert found.is_clean, found
        audits.repair(running.target, running.parameters, "backup", audit_of_it=found)
        assert not running.stuck("backup")
        assert running.destination("backup").read("theirs") == b"1"
    finally:
        running.destroy()
    assert dr.configuration() == settings
    assert [each for each in dr.objects() if each in objects] == objects
    assert {key for key, *_ in dr.objects()} == {"theirs", "ours"}
