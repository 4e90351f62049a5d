"""The call ledger: what was asked of AWS is written down, and what was in it is not."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from IPython.core.interactiveshell import InteractiveShell

from lib.base import call_ledger
from lib.base.call_ledger import CallLedger, CallLedgerError, read, table
from lib.resources.registry import call_names

SECRET = "not to be seen anywhere"


@pytest.fixture
def session():
    return boto3.Session("AKIDNOTSHOWN", SECRET, region_name="us-east-1")


@pytest.fixture
def ledger(session, tmp_path: Path) -> CallLedger:
    ledger = CallLedger(tmp_path / "calls.jsonl")
    ledger.watch(session, call_names(), "arn:aws:iam::123456789012:user/a")
    return ledger


@pytest.fixture
def client(session, moto: str):
    return lambda service: session.client(service, endpoint_url=moto)


def everything(ledger: CallLedger):
    return ledger.calls(range(ledger.made))


def test_what_was_asked_of_what_and_how_it_went(client, ledger):
    s3 = client("s3")
    s3.create_bucket(Bucket="ledger")
    s3.put_object(Bucket="ledger", Key="a/ü", Body=SECRET.encode(), Metadata={"m": SECRET}, Tagging="t=1")
    s3.copy_object(Bucket="ledger", Key="b", CopySource={"Bucket": "ledger", "Key": "a/ü"})
    with pytest.raises(ClientError):
        s3.head_object(Bucket="ledger", Key="none")
    made = [(c.service, c.operation, c.resource, c.source, c.outcome) for c in everything(ledger)]
    assert made == [
        ("s3", "CreateBucket", "ledger", "", "ok"),
        ("s3", "PutObject", "ledger/a/ü", "", "ok"),
        ("s3", "CopyObject", "ledger/b", "ledger/a/ü", "ok"),
        ("s3", "HeadObject", "ledger/none", "", "404"),
    ]
    assert everything(ledger)[1].parameters == ("Body", "Bucket", "Key", "Metadata", "Tagging")
    assert {call.caller for call in everything(ledger)} == {"arn:aws:iam::123456789012:user/a"}
    assert all(call.ms >= 0 and call.region == "us-east-1" for call in everything(ledger))


def test_the_file_says_the_same_and_no_contents_or_credentials(client, ledger):
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="ledger")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=SECRET)
    dynamodb = client("dynamodb")
    with pytest.raises(ClientError):
        dynamodb.batch_write_item(
            RequestItems={"none": [{"PutRequest": {"Item": {"a": {"S": SECRET}}}}]},
        )
    assert list(read(ledger.path)) == everything(ledger)
    assert [call.resource for call in everything(ledger)] == ["ledger", "ledger", "none"]
    assert SECRET not in ledger.path.read_text()
    assert "AKID" not in ledger.path.read_text()


def test_no_answer_is_an_outcome(session, ledger):
    config = Config(retries={"total_max_attempts": 1})
    s3 = session.client("s3", endpoint_url="http://127.0.0.1:1", config=config)
    with pytest.raises(EndpointConnectionError):
        s3.list_buckets()
    assert [(c.operation, c.outcome) for c in everything(ledger)] == [
        ("ListBuckets", "EndpointConnectionError")
    ]


def test_threads_lose_no_call(client, ledger):
    s3 = client("s3")
    s3.create_bucket(Bucket="threads")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket="threads", Key=f"{n}"), range(50)))
    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert {line["resource"] for line in lines[1:]} == {f"threads/{n}" for n in range(50)}
    assert len(lines) == ledger.made == 51


def test_only_the_last_calls_stay_in_memory(client, ledger, monkeypatch):
    ledger._calls = type(ledger._calls)(maxlen=2)
    s3 = client("s3")
    for _ in range(3):
        s3.list_buckets()
    s3.create_bucket(Bucket="memory")
    assert [call.operation for call in everything(ledger)] == ["ListBuckets", "CreateBucket"]
    assert [call.operation for call in ledger.calls(range(3, 4))] == ["CreateBucket"]
    assert len(list(read(ledger.path))) == 4


def test_a_ledger_that_cannot_be_written_stops_the_run_before_the_next_call(client, ledger):
    s3 = client("s3")
    s3.create_bucket(Bucket="full")
    ledger.path.unlink()
    ledger.path.mkdir()
    s3.put_object(Bucket="full", Key="done")  # carried out, so it must not look as if it had failed
    with pytest.raises(CallLedgerError, match="cannot be written down"):
        s3.put_object(Bucket="full", Key="not done")
    ledger._failure = None
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="full")["Contents"]] == ["done"]


def test_a_ledger_that_cannot_be_begun_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv(call_ledger.PATH_VARIABLE, str(tmp_path / "nowhere" / "calls.jsonl"))
    with pytest.raises(CallLedgerError, match="cannot be written down"):
        call_ledger.ledger.__wrapped__()


def test_a_table_sums_up(client, ledger):
    s3 = client("s3")
    s3.create_bucket(Bucket="sums")
    for key in "abc":
        s3.put_object(Bucket="sums", Key=key)
    rows = table(everything(ledger)).drop(columns="ms").values.tolist()
    assert rows == [
        ["s3", "CreateBucket", "ok", 1, "sums"],
        ["s3", "PutObject", "ok", 3, "sums/a and 2 more"],
    ]
    assert list(table([]).columns) == ["service", "operation", "outcome", "calls", "ms", "resources"]


# --- in a notebook


@pytest.fixture
def shell(client, ledger, monkeypatch):
    monkeypatch.setattr(call_ledger, "ledger", lambda: ledger)
    shell = InteractiveShell()
    shell.run_cell("%load_ext lib.ipython_extension")
    shell.user_ns["s3"] = client("s3")
    yield shell
    shell.history_manager.end_session()


def operations(shell) -> list[str]:
    return list(shell.run_cell("%calls").result["operation"])


def test_calls_shows_those_of_the_last_cell_that_made_any(shell):
    assert operations(shell) == []
    shell.run_cell("s3.create_bucket(Bucket='cells')")
    assert operations(shell) == ["CreateBucket"]
    shell.run_cell("x = 1")
    assert operations(shell) == ["CreateBucket"]
    shell.run_cell("s3.put_object(Bucket='cells', Key='k')\ns3.get_object(Bucket='cells', Key='k')")
    assert operations(shell) == ["PutObject", "GetObject"]
    assert operations(shell) == ["PutObject", "GetObject"]
    assert list(shell.run_cell("s3.list_buckets()\n%calls").result["operation"]) == ["ListBuckets"]
