"""The notebook of the cut-over, on a *migrate* with buckets of its own."""

from dataclasses import replace

import papermill
import pytest
from botocore.exceptions import ClientError
from support.headless import Deployed

from lib.base.paths import home
from lib.operate.cutover import released

pytestmark = pytest.mark.long

KEYS = [f"old {number % 3}/{number:03} +ü%.csv" for number in range(40)]


@pytest.fixture(scope="module")
def migrate(deploy) -> Deployed:
    """*migrate*, deployed, with objects of which it was not told."""
    migrate = deploy("10_migrate", env="tcutovernb")
    s3, bucket = migrate.aws.client("s3", "us-west-1"), migrate.outputs["source_bucket"]
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    told.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"kind": "old"})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    return migrate


@pytest.fixture(scope="module")
def cutover(migrate) -> Deployed:
    return replace(migrate, notebook="74_cutover")


def policy(migrate: Deployed) -> str:
    bucket = migrate.outputs["source_bucket"]
    return migrate.aws.client("s3", "us-west-1").get_bucket_policy(Bucket=bucket)["Policy"]


def text(notebook) -> str:
    """All that its cells printed."""
    return str([cell.get("outputs") for cell in notebook.cells])


def test_looking_and_planning_change_nothing(migrate, cutover):
    before = policy(migrate)
    shown = text(cutover.run())
    assert f"{len(KEYS)}, " in shown
    assert "nothing tells who reads and writes the source" in shown
    cutover.run(mode="plan", cutover={"action": "freeze"})
    assert policy(migrate) == before
    with pytest.raises(papermill.PapermillExecutionError, match="nobody can write to the source"):
        cutover.run(cutover={"action": "release"})
    assert not list((home() / "runs" / "cutovers").glob("*-tcutovernb-*"))


def test_it_is_frozen_released_kept_and_thawed(migrate, cutover):
    before = policy(migrate)
    s3, bucket = migrate.aws.client("s3", "us-west-1"), migrate.outputs["source_bucket"]
    shown = text(cutover.run(cutover={"action": "freeze"}))
    assert "as a backfill, all of them" in shown
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key="denied", Body=b"1")
    kept = migrate.run(exercise=True)
    assert "1 kept" in text(kept)
    assert "Nothing is tried out on it" in text(kept)
    shown = text(cutover.run(cutover={"action": "release", "switch": ["shop: its bucket"]}))
    assert "shop: its bucket" in shown
    (path,) = (home() / "runs" / "cutovers").glob("*-tcutovernb-*")
    record = released.read(path)
    assert record.digest in shown
    assert record.facts["source"]["objects"] == len(KEYS)
    cutover.run(cutover={"action": "thaw"})
    assert policy(migrate) == before
    s3.put_object(Bucket=bucket, Key="let in", Body=b"1")
    assert released.verify(migrate.aws, record, sides=["source"]).kept == [
        ("source", "let in", "added", "it was not there then")
    ]
