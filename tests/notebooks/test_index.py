"""The pipeline *index*, deployed by its notebook and used with other tools than the notebook's."""

import pandas as pd
import pytest
from support.headless import eventually

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.lake import query, table_export
from lib.operate import samples, watch
from lib.operate.object_history import history
from lib.resources import dynamodb, s3
from lib.s3.objects import Place

FILES = [
    samples.Sample("test.txt", b"Hello, index"),
    samples.Sample("folder/Project Idea+\u00fc 100%.txt", "\u00fc".encode() * 600),
    samples.Sample("picture.png", samples.PIXEL_PNG),
    samples.Sample("empty.txt", b""),
]
ARRIVAL_S = 600


@pytest.fixture(scope="module")
def index(deploy):
    return deploy("30_index", index={"time_to_live_days": 2})


@pytest.fixture(scope="module")
def place(index) -> Place:
    return Place(index.aws.client("s3", "us-east-1"), index.outputs["bucket"])


@pytest.fixture(scope="module")
def table(index):
    return index.aws.client("dynamodb", "us-east-1"), index.outputs["table"]


@pytest.fixture(scope="module")
def uploads(index, place, table):
    uploads = samples.upload(place.client, place.bucket, FILES)
    failed = Waiting(index.aws.client("sqs", "us-east-1"), index.outputs["failures_url"])
    client, name = table
    seen = watch.rows(uploads, client, table=name, dead_letters=failed, timeout_s=ARRIVAL_S)
    assert seen["state"].tolist() == ["indexed"] * len(FILES)
    return uploads


def rows(table, key: str) -> list[dict]:
    """The rows of a key, the oldest first, without DynamoDB's types."""
    client, name = table
    answer = client.query(
        TableName=name,
        KeyConditionExpression="file_key = :key",
        ExpressionAttributeValues={":key": {"S": key}},
    )
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in answer["Items"]]


def test_a_second_run_changes_nothing(index):
    found = index.counts()
    assert found["to create"] == found["to change"] == 0


def test_a_row_says_what_the_object_is(uploads, table, place):
    (row,) = rows(table, "test.txt")
    assert row["bucket_name"] == place.bucket
    assert (row["file_size"], row["content_type"], row["content_preview"]) == (
        "12",
        "text/csv",
        "Hello, index",
    )
    assert row["event_name"] == "ObjectCreated:Put"
    assert row["version_id"] == uploads["version_id"][0]
    assert int(row["expires"]) > 0
    (row,) = rows(table, FILES[1].key)
    assert row["content_preview"] == "\u00fc" * 500
    (row,) = rows(table, "picture.png")
    assert "content_preview" not in row


def test_what_happens_later_are_further_rows(uploads, place, table):
    place.client.put_object(Bucket=place.bucket, Key="test.txt", Body=b"again")
    place.client.delete_object(Bucket=place.bucket, Key="test.txt")
    assert eventually(lambda: len(rows(table, "test.txt")) == 3, ARRIVAL_S)
    seen = history(*table, "test.txt")
    created, removed = "ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"
    assert seen["event_name"].tolist() == [created, created, removed]
    assert seen["file_size"].tolist() == [len(FILES[0].body), len(b"again"), pd.NA]
    assert history(*table, "never there").empty


def test_athena_sees_the_table_s_columns_and_rows(index, uploads, table):
    stack = Stack(index.aws, index.parameters, "index")
    resource = stack.add(
        dynamodb.Table("objects", "us-east-1", partition_key="file_key", sort_key="timestamp")
    )
    exports = stack.add(s3.Bucket("exports", "us-east-1"))
    table_export.export(index.aws, resource, exports, "objects/")
    outputs = index.outputs
    analyst = query.Athena(
        index.aws, "us-east-1", workgroup=outputs["workgroup"], database=outputs["database"]
    )
    found = analyst.query("SELECT * FROM objects WHERE file_key = %(key)s", key=FILES[1].key)
    (row,) = rows(table, FILES[1].key)
    (seen,) = found.to_dict("records")
    assert {name: str(seen[name]) for name in row} == row
    everything = analyst.query("SELECT count(*) AS n FROM objects")["n"][0]
    client, name = table
    assert everything == client.scan(TableName=name, Select="COUNT")["Count"]


def test_the_table_can_be_restored_and_its_rows_expire(index, table):
    client, name = table
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires")


def test_somebody_else_s_bucket_may_not_invoke_the_function(index, somebody):
    policy = somebody("lambda").get_policy(FunctionName=index.outputs["function"])["Policy"]
    assert index.outputs["bucket"] in policy
    assert "AWS:SourceAccount" in policy or "aws:SourceAccount" in policy


def test_a_table_with_other_keys_is_refused_and_left_alone(index, table):
    stack = Stack(index.aws, index.parameters, "index")
    stack.is_whole = False
    stack.add(dynamodb.Table("objects", "us-east-1", partition_key="file_key"))
    with pytest.raises(RunbookError, match="keys is .* and shall be .*Nothing was written.*a second one"):
        stack.apply()
    client, name = table
    assert client.describe_table(TableName=name)["Table"]["KeySchema"][1]["AttributeName"] == "timestamp"
