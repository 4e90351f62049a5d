"""The pipeline *ingest*, deployed by its notebook and used with other tools than the notebook's."""

import json
from decimal import Decimal

import pandas as pd
import pytest
from boto3.dynamodb.types import TypeDeserializer
from support.headless import eventually

from lib.operate import stocks
from lib.operate.invocation import invoke
from lib.s3.objects import Place

ARRIVAL_S = 600
TIME = "2026-03-01T12:00:00Z"
MIXED = b"""ticker,timestamp,price,volume
TEST,2026-03-01T00:00:00Z,1.10,5
TEST,yesterday,1.10,5
TEST,2026-03-01T00:00:01Z,0.1234567890123456789,7
"""


@pytest.fixture(scope="module")
def ingest(deploy):
    section = {"schedule_state": "DISABLED", "files": 7, "rows": 11, "function_timeout_s": 10}
    return deploy("50_ingest", ingest=section)


@pytest.fixture(scope="module")
def place(ingest) -> Place:
    return Place(ingest.aws.client("s3", "us-east-1"), ingest.outputs["bucket"])


@pytest.fixture(scope="module")
def table(ingest):
    return ingest.aws.client("dynamodb", "us-east-1"), ingest.outputs["table"]


def items(table, ticker: str) -> list[dict]:
    client, name = table
    answer = client.query(
        TableName=name,
        KeyConditionExpression="PK = :ticker",
        ExpressionAttributeValues={":ticker": {"S": ticker}},
    )
    plain = TypeDeserializer().deserialize
    return [{name: plain(value) for name, value in item.items()} for item in answer["Items"]]


def test_a_second_run_changes_nothing(ingest):
    found = ingest.counts()
    assert found["to create"] == found["to change"] == 0


def test_what_is_produced_is_stored_once_however_often_it_is_produced(ingest, table):
    client = ingest.aws.client("lambda", "us-east-1")
    for _ in range(2):
        run = invoke(client, ingest.outputs["generate_function"], {"time": TIME})
        assert (run["files"], run["rows"]) == (7, 77)
        tickers = ingest.parameters.ingest.tickers
        assert stocks.stored(*table, run=run, tickers=tickers, timeout_s=ARRIVAL_S)["items"].sum() == 77


def test_bad_rows_are_named_and_good_ones_are_exact(place, table):
    place.client.put_object(Bucket=place.bucket, Key="stocks/dt=2026-03-01/mine+\u00fc.csv", Body=MIXED)
    assert eventually(lambda: len(items(table, "TEST")) == 2, ARRIVAL_S)
    assert [item["price"] for item in items(table, "TEST")] == [
        Decimal("1.10"),
        Decimal("0.1234567890123456789"),
    ]
    (rejected,) = place.client.list_objects_v2(Bucket=place.bucket, Prefix="rejected/")["Contents"]
    text = place.client.get_object(Bucket=place.bucket, Key=rejected["Key"])["Body"].read().decode()
    header, row = text.splitlines()
    assert header.startswith("line,reason")
    assert row.startswith("3,")
    assert "yesterday" in row


def test_a_poison_file_ends_in_the_dead_letter_queue(ingest, place, somebody):
    sqs = somebody("sqs")
    sqs.set_queue_attributes(QueueUrl=ingest.outputs["queue_url"], Attributes={"VisibilityTimeout": "1"})
    place.client.put_object(Bucket=place.bucket, Key="stocks/dt=2026-03-01/poison.csv", Body=b"\x00\xff\xfe")
    bodies = []

    def received() -> bool:
        answer = sqs.receive_message(QueueUrl=ingest.outputs["dlq_url"], VisibilityTimeout=0)
        bodies.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return bool(bodies)

    assert eventually(received, ARRIVAL_S)
    assert bodies[0]["Records"][0]["s3"]["object"]["key"].endswith("poison.csv")
    assert ingest.counts()["to change"] == 1


@pytest.mark.long
def test_the_schedule_fires_when_it_is_on_and_is_silent_when_it_is_off(ingest, table):
    since = pd.Timestamp.now("UTC")
    events = ingest.aws.client("events", "us-east-1")
    assert events.describe_rule(Name=ingest.outputs["schedule"])["State"] == "DISABLED"
    on = {"ingest": {**ingest.values["ingest"], "schedule_state": "ENABLED"}}
    assert ingest.counts(**on)["to change"] == 1
    group = f"/aws/lambda/{ingest.outputs['generate_function']}"
    run = stocks.scheduled_run(ingest.aws.client("logs", "us-east-1"), group, since=since, timeout_s=150)
    # Who looks right after it need not wait; one that is older than the schedule's interval does not count.
    logs, ever = ingest.aws.client("logs", "us-east-1"), since - pd.Timedelta("1d")
    again = stocks.scheduled_run(logs, group, since=ever, timeout_s=1, schedule="rate(1 minute)")
    assert pd.Timestamp(again["time"]) >= pd.Timestamp.now("UTC") - pd.Timedelta("3min")
    tickers = ingest.parameters.ingest.tickers
    assert (
        stocks.stored(*table, run=run, tickers=tickers, timeout_s=ARRIVAL_S)["items"].sum()
        == run["rows"]
        == 77
    )
    assert ingest.counts()["to change"] == 1
    assert events.describe_rule(Name=ingest.outputs["schedule"])["State"] == "DISABLED"
