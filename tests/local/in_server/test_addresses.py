"""What is stored with an address is right when the local AWS has another one."""

import json
import os
import socket
from collections.abc import Iterator

import pytest
from support.servers import create_function, eventually, root

from lib.engine.ledger import Ledger
from lib.local import ministack

ARN = "arn:aws:sqs:us-east-1:000000000000:"
FOREIGN = "https://127.0.0.1:1/000000000000/not-ours"
CODE = """
import boto3, json, os
def handle(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def moved(own_home, capfd) -> Iterator[tuple[ministack.LocalAws, ministack.LocalAws, str]]:
    """A local AWS before and after somebody took its port, and what was said about it."""
    before = ministack.start()
    sqs = root(before, "sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("in", "out", "dead")}
    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}dead", "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=urls["in"], Attributes={"RedrivePolicy": redrive})
    variables = {"QUEUE_URL": urls["out"], "FOREIGN": FOREIGN, "URLS": json.dumps(urls)}
    create_function(before, "forwards", CODE, Environment={"Variables": variables})
    root(before, "lambda").create_event_source_mapping(FunctionName="forwards", EventSourceArn=f"{ARN}in")
    Ledger("runbook", "test", "000000000000").record_outputs(
        "migrate", {"queue_url": urls["in"], "bucket": "b"}
    )
    ministack.stop()
    with socket.create_server(("127.0.0.1", before.port)):
        after = ministack.start()
        yield before, after, capfd.readouterr().err


def test_a_mapping_takes_messages_and_the_function_sends_them_on(moved):
    before, after, _ = moved
    sqs = root(after, "sqs")
    old = f"{before.endpoint_url}/000000000000/in"  # whoever has written it down
    sqs.send_message(QueueUrl=old, MessageBody="hello")
    out = sqs.get_queue_url(QueueName="out")["QueueUrl"]
    eventually(lambda: sqs.receive_message(QueueUrl=out, WaitTimeSeconds=1).get("Messages"))


def test_nothing_that_is_told_or_stored_has_the_old_address(moved):
    before, after, _ = moved
    sqs = root(after, "sqs")
    assert {url.rsplit("/", 2)[0] for url in sqs.list_queues()["QueueUrls"]} == {after.endpoint_url}
    environment = root(after, "lambda").get_function_configuration(FunctionName="forwards")["Environment"]
    assert environment["Variables"]["QUEUE_URL"] == f"{after.endpoint_url}/000000000000/out"
    assert environment["Variables"]["FOREIGN"] == FOREIGN
    assert str(before.port) not in json.dumps(environment)
    outputs = Ledger("runbook", "test", "000000000000").outputs()["migrate"]
    assert outputs == {"queue_url": f"{after.endpoint_url}/000000000000/in", "bucket": "b"}
    ministack.stop()
    stored = [
        path for path in (after.state / "data").glob("*.json") if f":{before.port}/" in path.read_text()
    ]
    assert not stored


def test_it_says_who_has_the_port(moved):
    before, after, said = moved
    assert f"from port {before.port}" in said
    assert f"(pid {os.getpid()})" in said
    assert f"to {after.port}." in said


def test_it_stays_where_it_has_moved_to(moved):
    _, after, _ = moved
    ministack.stop()
    assert ministack.start().port == after.port
