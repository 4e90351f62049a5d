"""What is missing after a backfill: every object that was to be sent and is not in place, and no other."""

import secrets

import pytest
from support.backfill_pipeline import Queued
from support.cleanup import remove

from lib.engine.checklist import Checklist
from lib.operate.backfills.arrivals import POLL_S, RESTS_S, enter, missing, still_waiting, until_in_place
from lib.operate.backfills.backfill import selection


@pytest.fixture(scope="module")
def queued(local_aws):
    """Objects in the source, those in `sent/` too, and one in the destination that the source never had."""
    queued = Queued(f"t{secrets.token_hex(3)}")
    queued.put(["a/1", "a/2", "sent/1", "sent/2", "z/1"])
    destination = queued.destination
    queued.stack.client(destination).put_object(Bucket=destination.name, Key="a/extra", Body=b"1")
    yield queued
    remove(queued.stack)


def missing_keys(queued: Queued, most: int = 1000, **backfill) -> list[str]:
    parameters = queued.parameters(**backfill)
    audit = parameters.audit.model_copy(update={"most": most})
    found = missing(queued.target, parameters.model_copy(update={"audit": audit}))
    assert set(found["state"]) <= {"missing"}
    return list(found["key"])


@pytest.mark.parametrize("most", [1, 2, 1000])
def test_however_few_differences_an_audit_keeps_all_that_are_missing_are_told(queued, most):
    assert missing_keys(queued, most, key_prefix="sent/") == ["sent/1", "sent/2"]
    assert missing_keys(queued, most) == ["a/1", "a/2", "sent/1", "sent/2", "z/1"]


def test_what_was_not_to_be_sent_is_not_missing(queued):
    assert missing_keys(queued, modified_after="2999-01-01T00:00:00Z") == []
    assert missing_keys(queued, modified_before="2026-01-01T00:00:00Z") == []
    assert len(missing_keys(queued, modified_before="2999-01-01T00:00:00Z")) == 5


@pytest.fixture
def stray(queued, somebody):
    """The queue, with a message that nobody works on; while it is hidden, a message is for two minutes."""
    queued.received()
    client = somebody("sqs", queued.queue.region)
    url = client.get_queue_url(QueueName=queued.queue.name)["QueueUrl"]
    before = client.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "120"})
    client.send_message(QueueUrl=url, MessageBody="hello")
    yield lambda: client.purge_queue(QueueUrl=url)
    client.purge_queue(QueueUrl=url)
    client.set_queue_attributes(QueueUrl=url, Attributes=before)


def test_a_message_that_stays_is_waited_for_as_long_as_it_may_be_worked_on(queued, stray, capsys):
    waited = []
    left = until_in_place(queued.target, queued.parameters(key_prefix="none/"), sleep=waited.append)
    assert (list(left["key"]), sum(waited)) == ([], 119)
    assert "1 message in the queue, as many as 120 s ago; the objects" in capsys.readouterr().out


def test_a_message_that_is_worked_on_for_more_than_a_minute_is_said_nothing_of(queued, stray, capsys):
    waited = []

    def done_after(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 90:
            stray()

    until_in_place(queued.target, queued.parameters(key_prefix="none/"), sleep=done_after)
    assert (len(waited), "in the queue" in capsys.readouterr().out) == (90, False)


def test_a_count_that_is_of_a_minute_ago_is_asked_for_again(queued, stray):
    pipeline, _ = selection(queued.target, queued.parameters())
    assert still_waiting(queued.target, pipeline, sleep=lambda _: stray()) == 0


def test_if_messages_stay_the_objects_are_looked_at_seldom(queued, stray):
    client, waited = queued.stack.client(queued.destination), []

    def copied_later(seconds: float) -> None:
        waited.append(seconds)
        if seconds != POLL_S:
            client.put_object(Bucket=queued.destination.name, Key="z/1", Body=b"1")

    left = until_in_place(queued.target, queued.parameters(key_prefix="z/"), sleep=copied_later)
    client.delete_object(Bucket=queued.destination.name, Key="z/1")
    assert (list(left["key"]), waited[119:]) == ([], [RESTS_S])


def test_what_cannot_be_judged_is_not_waited_for_and_left_out_of_the_checklist(queued):
    """The source has an object under a customer's key, and nothing else."""
    client = queued.stack.client(queued.source)
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    client.put_object(Bucket=queued.source.name, Key="odd/secret", Body=b"x", **key)
    queued.received()  # what S3 tells of itself: nobody works on it, so that it would be waited for
    left = until_in_place(queued.target, queued.parameters(key_prefix="odd/"), sleep=pytest.fail)
    assert list(left["key"]) == ["odd/secret"]
    checklist = Checklist()
    enter(checklist, left)
    assert [(point.claim, point.holds) for point in checklist] == [
        ("every object that could be judged is in place", True)
    ]
    (left_out,) = checklist.left_out
    assert left_out.what == "'odd/secret', not judged"
    assert "SSE-C" in left_out.reason
