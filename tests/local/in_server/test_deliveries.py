"""What is on its way when the local AWS is stopped or killed arrives all the same."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from support.servers import create_function, eventually, is_saved, root

from lib.local import ministack

OBJECTS = 5
PART = b"x" * (5 * 1024 * 1024)
# Takes note of each invocation, waits for the gate, and takes note of what it has done.
GATED = """
import json, pathlib, time, uuid
def handle(event, context):
    folder = pathlib.Path({folder!r})
    for record in event.get("Records", [event]):
        name = record["s3"]["object"]["key"] if "s3" in record else record.get("messageId", event.get("id"))
        (folder / f"begun-{{name}}-{{uuid.uuid4()}}").touch()
        while not (folder / "gate").exists():
            time.sleep(0.05)
        (folder / f"done-{{name}}").write_text(json.dumps(record))
"""
FAILING = """
import pathlib, uuid
def handle(event, context):
    (pathlib.Path({folder!r}) / f"attempt-{{uuid.uuid4()}}").touch()
    raise ValueError("never")
"""


@pytest.fixture
def server(own_home: Path) -> ministack.LocalAws:
    return ministack.start()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where functions take note; the gate opens after the test, so that none waits for ever."""
    made = tmp_path_factory.mktemp("functions")
    yield made
    (made / "gate").touch()


def stop(_: ministack.LocalAws) -> None:
    assert ministack.stop()


def terminate(server: ministack.LocalAws) -> None:
    """As a shutdown of the machine does; told twice, it ends once."""
    os.kill(server.pid, signal.SIGTERM)
    os.kill(server.pid, signal.SIGTERM)
    eventually(lambda: ministack.status() is None)


def kill(server: ministack.LocalAws) -> None:
    psutil.Process(server.pid).kill()
    eventually(lambda: ministack.status() is None)


def seen(folder: Path, what: str) -> list[str]:
    return [path.name for path in folder.glob(f"{what}-*")]


def bucket_telling(server: ministack.LocalAws, name: str, **notification: list) -> Callable[[int], None]:
    """Return what puts objects into a new bucket that tells of them."""
    s3 = root(server, "s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=notification)
    return lambda number: s3.put_object(Bucket=name, Key=f"key-{number:03}", Body=b"x")


@pytest.mark.parametrize("end", [stop, terminate, kill])
def test_events_of_s3_for_a_function(server, folder, end):
    made = create_function(server, "gated", GATED.format(folder=str(folder)))
    told = {"LambdaFunctionArn": made["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    put = bucket_telling(server, "told", LambdaFunctionConfigurations=[told])
    eventually(lambda: is_saved(server, "lambda", "gated"))
    for number in range(OBJECTS):
        put(number)
    eventually(lambda: seen(folder, "begun"))  # some are in a handler's hand, some may not be begun
    end(server)
    assert not seen(folder, "done")
    # After a kill, what is done and not saved counts too.
    assert ministack.on_their_way() == OBJECTS or (end is kill and ministack.on_their_way() > OBJECTS)

    (folder / "gate").touch()
    ministack.start()
    eventually(lambda: len(seen(folder, "done")) == OBJECTS)
    eventually(lambda: ministack.on_their_way() == 0)


def test_events_keep_their_time_and_their_order(server, folder):
    made = create_function(server, "gated", GATED.format(folder=str(folder)))
    told = {"LambdaFunctionArn": made["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    put = bucket_telling(server, "told", LambdaFunctionConfigurations=[told])
    put(1), put(2)
    eventually(lambda: len(seen(folder, "begun")) == 2)
    before = root(server, "s3").list_objects_v2(Bucket="told")["Contents"]
    ministack.stop()
    (folder / "gate").touch()
    ministack.start()
    eventually(lambda: len(seen(folder, "done")) == 2)
    first, second = (json.loads((folder / f"done-key-{number:03}").read_text()) for number in (1, 2))
    assert first["s3"]["object"]["sequencer"] < second["s3"]["object"]["sequencer"]
    assert first["eventTime"][:19] == before[0]["LastModified"].isoformat()[:19]


def test_an_event_is_written_down_before_the_call_is_answered(server):
    """And stays so until what it has done is saved, which may be at once, but not five times."""
    arn = root(server, "sns").create_topic(Name="told")["TopicArn"]
    put = bucket_telling(
        server, "told", TopicConfigurations=[{"TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}]
    )

    def written(number: int) -> bool:
        put(number)
        with closing(sqlite3.connect(server.state / "data" / "deliveries.sqlite")) as rows:
            facts = [json.loads(found) for (found,) in rows.execute("SELECT facts FROM deliveries")]
        return f"key-{number:03}" in [each["arguments"][1] for each in facts if each["kind"] == "s3"]

    assert any(written(number) for number in range(5))


@pytest.mark.parametrize("end", [stop, kill])
def test_events_that_are_not_delivered_yet(server, end):
    """Written down, and not yet with the queue: the journal is all that knows of them."""
    sqs = root(server, "sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:told"
    allowed = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    secure = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [each | {"Resource": arn} for each in (allowed, secure)]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    bucket_telling(server, "told", QueueConfigurations=[{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}])
    eventually(lambda: is_saved(server, "sqs", "SecureTransport"))
    named = {"size": 1, "etag": "e", "sequencer": "01", "record_extra": {}}
    facts = {"kind": "s3", "account": "000000000000", "region": "us-east-1", "named": named}
    facts["arguments"] = ["told", "a key", "s3:ObjectCreated:Put"]
    end(server)
    with sqlite3.connect(server.state / "data" / "deliveries.sqlite") as rows:
        rows.execute("INSERT INTO deliveries (facts) VALUES (?)", [json.dumps(facts)])
    rows.close()

    again = root(ministack.start(), "sqs")
    bodies = []

    def received() -> bool:
        for message in again.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            bodies.append(json.loads(message["Body"]))
        return any("Records" in body for body in bodies)

    eventually(received)
    assert [body["Records"][0]["s3"]["object"]["key"] for body in bodies if "Records" in body] == ["a+key"]


@pytest.mark.parametrize("end", [stop, kill])
def test_retries_go_on_as_they_were_counted_and_then_to_the_destination(server, folder, end):
    made = create_function(server, "failing", FAILING.format(folder=str(folder)))
    url = root(server, "sqs").create_queue(QueueName="failures")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:failures"
    functions = root(server, "lambda")
    functions.put_function_event_invoke_config(
        FunctionName=made["FunctionName"], DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    eventually(lambda: is_saved(server, "lambda", "failures"))
    functions.invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"a": 1}')
    eventually(lambda: seen(folder, "attempt"))
    end(server)

    again = root(ministack.start(), "sqs")
    messages = []

    def received() -> bool:
        messages.extend(again.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []))
        return bool(messages)

    eventually(received)
    assert json.loads(messages[0]["Body"])["requestPayload"] == {"a": 1}
    assert len(messages) == 1
    # A kill may come between an attempt and its being counted.
    assert len(seen(folder, "attempt")) in ((3,) if end is stop else (3, 4))


def test_messages_in_a_handlers_hand_have_not_been_received(server, folder):
    """A stop costs a message none of the times that it may be received."""
    made = create_function(server, "gated", GATED.format(folder=str(folder)))
    sqs, queue = root(server, "sqs"), "arn:aws:sqs:us-east-1:000000000000:"
    sqs.create_queue(QueueName="dead")
    redrive = json.dumps({"deadLetterTargetArn": f"{queue}dead", "maxReceiveCount": 1})
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "3600"}
    url = sqs.create_queue(QueueName="work", Attributes=attributes)["QueueUrl"]
    root(server, "lambda").create_event_source_mapping(
        FunctionName=made["FunctionName"], EventSourceArn=f"{queue}work", BatchSize=1
    )
    for number in range(OBJECTS):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for _ in range(2):  # twice
        eventually(lambda: seen(folder, "begun"))
        ministack.stop()
        for path in folder.glob("begun-*"):
            path.unlink()
        again = ministack.start()

    (folder / "gate").touch()
    eventually(lambda: len(seen(folder, "done")) == OBJECTS)
    counts = {
        json.loads(path.read_text())["attributes"]["ApproximateReceiveCount"]
        for path in folder.glob("done-*")
    }
    assert counts == {"1"}
    dead = root(again, "sqs").get_queue_attributes(
        QueueUrl=url.replace("work", "dead"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert dead["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_a_throttled_event_waits(server, folder):
    made = create_function(server, "gated", GATED.format(folder=str(folder)))
    functions = root(server, "lambda")
    functions.put_function_concurrency(FunctionName="gated", ReservedConcurrentExecutions=1)
    functions.put_function_event_invoke_config(FunctionName="gated", MaximumRetryAttempts=0)
    for number in range(OBJECTS):
        payload = json.dumps({"id": number})
        functions.invoke(FunctionName=made["FunctionName"], InvocationType="Event", Payload=payload)
    eventually(lambda: seen(folder, "begun"))
    (folder / "gate").touch()
    eventually(lambda: len(seen(folder, "done")) == OBJECTS)


def test_a_multipart_upload_goes_on(server):
    s3, name = root(server, "s3"), {"Bucket": "parts", "Key": "in parts"}
    s3.create_bucket(Bucket="parts")
    upload = name | {"UploadId": s3.create_multipart_upload(**name, Tagging="a=b")["UploadId"]}
    first = s3.upload_part(**upload, PartNumber=1, Body=PART)["ETag"]
    ministack.stop()

    s3 = root(ministack.start(), "s3")
    second = s3.upload_part(**upload, PartNumber=2, Body=b"end")["ETag"]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in ((1, first), (2, second))]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**name)["Body"].read() == PART + b"end"
    assert s3.get_object_tagging(**name)["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_a_function_that_was_just_created_becomes_active(server, folder):
    create_function(server, "gated", GATED.format(folder=str(folder)))
    ministack.stop()
    functions = root(ministack.start(), "lambda")
    eventually(lambda: functions.get_function(FunctionName="gated")["Configuration"]["State"] == "Active")


def test_a_stop_that_takes_long_says_what_it_waits_for(server, folder):
    create_function(server, "gated", GATED.format(folder=str(folder)))
    root(server, "lambda").invoke(FunctionName="gated", InvocationType="Event", Payload=b'{"id": "one"}')
    eventually(lambda: seen(folder, "begun"))
    said: list[str] = []
    assert ministack.stop(say=said.append)
    assert "stopping; functions still run: gated (1) …" in said


def test_a_stop_that_cannot_save_says_so(server):
    root(server, "sqs").create_queue(QueueName="kept")
    eventually(lambda: is_saved(server, "sqs", "kept"))
    (in_the_way := server.state / "data" / "sqs.json.tmp").mkdir()
    root(server, "sqs").create_queue(QueueName="later")
    with pytest.raises(ministack.LocalAwsError, match=r"(?s)could not save all.*failed to save sqs"):
        ministack.stop()
    in_the_way.rmdir()
    assert root(ministack.start(), "sqs").list_queues()["QueueUrls"]
    assert ministack.stop()
