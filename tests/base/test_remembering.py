"""A client for one look asks each question once, and gives each who asks an answer of his own."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from lib.base.remembering import remembering
from lib.engine.inventory import Inventory
from lib.resources import s3, sqs


@pytest.fixture
def asked(target):
    """A client of SQS, its queue's URL, and what is really sent."""
    queue = target.client("sqs", "us-east-1").create_queue(QueueName="runbook-test-remembering-q")
    other, sent = target.with_config(target.config), Counter()
    client = other.client("sqs", "us-east-1")
    client.meta.events.register(
        "before-send", lambda event_name, **_: sent.update([event_name.split(".")[-1]])
    )
    yield client, queue["QueueUrl"], sent
    client.delete_queue(QueueUrl=queue["QueueUrl"])


def test_each_question_is_asked_once(asked):
    client, url, sent = asked
    once = remembering(client)
    for names in (["All"], ["Policy"], ["All"]):
        once.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    pages = [
        list(once.get_paginator("list_queues").paginate(QueueNamePrefix="runbook-test-rem")) for _ in "ab"
    ]
    assert pages[0] == pages[1] and pages[0][0]["QueueUrls"] == [url]
    assert sent == {"GetQueueAttributes": 2, "ListQueues": 1}
    client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert sent["GetQueueAttributes"] == 3, "the client itself is as it was"


def test_whoever_changes_an_answer_changes_his_own(asked):
    client, url, _ = asked
    once = remembering(client)
    once.list_queues(QueueNamePrefix="runbook-test-rem")["QueueUrls"].clear()
    assert once.list_queues(QueueNamePrefix="runbook-test-rem")["QueueUrls"] == [url]


def test_writes_and_what_was_an_error_are_sent_each_time(asked):
    client, url, sent = asked
    once = remembering(client)
    for _ in "ab":
        once.send_message(QueueUrl=url, MessageBody="x")
        with pytest.raises(ClientError, match="NonExistentQueue|QueueDoesNotExist"):
            once.get_queue_url(QueueName="runbook-test-remembering-none")
    assert sent == {"SendMessage": 2, "GetQueueUrl": 2}


def test_what_is_read_as_a_stream_is_read_each_time(target, stack):
    bucket = stack.add(s3.Bucket("remembering", "us-east-1"))
    stack.apply()
    once = remembering(target.client("s3", "us-east-1"))
    once.put_object(Bucket=bucket.name, Key="a", Body=b"1")
    assert [once.get_object(Bucket=bucket.name, Key="a")["Body"].read() for _ in "ab"] == [b"1", b"1"]


def test_a_second_look_sees_what_is_new(target, parameters, stack):
    inventory = Inventory(target, parameters)
    before = len(inventory.of_type(sqs.Queue))
    stack.add(sqs.Queue("new", "us-east-1"))
    stack.apply()
    assert len(inventory.of_type(sqs.Queue)) == before + 1
