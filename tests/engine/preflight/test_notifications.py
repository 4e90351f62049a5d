"""Notifications: which would be for the same events, and which make a function run itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.zips import a_zip

from lib.engine.preflight.notifications import Entry, destinations, loops, overlaps
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import iam, lambda_, s3, sns, sqs
from lib.resources.policies import document

HERE = "us-east-1"
PARTS = st.text("ab/*?", max_size=3)


@given(PARTS, PARTS, PARTS, PARTS, PARTS)
def test_two_overlap_if_some_key_is_of_both(prefix, suffix, other_prefix, other_suffix, between):
    events = ("s3:ObjectCreated:*",)
    one = Entry("one", events, prefix, suffix)
    other = Entry("other", events, other_prefix, other_suffix)
    assert one.overlaps(other) == other.overlaps(one)
    assert one.overlaps(one)
    key = prefix + between + suffix
    if key.startswith(other_prefix) and key.endswith(other_suffix):
        assert one.overlaps(other), key
    longer = [other_prefix.startswith(prefix), prefix.startswith(other_prefix)]
    if not any(longer):
        assert not one.overlaps(other)


@pytest.mark.parametrize(
    ("events", "both"),
    [
        (("s3:ObjectCreated:Put",), True),
        (("s3:ObjectRemoved:*",), False),
        (("s3:ObjectRemoved:*", "s3:ObjectCreated:Copy"), True),
    ],
)
def test_of_other_events_they_are_apart(events, both):
    assert Entry("one", ("s3:ObjectCreated:*",), "", "").overlaps(Entry("two", events, "", "")) is both


@pytest.fixture
def stack() -> Stack:
    """An empty stack that is described only; nobody is asked."""
    return Stack(None, Parameters.check({"env": "test"}), "migrate")


def function(stack: Stack, writes: str, what: str = "work", **environment: str) -> lambda_.Function:
    """A function that may put objects."""
    put = {"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": writes}
    role = stack.add(iam.Role(what, HERE, trusts="lambda.amazonaws.com", policy=document([put])))
    return stack.add(
        lambda_.Function(what, HERE, role=role, code=a_zip(""), environment={"X": "x", **environment})
    )


def notify(stack: Stack, destination, key_prefix: str = "") -> s3.BucketNotification:
    bucket = stack.add(s3.Bucket("files", HERE))
    return stack.add(
        s3.BucketNotification(
            f"to-{destination.what}", HERE, bucket=bucket, destination=destination, key_prefix=key_prefix
        )
    )


def looping(stack: Stack) -> list[str]:
    return [resource.what for resource, _ in loops(stack.resources.values())]


def files(stack: Stack, pattern: str) -> str:
    return f"{stack.add(s3.Bucket('files', HERE)).arn}/{pattern}"


@pytest.mark.parametrize(("writes", "loop"), [("*", ["to-work"]), ("out/*", []), ("in/done/*", ["to-work"])])
def test_a_function_that_may_write_what_runs_it_loops(stack, writes, loop):
    notify(stack, function(stack, files(stack, writes)), key_prefix="in/")
    assert looping(stack) == loop


def test_by_the_detour_of_topic_and_queue_too(stack):
    topic, queue = stack.add(sns.Topic("news", HERE)), stack.add(sqs.Queue("work", HERE))
    stack.add(sns.Subscription("news", HERE, topic=topic, endpoint=queue.arn))
    work = function(stack, files(stack, "in/*"))
    notify(stack, topic, key_prefix="in/")
    assert looping(stack) == [], "nothing runs the function yet"
    stack.add(lambda_.EventSourceMapping("work", HERE, queue=queue, function=work))
    assert looping(stack) == ["to-news"]


def test_by_a_function_that_it_hands_over_to_too(stack):
    second = function(stack, files(stack, "in/*"), "second")
    first = function(stack, files(stack, "out/*"), "first", NEXT_FUNCTION=second.name)
    notify(stack, first, key_prefix="in/")
    assert looping(stack) == ["to-first"]


def test_two_that_run_each_other_are_both_told(stack):
    notify(stack, function(stack, files(stack, "b/*"), "one"), key_prefix="a/")
    notify(stack, function(stack, files(stack, "a/*"), "two"), key_prefix="b/")
    assert sorted(looping(stack)) == ["to-one", "to-two"]
    assert list(overlaps(stack.resources.values())) == []


@pytest.mark.parametrize(
    ("event", "action", "loop"),
    [
        ("s3:ObjectTagging:*", "s3:PutObjectTagging", True),
        ("s3:ObjectTagging:Put", "s3:PutObjectVersionTagging", True),
        ("s3:ObjectTagging:Delete", "s3:PutObjectTagging", False),
        ("s3:ObjectTagging:Delete", "s3:DeleteObjectTagging", True),
        ("s3:ObjectRemoved:*", "s3:DeleteObjectVersion", True),
        ("s3:ObjectRemoved:Delete", "s3:DeleteObjectVersion", True),
        ("s3:ObjectRemoved:DeleteMarkerCreated", "s3:DeleteObjectVersion", False),
        ("s3:ObjectRemoved:DeleteMarkerCreated", "s3:DeleteObject", True),
        ("s3:ObjectAcl:Put", "s3:PutObjectAcl", True),
        ("s3:ObjectRestore:Post", "s3:RestoreObject", True),
        ("s3:ObjectCreated:Put", "s3:PutObjectTagging", False),
    ],
)
def test_who_tags_or_deletes_what_it_is_told_of_loops_too(stack, event: str, action: str, loop: bool):
    work = function(stack, files(stack, "*"))
    work.role.policy["Statement"][0]["Action"] = action
    notify(stack, work).events = (event,)
    assert looping(stack) == ["to-work"] * loop


def test_a_function_that_is_denied_to_write_what_runs_it_does_not_loop(stack):
    work = function(stack, files(stack, "*"))
    deny = {"Sid": "No", "Effect": "Deny", "Action": "s3:Put*", "Resource": files(stack, "in/*")}
    work.role.policy["Statement"].append(deny)
    notify(stack, work, key_prefix="in/")
    assert looping(stack) == []


# What a key has, and a pattern would take for any text or character.
@pytest.mark.parametrize(
    ("prefix", "other"),
    [("what?/", "whats/"), ("a*c/", "abc/"), ("x" * 1000 + "a", "x" * 1000 + "b"), ("é" * 100, "è" * 100)],
)
def test_disjoint_prefixes_of_any_characters_do_not_overlap(stack, prefix: str, other: str):
    for number, each in enumerate((prefix, other)):
        queue = stack.add(sqs.Queue(f"q{number}", HERE))
        notify(stack, queue, key_prefix=each)
    assert list(overlaps(stack.resources.values())) == []
    writes = function(stack, files(stack, f"{other}*"))
    notify(stack, writes, key_prefix=prefix)
    assert looping(stack) == []


def test_two_buckets_may_send_to_one_queue_by_a_wildcard(stack):
    queue = stack.add(sqs.Queue("work", HERE))
    queue.senders = {"s3.amazonaws.com": f"arn:aws:s3:::{stack.scope.beginning}*"}
    for what in ("one", "two"):
        bucket = stack.add(s3.Bucket(what, HERE))
        stack.add(s3.BucketNotification(what, HERE, bucket=bucket, destination=queue))
    assert list(destinations(stack.resources.values())) == []
    queue.senders = {"s3.amazonaws.com": f"arn:aws:s3:::{stack.scope.beginning}one*"}
    assert [one.what for one, _ in destinations(stack.resources.values())] == ["two"]
