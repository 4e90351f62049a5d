"""The catalogue at a glance, on the local AWS."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from lib.base.errors import NotDeployedError
from lib.lake import catalogue
from lib.resources import glue, s3

HERE = "us-east-1"


@pytest.fixture
def lake(stack):
    bucket = stack.add(s3.Bucket("files", HERE))
    first, second = (stack.add(glue.Database(name, HERE)) for name in ("first", "second"))
    stack.add(
        glue.Table(
            "lines",
            HERE,
            database=second,
            bucket=bucket,
            key_prefix="lines/",
            columns={"a": "string", "b": "bigint"},
        )
    )
    stack.add(
        glue.Table("empty", HERE, database=first, bucket=bucket, key_prefix="empty/", columns={"a": "string"})
    )
    stack.apply()
    return stack, bucket, [second.name, first.name]


def test_tables(lake):
    stack, bucket, databases = lake
    client = stack.target.client("s3", HERE)
    before = datetime.now(UTC).replace(microsecond=0)
    for key, body in (("a.json", b"12345"), ("b/c.json", b"678"), ("_hidden", b"x"), ("b/", b"")):
        client.put_object(Bucket=bucket.name, Key=f"lines/{key}", Body=body)
    found = catalogue.tables(stack.target, HERE, databases)
    assert found.drop(columns="newest").values.tolist() == [
        [databases[1], "empty", 1, 0, 0, 0],
        [databases[0], "lines", 2, 0, 2, 8],
    ]
    assert str(found["newest"].dtype) == "datetime64[us, UTC]"
    assert found["newest"][0] is pd.NaT
    assert before <= found["newest"][1] <= datetime.now(UTC)


def test_partitions_and_a_view(lake, somebody):
    stack, bucket, databases = lake
    client = somebody("glue")
    storage = {"Columns": [{"Name": "a", "Type": "string"}], "Location": f"s3://{bucket.name}/days/"}
    keys = [{"Name": "dt", "Type": "string"}]
    days = {"Name": "days", "PartitionKeys": keys, "StorageDescriptor": storage}
    client.create_table(DatabaseName=databases[0], TableInput=days)
    parts = [{"Values": [f"2024-01-{day:02}"], "StorageDescriptor": storage} for day in range(1, 4)]
    client.batch_create_partition(DatabaseName=databases[0], TableName="days", PartitionInputList=parts)
    client.create_table(DatabaseName=databases[0], TableInput={"Name": "seen", "TableType": "VIRTUAL_VIEW"})
    found = catalogue.tables(stack.target, HERE, databases[:1]).set_index("table")
    assert found.loc["days", ["columns", "partitions", "objects"]].tolist() == [2, 3, 0]
    assert found.loc["seen", ["columns", "partitions", "objects"]].tolist() == [0, 0, 0]


def test_a_table_outlives_its_bucket(lake):
    stack, bucket, databases = lake
    bucket.delete(stack.target.client("s3", HERE), bucket.name)
    assert catalogue.tables(stack.target, HERE, databases)["objects"].tolist() == [0, 0]


def test_more_than_a_page_of_objects(lake):
    stack, bucket, databases = lake
    client = stack.target.client("s3", HERE)
    for number in range(1001):
        client.put_object(Bucket=bucket.name, Key=f"lines/{number}", Body=b"x")
    assert catalogue.tables(stack.target, HERE, databases)["objects"].tolist() == [0, 1001]


def test_no_tables(lake):
    stack, _, _ = lake
    assert catalogue.tables(stack.target, HERE, []).empty
    with pytest.raises(NotDeployedError, match="runbook_test_nowhere"):
        catalogue.tables(stack.target, HERE, ["runbook_test_nowhere"])


def test_a_pipeline_that_is_not_deployed_is_named(target, parameters):
    with pytest.raises(NotDeployedError, match="index has no database in us-east-1: .*`runbook run index`"):
        catalogue.databases(target, parameters, "us-east-1", "index")
