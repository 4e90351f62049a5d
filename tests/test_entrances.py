"""Events sent into a pipeline's entrance are what the handlers understand, whatever the key."""

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lib.entrances import ObjectEvent, send
from lib.pipelines import pipelines
from lib.resources.sqs import Queue

TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
EVENTS = Path(__file__).parents[1] / "handlers" / "common" / "events.py"


def handlers_events():
    spec = importlib.util.spec_from_file_location("handlers_events", EVENTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_handlers_read_what_was_sent(parameters, key):
    bucket = pipelines(parameters)["migrate"].source
    sent = ObjectEvent("ObjectCreated:Put", key, TIME, 5, "e1", "v1")

    (read,) = handlers_events().object_events(sent.message(bucket))

    assert (read.event_name, read.key, read.event_time) == ("ObjectCreated:Put", key, TIME)
    assert (read.size, read.etag, read.version_id) == (5, "e1", "v1")
    assert (read.bucket, read.region) == (bucket.name, bucket.region)


def test_a_queue_gets_each_event_once(stack, parameters):
    bucket = pipelines(parameters)["migrate"].source
    queue = stack.add(Queue("uploads", "us-east-1"))
    stack.apply()
    keys = [f"key {number}" for number in range(23)]

    send(stack.target, queue, bucket, [ObjectEvent("ObjectCreated:Put", key, TIME, 1, "e") for key in keys])

    client, found = stack.client(queue), []
    url = queue.output(client)
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    events = handlers_events()
    assert sorted(event.key for body in found for event in events.object_events(body)) == sorted(keys)
