"""Events sent into a pipeline's entrance are what the handlers understand, whatever the key."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.calls import Recorder, watched
from support.handler_support import load_handler
from support.the_five import pipelines

from lib.base.errors import RunbookError
from lib.base.threads import WORKERS
from lib.operate import entrances
from lib.operate.entrances import ObjectEvent, sending
from lib.operate.pipelines import FunctionName
from lib.resources.sqs import Queue

TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def handlers_events():
    load_handler("index")
    return sys.modules["common.events"]


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_handlers_read_what_was_sent(parameters, key):
    bucket = pipelines(parameters)["migrate"].source
    sent = ObjectEvent("ObjectCreated:Put", key, TIME, 5, "e1", "v1")

    before = datetime.now(UTC)
    (read,) = handlers_events().object_events(sent.message(bucket))

    assert before - timedelta(milliseconds=1) <= read.sent_time <= datetime.now(UTC)
    assert read.lag_seconds < (datetime.now(UTC) - TIME).total_seconds() / 2, "an object's age is no lag"
    assert (read.event_name, read.key, read.event_time) == ("ObjectCreated:Put", key, TIME)
    assert (read.size, read.etag, read.version_id) == (5, "e1", "v1")
    assert (read.bucket, read.region) == (bucket.name, bucket.region)


def test_a_queue_gets_each_event_once(stack, parameters):
    bucket = pipelines(parameters)["migrate"].source
    queue = stack.add(Queue("uploads", "us-east-1"))
    stack.apply()
    keys = [f"key {number}" for number in range(23)]

    with sending(stack.target, queue, bucket) as send:
        send([ObjectEvent("ObjectCreated:Put", key, TIME, 1, "e") for key in keys])

    client, found = stack.client(queue), []
    url = queue.output(client)
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    events = handlers_events()
    assert sorted(event.key for body in found for event in events.object_events(body)) == sorted(keys)


def test_a_queue_s_url_is_asked_for_once(stack, parameters):
    bucket, calls = pipelines(parameters)["migrate"].source, Recorder()
    queue = stack.add(Queue("uploads", "us-east-1"))
    stack.apply()
    with sending(watched(stack.target, "before-call", calls), queue, bucket) as send_all:
        for number in range(5):
            send_all([ObjectEvent("ObjectCreated:Put", f"key {number}", TIME, 1, "e")])
    assert calls.made == ["GetQueueUrl", *["SendMessageBatch"] * 5]


def test_however_many_threads_send_no_more_invoke_than_the_client_keeps_connections(target, parameters):
    """The function is not there: each call is refused, and counted all the same."""
    bucket, lock, at_work, most = pipelines(parameters)["migrate"].source, Lock(), 0, 0

    def count(change: int) -> None:
        nonlocal at_work, most
        with lock:
            at_work += change
            most = max(most, at_work)

    counted = watched(target, "before-call", lambda **_: count(+1))
    counted.session.events.register("after-call", lambda **_: count(-1))
    events = [ObjectEvent("ObjectCreated:Put", f"key {number}", TIME, 1, "e") for number in range(20)]
    nowhere = FunctionName(f"{parameters.prefix}-{parameters.env}-nowhere", "us-east-1")
    with sending(counted, nowhere, bucket) as send_all, ThreadPoolExecutor(8) as threads:
        refused = [sent.exception() for sent in [threads.submit(send_all, events) for _ in range(8)]]
    assert all("Function not found" in str(error) for error in refused)
    assert 1 < most <= WORKERS


class Picky:
    """An SQS client that refuses some messages of a batch, as often as it is told."""

    def __init__(self, times: int):
        self.times, self.taken = times, []

    def send_message_batch(self, **asked) -> dict:
        refused = [entry for entry in asked["Entries"] if entry["Id"] in "37"] if self.times > 0 else []
        self.times -= 1
        self.taken += [entry["MessageBody"] for entry in asked["Entries"] if entry not in refused]
        return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in refused]}


def test_what_sqs_has_not_taken_of_a_batch_is_sent_again(monkeypatch):
    monkeypatch.setattr(entrances, "LONGEST_WAIT_S", 0.01)
    client, bodies = Picky(times=2), [f"{number}" for number in range(23)]
    entrances._to_queue(client, "url", bodies)
    assert sorted(client.taken, key=int) == bodies


def test_what_it_does_not_take_for_long_is_an_error(monkeypatch):
    monkeypatch.setattr(entrances, "LONGEST_WAIT_S", 0.01)
    with pytest.raises(RunbookError, match="url did not accept 2 messages, the first: .*InternalError"):
        entrances._to_queue(Picky(times=100), "url", [f"{number}" for number in range(10)])
