"""What a local AWS that is killed has lost, and how a runbook comes back from it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from support.servers import create_function, eventually, is_saved, root

from lib.local import ministack
from lib.local.deployer import credentials
from lib.operate.audits.audit import audit, repair
from lib.operate.pipelines import deployed
from lib.parameters import Parameters
from lib.resources.base import tag_dict
from lib.target import connect

RUNBOOK = Path(sys.executable).with_name("runbook")
BUCKET = "runbook-test-killed"
OBJECTS = 200


@pytest.fixture
def server(own_home) -> ministack.LocalAws:
    return ministack.start()


@pytest.fixture
def bucket(server) -> str:
    """A bucket in another region than the usual one, made right before the server is killed."""
    s3 = root(server, "s3", "us-west-1")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "kept", "Value": "yes"}]})
    return BUCKET


def test_buckets_keep_region_and_settings_from_the_moment_they_are_made(server, bucket, kill):
    kill(server.pid)
    s3 = root(ministack.start(), "s3", "us-west-1")
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-west-1"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert tag_dict(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == {"kept": "yes"}


def test_a_deleted_bucket_does_not_come_back(server, bucket, kill):
    root(server, "s3", "us-west-1").delete_bucket(Bucket=bucket)
    kill(server.pid)
    assert root(ministack.start(), "s3").list_buckets()["Buckets"] == []


def test_objects_keep_versions_metadata_and_tags(server, bucket, kill):
    s3 = root(server, "s3", "us-west-1")
    put = {"Bucket": bucket, "Key": "a/ü +.csv"}
    first = s3.put_object(**put, Body=b"one", Metadata={"by": "me"}, Tagging="a=b")["VersionId"]
    second = s3.put_object(**put, Body=b"two")["VersionId"]
    kill(server.pid)

    s3 = root(ministack.start(), "s3", "us-west-1")
    assert s3.get_object(**put)["VersionId"] == second
    earlier = s3.get_object(**put, VersionId=first)
    assert (earlier["Body"].read(), earlier["Metadata"]) == (b"one", {"by": "me"})
    assert s3.get_object_tagging(**put, VersionId=first)["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_an_object_that_was_half_written_is_as_it_was_before(server, bucket, kill):
    """Killed between an object's two files: the bytes are new, what describes them is old or missing."""
    s3 = root(server, "s3", "us-west-1")
    old = s3.put_object(Bucket=bucket, Key="a/overwritten", Body=b"old")
    folder = next((server.state / "s3").glob(f"*/{bucket}/a"))
    described = (folder / "overwritten.meta.json").read_bytes()
    s3.put_object(Bucket=bucket, Key="a/overwritten", Body=b"new")
    kill(server.pid)
    (folder / "overwritten.meta.json").write_bytes(described)
    (folder / "overwritten").write_bytes(b"new")
    (folder / "created").write_bytes(b"new")

    s3 = root(ministack.start(), "s3", "us-west-1")
    found = s3.get_object(Bucket=bucket, Key="a/overwritten")
    assert (found["Body"].read(), found["VersionId"]) == (b"old", old["VersionId"])
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/overwritten"]


def test_messages_items_functions_and_users_are_saved_within_seconds(server, kill):
    sqs, dynamodb = root(server, "sqs", "us-west-2"), root(server, "dynamodb")
    url = sqs.create_queue(QueueName="kept", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for number in range(2):
        sqs.send_message(QueueUrl=url, MessageBody=f"message {number}")
    sqs.receive_message(QueueUrl=url)
    dynamodb.create_table(
        TableName="kept",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "an item"}})
    code = "def handle(event, context):\n    return 'the code runs'\n"
    digest = create_function(server, "kept", code)["CodeSha256"]
    key = credentials(server, "runbook", "kept")
    saved = {"sqs": "message 1", "dynamodb": "an item", "lambda": digest, "iam": key.access_key_id}
    eventually(lambda: all(is_saved(server, service, what) for service, what in saved.items()))
    kill(server.pid)

    again = ministack.start()
    messages = root(again, "sqs", "us-west-2").receive_message(QueueUrl=url, MaxNumberOfMessages=10)[
        "Messages"
    ]
    assert sorted(message["Body"] for message in messages) == ["message 0", "message 1"]
    assert root(again, "dynamodb").get_item(TableName="kept", Key={"id": {"S": "an item"}})["Item"]
    answer = root(again, "lambda").invoke(FunctionName="kept")
    assert json.loads(answer["Payload"].read()) == "the code runs"
    assert credentials(again, "runbook", "kept") == key


def test_the_state_of_athena_is_saved_whatever_its_queries_have_found(server, kill):
    athena = root(server, "athena")
    place = {"OutputLocation": f"s3://{BUCKET}/"}
    root(server, "s3").create_bucket(Bucket=BUCKET)
    athena.create_work_group(Name="kept", Configuration={"ResultConfiguration": place})
    query = "SELECT TIMESTAMP '2026-01-31 01:02:03' AS a, CAST(1.50 AS DECIMAL(5, 2)) AS b"
    execution = athena.start_query_execution(QueryString=query, WorkGroup="kept")["QueryExecutionId"]
    eventually(lambda: is_saved(server, "athena", "SUCCEEDED"))  # the query itself is saved before that
    before = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
    kill(server.pid)

    athena = root(ministack.start(), "athena")
    assert athena.get_work_group(WorkGroup="kept")["WorkGroup"]["State"] == "ENABLED"
    assert athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"] == before


def test_what_has_not_changed_is_not_written_again(server, kill):
    sqs, sns = root(server, "sqs"), root(server, "sns")
    sqs.create_queue(QueueName="kept")
    sns.create_topic(Name="first")
    eventually(lambda: is_saved(server, "sqs", "kept") and is_saved(server, "sns", "first"))
    written = (server.state / "data" / "sqs.json").stat().st_mtime_ns
    sns.create_topic(Name="second")
    eventually(lambda: is_saved(server, "sns", "second"))
    assert (server.state / "data" / "sqs.json").stat().st_mtime_ns == written
    sqs.create_queue(QueueName="later")
    eventually(lambda: is_saved(server, "sqs", "later"))
    kill(server.pid)
    server = ministack.start()
    assert len(root(server, "sqs").list_queues()["QueueUrls"]) == 2
    sqs = root(server, "sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="kept")["QueueUrl"])
    eventually(lambda: not is_saved(server, "sqs", "kept"))


def run(*arguments: str) -> str:
    """Run the runbook as an operator does; it must end well."""
    done = subprocess.run([RUNBOOK, *arguments], env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def upload(target, bucket, numbers: range, halfway: Callable[[], None]) -> dict[str, bytes]:
    """Upload from several threads; something happens halfway.

    Returns:
        What was acknowledged: key to body.
    """
    s3, acknowledged = target.client("s3", bucket.region), {}
    with ThreadPoolExecutor(8) as threads:
        names = {n: {"Bucket": bucket.name, "Key": f"in/{n:03}.txt", "Body": b"%d" % n} for n in numbers}
        uploads = {threads.submit(s3.put_object, **name): name for name in names.values()}
        for number, done in enumerate(as_completed(uploads), start=1):
            if not done.exception():
                acknowledged[uploads[done]["Key"]] = uploads[done]["Body"]
            if number == len(numbers) // 2:
                halfway()
    return acknowledged


@pytest.mark.long
def test_after_kills_amid_uploads_a_run_repairs_and_everything_arrives(own_home, kill):
    """The first costs the last seconds at most. The second costs all but buckets and objects."""
    run("run", "migrate", "--no-exercise")
    parameters = Parameters.check({"audit": {"grace_s": 0}})
    source = deployed(connect(parameters), parameters, "migrate").source

    def kill_it() -> None:
        kill(ministack.status().pid)

    def kill_it_and_lose_what_was_saved() -> None:
        kill_it()
        for path in (own_home / ".local-aws" / "state" / "data").glob("*.json"):
            if path.name != "s3.json":
                path.unlink()

    half = OBJECTS // 2
    acknowledged = upload(connect(parameters), source, range(half), kill_it)
    acknowledged |= upload(connect(parameters), source, range(half, OBJECTS), kill_it_and_lose_what_was_saved)
    assert OBJECTS // 2 <= len(acknowledged) < OBJECTS

    run("run", "migrate", "--no-exercise")
    target = connect(parameters)
    repaired = repair(target, parameters, "migrate", audit(target, parameters, "migrate"))
    assert repaired.is_clean, repr(repaired)
    destination = deployed(target, parameters, "migrate").destination
    there = target.client("s3", destination.region)
    for key, body in acknowledged.items():
        assert there.get_object(Bucket=destination.name, Key=key)["Body"].read() == body
