"""The audit of *index*: objects without rows, rows without objects, rows of something else."""

from datetime import UTC, datetime, timedelta

import pytest
from support.audited import audited, clear, make, states
from support.cleanup import remove
from support.the_five import pipelines

from lib.operate.audits.findings import UNJUDGED
from lib.parameters import Parameters
from lib.target import connect

DAY_S = 86_400


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "tauditind"})


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module")
def pipeline(aws, own):
    stack = make(aws, own, "index")
    yield pipelines(own)["index"]
    remove(stack)


class Index:
    """Objects and rows, put one by one."""

    def __init__(self, aws, pipeline):
        self.s3, self.bucket = aws.client("s3", pipeline.source.region), pipeline.source.name
        self.dynamodb, self.table = (
            aws.client("dynamodb", pipeline.destination.region),
            pipeline.destination.name,
        )

    def put(self, key: str, body: bytes = b"body", content_type: str = "text/csv") -> dict:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type)
        return self.s3.head_object(Bucket=self.bucket, Key=key)

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def row(
        self, key: str, minute: int = 0, event: str = "ObjectCreated:Put", head: dict | None = None, **more
    ) -> None:
        about = {}
        if head:
            about = {
                "file_size": {"N": str(head["ContentLength"])},
                "etag": {"S": head["ETag"].strip('"')},
                "content_type": {"S": head["ContentType"]},
            }
        if head and "VersionId" in head:
            about["version_id"] = {"S": head["VersionId"]}
        names = {"file_key": {"S": key}, "timestamp": {"S": f"2026-01-02T03:{minute:02}:00.000Z"}}
        self.dynamodb.put_item(
            TableName=self.table, Item={**names, "event_name": {"S": event}, **about, **more}
        )

    def clear(self) -> None:
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table):
            for item in page["Items"]:
                key = {name: item[name] for name in ("file_key", "timestamp")}
                self.dynamodb.delete_item(TableName=self.table, Key=key)


@pytest.fixture
def index(aws, pipeline) -> Index:
    clear(aws, type("Only", (), {"source": pipeline.source, "destination": pipeline.source}))
    index = Index(aws, pipeline)
    index.clear()
    return index


def test_each_difference_is_found(aws, own, index):
    for key in ("same", "ü/🚀 a+b"):
        index.row(key, 1, head=index.put(key, b"older"))
        index.row(key, 2, head=index.put(key))
    index.put("missing")
    index.row("another size", head=index.put("another size") | {"ContentLength": 5})
    index.row("older", 1, head=index.put("older"))
    index.row("older", 0, head=index.put("older"))  # the row of the newer version has an older time
    index.row("said to be removed", 1, head=index.put("said to be removed"))
    index.row("said to be removed", 2, "ObjectRemoved:Delete")
    index.row("type", head=index.put("type") | {"ContentType": "text/plain"})
    index.row("gone", 1, head=index.put("gone"))
    index.delete("gone")
    index.row("gone and said so", 1)
    index.row("gone and said so", 2, "ObjectRemoved:DeleteMarkerCreated")
    assert states(aws, own, "index") == {
        "missing": "missing",
        "another size": "stale",
        "older": "stale",
        "said to be removed": "stale",
        "type": "metadata",
        "gone": "extra",
    }
    assert audited(aws, own, "index").findings.counts["same"] == 2


def test_without_metadata_a_row_of_the_same_bytes_is_enough(aws, own, index):
    index.row("older", 1, head=index.put("older", content_type="a/b"))
    index.put("older")
    assert states(aws, own, "index", metadata_and_tags=False) == {}
    assert states(aws, own, "index") == {"older": "stale"}


def test_rows_without_version_are_taken_as_they_are(aws, own, index):
    head = index.put("sent again by hand")
    head.pop("VersionId")
    index.row("sent again by hand", head=head)
    assert states(aws, own, "index") == {}


def test_what_is_young_is_not_judged(aws, own, index):
    index.put("missing")
    index.row("gone", head=index.put("gone"))
    index.delete("gone")
    found = audited(aws, own, "index", grace_s=600)
    assert found.is_clean
    assert found.findings.counts == {UNJUDGED: 2}


def test_expired_rows_are_no_rows(aws, own, index):
    past = str(int((datetime.now(UTC) - timedelta(days=1)).timestamp()))
    index.row("gone", head=index.put("gone"), expires={"N": past})
    index.delete("gone")
    index.row("there", head=index.put("there"), expires={"N": past})
    assert states(aws, own, "index") == {"there": "missing"}
