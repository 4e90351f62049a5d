"""What a local AWS that is killed has lost, and how a runbook comes back from it."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

import pytest
from support.servers import create_function, eventually, file_of, is_named, is_saved, root

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
    eventually(lambda: all(is_saved(server, service, '"kept"') for service in ("sqs", "dynamodb")))
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


def pieces(server) -> dict[str, tuple[int, str]]:
    """What is saved of items, messages and events: texts, by where they stand in the file."""
    with closing(sqlite3.connect(server.state / "data" / "pieces.sqlite")) as rows:
        return {
            key: (number, text) for number, key, text in rows.execute("SELECT rowid, key, text FROM pieces")
        }


def make_table(dynamodb, name: str) -> str:
    """Make a table; return its id, which no other one has, be it of the same name."""
    return dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableId"]


def test_what_has_not_changed_of_a_table_is_not_written_again(server):
    dynamodb = root(server, "dynamodb")
    make_table(dynamodb, "kept")
    for number in range(50):
        dynamodb.put_item(TableName="kept", Item={"id": {"S": f"item {number}"}, "n": {"N": "1"}})
    eventually(lambda: is_saved(server, "dynamodb", "item 49"))
    before = pieces(server)
    table = server.state / "data" / "dynamodb.json"
    assert len(before) == 50
    assert "item 7" not in table.read_text()
    with closing(sqlite3.connect(server.state / "data" / "pieces.sqlite")) as spy:
        spy.execute("CREATE TABLE written (text)")
        spy.execute(
            "CREATE TRIGGER spy AFTER UPDATE ON pieces BEGIN INSERT INTO written VALUES (new.text); END"
        )
        spy.commit()
        dynamodb.put_item(TableName="kept", Item={"id": {"S": "item 7"}, "n": {"N": "2"}})
        eventually(lambda: spy.execute("SELECT count(*) FROM written").fetchone() == (1,))
        assert '"N": "2"' in spy.execute("SELECT text FROM written").fetchone()[0]
    assert {key: row for key, row in pieces(server).items() if row != before[key]}.keys() == {
        '["item 7", "__no_sort__"]'
    }


def test_items_messages_and_events_come_back_as_they_were_changed_last(server, kill):
    dynamodb, sqs, logs = root(server, "dynamodb"), root(server, "sqs"), root(server, "logs")
    for name in ("kept", "deleted", "made-anew"):
        make_table(dynamodb, name)
        for number in range(3):
            dynamodb.put_item(TableName=name, Item={"id": {"S": f"{name} {number}"}, "b": {"B": b"\xff\x00"}})
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("kept", "deleted", "purged")}
    for name, url in urls.items():
        for number in range(3):
            sqs.send_message(QueueUrl=url, MessageBody=f"{name} {number}")
    for name in ("kept", "deleted"):
        logs.create_log_group(logGroupName=name)
        logs.create_log_stream(logGroupName=name, logStreamName="one")

    def log(at: int, text: str) -> None:
        event = {"timestamp": at, "message": text}
        logs.put_log_events(logGroupName="kept", logStreamName="one", logEvents=[event])

    now = 1000 * int(time.time())
    log(now, "first")
    log(now + 1000, "third")
    eventually(lambda: is_saved(server, "logs", "third") and is_saved(server, "sqs", "purged 2"))

    dynamodb.delete_item(TableName="kept", Key={"id": {"S": "kept 0"}})
    dynamodb.update_item(
        TableName="kept",
        Key={"id": {"S": "kept 1"}},
        UpdateExpression="SET a = :a",
        ExpressionAttributeValues={":a": {"N": "7"}},
    )
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": "kept", "Item": {"id": {"S": "in a transaction"}}}}]
    )
    for name in ("deleted", "made-anew"):
        dynamodb.delete_table(TableName=name)
    made_anew = make_table(dynamodb, "made-anew")
    sqs.purge_queue(QueueUrl=urls["purged"])
    sqs.delete_queue(QueueUrl=urls["deleted"])
    (message,) = sqs.receive_message(QueueUrl=urls["kept"])["Messages"]
    sqs.delete_message(QueueUrl=urls["kept"], ReceiptHandle=message["ReceiptHandle"])
    logs.delete_log_group(logGroupName="deleted")
    log(now + 500, "second")
    sqs.send_message(QueueUrl=urls["kept"], MessageBody="the last")
    eventually(lambda: is_saved(server, "sqs", "the last") and is_saved(server, "logs", "second"))
    eventually(lambda: is_named(server, "dynamodb", made_anew))
    eventually(lambda: not any(is_named(server, name, ":deleted") for name in ("sqs", "logs")))
    eventually(lambda: not is_named(server, "dynamodb", '"deleted"'))
    kill(server.pid)

    again = ministack.start()
    dynamodb, sqs, logs = root(again, "dynamodb"), root(again, "sqs"), root(again, "logs")
    found = {item["id"]["S"]: item for item in dynamodb.scan(TableName="kept")["Items"]}
    assert set(found) == {"kept 1", "kept 2", "in a transaction"}
    assert (found["kept 1"]["a"], found["kept 1"]["b"]) == ({"N": "7"}, {"B": b"\xff\x00"})
    assert dynamodb.describe_table(TableName="kept")["Table"]["ItemCount"] == 3
    assert dynamodb.scan(TableName="made-anew")["Items"] == []
    assert sorted(dynamodb.list_tables()["TableNames"]) == ["kept", "made-anew"]
    bodies = []
    for name in ("kept", "purged"):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [each["Body"] for each in received]
    assert bodies == [f"kept {number}" for number in range(3) if f"kept {number}" != message["Body"]] + [
        "the last"
    ]
    events = logs.get_log_events(logGroupName="kept", logStreamName="one", startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["first", "second", "third"]


def test_points_of_metrics_are_saved_in_pieces_and_come_back(server, kill):
    cloudwatch, now = root(server, "cloudwatch"), int(time.time())

    def put(name: str, *points: tuple[int, float]) -> None:
        of_it = {"MetricName": name, "Dimensions": [{"Name": "of", "Value": "it's \u00fc"}]}
        data = [of_it | {"Timestamp": at, "Value": value} for at, value in points]
        cloudwatch.put_metric_data(Namespace="kept", MetricData=data)

    put("one", (now - 60, 4711), (now, 1))
    put("long ago", (now - 30 * 86400, 4712))
    eventually(lambda: is_saved(server, "cloudwatch", "4711.0"))
    put("one", (now, 4713))
    eventually(lambda: is_saved(server, "cloudwatch", "4713.0"))
    assert not is_named(server, "cloudwatch", "4711.0")
    eventually(lambda: not is_saved(server, "cloudwatch", "4712.0"))
    kill(server.pid)
    cloudwatch = root(ministack.start(), "cloudwatch")
    found = [each["MetricName"] for each in cloudwatch.list_metrics(Namespace="kept")["Metrics"]]
    assert found == ["one"]
    (total,) = cloudwatch.get_metric_statistics(
        Namespace="kept",
        MetricName="one",
        Dimensions=[{"Name": "of", "Value": "it's \u00fc"}],
        StartTime=now - 3600,
        EndTime=now + 3600,
        Period=86400,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert (total["Sum"], total["SampleCount"]) == (4711 + 1 + 4713, 3)


def test_what_was_deleted_and_not_saved_yet_comes_back_whole(server, kill):
    """Killed between the pieces and the files that name the tables, queues and log streams they are of."""
    dynamodb, sqs, logs = root(server, "dynamodb"), root(server, "sqs"), root(server, "logs")
    ids = {name: make_table(dynamodb, name) for name in ("kept", "deleted", "made-anew")}
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("kept", "deleted", "made-anew")}
    for name in urls:
        dynamodb.put_item(TableName=name, Item={"id": {"S": f"item of {name}"}})
        sqs.send_message(QueueUrl=urls[name], MessageBody=f"message of {name}")
        logs.create_log_group(logGroupName=name)
        logs.create_log_stream(logGroupName=name, logStreamName="one")
        event = {"timestamp": 1000 * int(time.time()), "message": f"event of {name}"}
        logs.put_log_events(logGroupName=name, logStreamName="one", logEvents=[event])
    eventually(lambda: all(is_named(server, "dynamodb", table) for table in ids.values()))
    eventually(lambda: all(is_named(server, name, ":made-anew") for name in ("sqs", "logs")))
    eventually(lambda: is_saved(server, "logs", "event of made-anew"))
    in_the_way = [file_of(server, name).with_suffix(".json.tmp") for name in ("dynamodb", "sqs", "logs")]
    for path in in_the_way:
        path.mkdir()

    def delete(names: list[str]) -> None:
        for name in names:
            dynamodb.delete_table(TableName=name)
            sqs.delete_queue(QueueUrl=urls[name])
            logs.delete_log_group(logGroupName=name)

    def said(dynamodb, sqs, logs, name: str) -> list[str]:
        items = [item["id"]["S"] for item in dynamodb.scan(TableName=name)["Items"]]
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, MaxNumberOfMessages=10)
        events = logs.get_log_events(logGroupName=name, logStreamName="one")["events"]
        return [
            *items,
            *(message["Body"] for message in found.get("Messages", [])),
            *(event["message"] for event in events),
        ]

    delete(["deleted", "made-anew"])
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "a later item"}})
    eventually(lambda: is_saved(server, "dynamodb", "a later item"))
    kill(server.pid)
    for path in in_the_way:
        path.rmdir()

    server = ministack.start()
    clients = [root(server, name) for name in ("dynamodb", "sqs", "logs")]
    for name in ("deleted", "made-anew"):
        assert said(*clients, name) == [f"{what} of {name}" for what in ("item", "message", "event")]

    dynamodb, sqs, logs = clients
    for path in in_the_way:
        path.mkdir()
    delete(["deleted", "made-anew"])
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "the last item"}})
    eventually(lambda: is_saved(server, "dynamodb", "the last item"))
    new = make_table(dynamodb, "made-anew")
    sqs.create_queue(QueueName="made-anew")
    logs.create_log_group(logGroupName="made-anew")
    logs.create_log_stream(logGroupName="made-anew", logStreamName="one")
    for path in in_the_way:
        path.rmdir()
    eventually(lambda: is_named(server, "dynamodb", new))
    eventually(lambda: {text for _, text in pieces(server).values() if "of deleted" in text} == set())
    kill(server.pid)
    clients = [root(ministack.start(), name) for name in ("dynamodb", "sqs", "logs")]
    assert sorted(clients[0].list_tables()["TableNames"]) == ["kept", "made-anew"]
    assert said(*clients, "made-anew") == []


def test_a_state_of_before_pieces_is_loaded_and_saved_in_pieces(server, own_home):
    dynamodb, sqs = root(server, "dynamodb"), root(server, "sqs")
    make_table(dynamodb, "kept")
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "an item"}})
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName="kept")["QueueUrl"], MessageBody="a message")
    ministack.stop()
    data = server.state / "data"
    with closing(sqlite3.connect(data / "pieces.sqlite")) as rows:
        kept = {
            kind: (key, json.loads(text))
            for kind, key, text in rows.execute("SELECT kind, key, text FROM pieces")
        }
    for path in data.glob("pieces.sqlite*"):
        path.unlink()
    tables, queues = (json.loads((data / f"{name}.json").read_text()) for name in ("dynamodb", "sqs"))
    (table,) = tables["payload"]["tables"]["data"].values()
    (queue,) = queues["payload"]["queues"]["data"].values()
    table["items"] = {"an item": {"__no_sort__": kept["item"][1]}}
    queue["messages"] = [kept["message"][1]]
    (data / "dynamodb.json").write_text(json.dumps(tables))
    (data / "sqs.json").write_text(json.dumps(queues))

    for _ in range(2):  # once as it was saved before, once in pieces
        server = ministack.start()
        dynamodb, sqs = root(server, "dynamodb"), root(server, "sqs")
        assert dynamodb.scan(TableName="kept")["Items"] == [{"id": {"S": "an item"}}]
        url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]
        (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
        assert message["Body"] == "a message"
        ministack.stop()
        assert "an item" not in (data / "dynamodb.json").read_text()


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
        for path in (own_home / ".local-aws" / "state" / "data").glob("pieces.sqlite*"):
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
