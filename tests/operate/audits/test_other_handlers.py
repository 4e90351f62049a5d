"""Handlers that nobody names: what they make of an object is in their facts, and is audited by that."""

from collections.abc import Iterator

import pytest
from support.audited import audited
from support.cleanup import remove
from support.described import CODE

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.operate import facts
from lib.operate.audits.comparisons import NOT_KNOWN, why_not
from lib.operate.facts import Facts
from lib.operate.pipelines import deployed
from lib.parameters import Parameters
from lib.resources.dynamodb import Table
from lib.resources.iam import Role
from lib.resources.lambda_ import EventSourceMapping, Function
from lib.resources.s3 import Bucket, BucketNotification
from lib.resources.sqs import DAY_S, Queue
from lib.target import Target, connect

REGION = "us-east-1"
# No rows of deletes, no types, and names of their own.
ITEM = {"kind": "item", "key": "name", "size": "length", "etag": "md5"}
RESULTS = {
    "mirror": {"kind": "copy"},
    "ledger": ITEM,
    "render": {"kind": "derived", "keys": ["{PICTURES}{folder}{stem}.png"], "told_in": "metadata"},
    "shout": {"kind": "nothing", "why": "what is shouted is gone"},
}
PIPELINES = {"mirror": "twins", "ledger": "books", "render": "frames", "shout": "noise"}


def of(name: str) -> Facts:
    said = {"outcomes": {"done": "Done"}, "metrics": {"Done": {"unit": "Count", "counts": "things"}}}
    said |= {"work": "Done", "seconds": 1, "log_bytes": 1, "calls": {}, "result": RESULTS[name]}
    return Facts.model_validate({**said, "name": name})


@pytest.fixture(scope="module", autouse=True)
def known() -> Iterator[None]:
    """Handlers that are not in the project; none of them says in which pipeline it is."""
    with pytest.MonkeyPatch.context() as patch:
        every = dict(facts.every()) | {name: of(name) for name in RESULTS}
        patch.setattr(facts, "every", lambda: every)
        yield


@pytest.fixture(scope="module")
def own() -> Parameters:
    return Parameters.check({"env": "tothers", "exercise": False})


@pytest.fixture(scope="module")
def aws(local_aws, own) -> Target:
    return connect(own)


@pytest.fixture(scope="module")
def stacks(aws, own) -> Iterator[dict[str, Stack]]:
    """S3 → SQS → Lambda, which does nothing: what it would make is put there by the tests."""
    made = {handler: describe(aws, own, handler) for handler in PIPELINES}
    for stack in made.values():
        stack.apply()
    yield made
    for stack in made.values():
        remove(stack)


def describe(aws: Target, own: Parameters, handler: str) -> Stack:
    stack = Stack(aws, own, PIPELINES[handler])
    source = stack.add(Bucket("in", REGION, role="source"))
    dead = stack.add(Queue("dead", REGION, retention_s=14 * DAY_S))
    senders = {"s3.amazonaws.com": source.arn}
    queue = stack.add(Queue("in", REGION, visibility_timeout_s=360, dead_letter=dead, senders=senders))
    if handler == "ledger":
        stack.add(Table("entries", REGION, partition_key="name", role="destination"))
    else:
        stack.add(Bucket("out", REGION, role="destination"))
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    allowed = {"Effect": "Allow", "Action": actions, "Resource": queue.arn}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    role = stack.add(Role(handler, "us-east-1", trusts="lambda.amazonaws.com", policy=policy))
    function = Function(handler, REGION, role=role, code=CODE, environment={"PICTURES": "pictures/"})
    stack.add(function)
    stack.add(EventSourceMapping("in", REGION, queue=queue, function=function))
    keys = {"key_prefix": "in/", "key_suffix": ".txt"}
    stack.add(BucketNotification("in", REGION, bucket=source, destination=queue, **keys))
    return stack


@pytest.fixture
def states(aws, own, stacks):
    def of(handler: str) -> dict[str, str]:
        found = audited(aws, own, PIPELINES[handler]).findings
        return {each.key: each.state for each in found}

    return of


@pytest.fixture
def ends(aws, own, stacks):
    def of(handler: str) -> tuple:
        pipeline = deployed(aws, own, PIPELINES[handler])
        return aws.client("s3", REGION), pipeline.source.name, pipeline.destination.name

    return of


def put(client, bucket: str, key: str, body: bytes, **more) -> dict:
    client.put_object(Bucket=bucket, Key=key, Body=body, **more)
    return client.head_object(Bucket=bucket, Key=key)


def test_one_that_copies(states, ends):
    client, source, target = ends("mirror")
    for key in ("in/same.txt", "in/other.txt", "in/missing.txt", "in/not followed", "other.txt"):
        put(client, source, key, b"1")
    put(client, target, "in/same.txt", b"1")
    put(client, target, "in/other.txt", b"2")
    assert states("mirror") == {"in/other.txt": "stale", "in/missing.txt": "missing"}


def test_one_that_writes_items_with_names_of_its_own(aws, states, ends):
    client, source, table = ends("ledger")
    dynamodb = aws.client("dynamodb", REGION)

    def item(key: str, head: dict, etag: str = "") -> None:
        told = {"length": {"N": str(head["ContentLength"])}, "md5": {"S": etag or head["ETag"].strip('"')}}
        dynamodb.put_item(TableName=table, Item={"name": {"S": key}, **told})

    for key in ("in/same.txt", "in/missing.txt", "other.txt"):
        head = put(client, source, key, b"1", ContentType="text/plain")
    item("in/same.txt", head)
    item("in/stale.txt", put(client, source, "in/stale.txt", b"1"), etag="of another one")
    item("in/never.txt", head)
    item("elsewhere", head)
    found = states("ledger")
    assert found == {"in/stale.txt": "stale", "in/missing.txt": "missing", "in/never.txt": "extra"}


def test_one_that_derives_says_so_in_metadata(states, ends):
    client, source, target = ends("render")
    heads = {
        key: put(client, source, key, b"1") for key in ("in/a/same.txt", "in/stale.txt", "in/missing.txt")
    }
    heads["in/unsaid.txt"] = put(client, source, "in/unsaid.txt", b"1")

    def derived(key: str, head: dict, **changed) -> None:
        told = {"source-etag": head["ETag"].strip('"'), "source-size-bytes": "1"}
        told |= {"source-version-id": head["VersionId"], **changed}
        put(
            client,
            target,
            f"pictures/{key.removeprefix('in/').removesuffix('.txt')}.png",
            b"x",
            Metadata=told,
        )

    derived("in/a/same.txt", heads["in/a/same.txt"])
    derived("in/stale.txt", heads["in/stale.txt"], **{"source-etag": "of another one"})
    derived("in/never.txt", heads["in/a/same.txt"])
    put(client, target, "pictures/unsaid.png", b"x")
    put(client, target, "elsewhere/mine.png", b"x")
    assert states("render") == {
        "in/stale.txt": "stale",
        "in/missing.txt": "missing",
        "in/unsaid.txt": "stale",
        "pictures/never.png": "extra",
    }


def test_one_of_which_nothing_is_left_is_not_judged_and_says_why(aws, own, stacks, states):
    assert why_not(deployed(aws, own, "noise")).endswith("could be compared: what is shouted is gone")
    with pytest.raises(RunbookError, match="noise: there is nothing that could be compared"):
        states("shout")


def test_one_whose_outcome_is_somewhere_else_than_it_says_is_not_judged(aws, own, stacks, monkeypatch):
    changed = dict(facts.every()) | {"ledger": of("mirror").model_copy(update={"name": "ledger"})}
    monkeypatch.setattr(facts, "every", lambda: changed)
    assert "makes a copy, but DynamoDB table" in why_not(deployed(aws, own, "books"))


def test_one_that_says_nothing_is_not_known(aws, own, stacks, monkeypatch):
    changed = {name: said for name, said in facts.every().items() if name != "mirror"}
    monkeypatch.setattr(facts, "every", lambda: changed)
    assert why_not(deployed(aws, own, "twins")) == NOT_KNOWN
