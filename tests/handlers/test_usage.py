"""What an object uses, as the estimate of cost has it, is what the handlers really call."""

from collections import Counter
from contextlib import contextmanager

import pytest
from handler_user import lambda_context
from index_table import Index
from s3_messages import raw, s3_event, s3_record, sqs_event

from lib.operate.observe import usage
from lib.parameters import Parameters

READS = {"HeadObject", "GetObject", "GetObjectTagging"}


@pytest.fixture(scope="module")
def index(operator, as_handler):
    return Index.make(operator, as_handler, versioned=True)


@contextmanager
def counted(*clients):
    """Yield the counts of what these clients call meanwhile, by the names of the prices."""
    seen = Counter()

    def note(model, **_):
        service = model.service_model.service_name
        seen[f"{service}_{'read' if model.name in READS else 'write'}"] += 1

    for client in clients:
        client.meta.events.register("before-call", note)
    yield seen
    for client in clients:
        client.meta.events.unregister("before-call", note)


def expected(pipeline: str) -> dict[str, float]:
    used = usage.per_object(Parameters(), pipeline, 4)
    return {name: amount for name, amount in used.items() if name.startswith(("s3_", "dynamodb_"))}


def test_replicate(replicate, pair):
    pair.source.put("new")
    with counted(replicate.client("s3", "us-west-1"), replicate.client("s3", "us-east-1")) as calls:
        body = raw(s3_event(s3_record(pair.source.bucket, "new")))
        replicate.handler(sqs_event(body), lambda_context("replicate"))
    assert calls == expected("migrate") == expected("backup")


def test_index(index):
    record = index.put("new.txt", b"text", ContentType="text/plain")
    table = index.module.table(index.table.name)
    with counted(index.module.client("s3", "us-west-1"), table.meta.client) as calls:
        index.deliver(record)
    assert calls == expected("index")
