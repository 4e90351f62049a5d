"""What is missing after a backfill: every object that was to be sent and is not in place, and no other."""

import secrets

import pytest
from support.backfill_pipeline import Queued
from support.cleanup import remove

from lib.engine.checklist import Checklist
from lib.operate.backfills.arrivals import RESTS_S, enter, missing, until_in_place


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


def test_a_message_that_nothing_becomes_of_is_not_waited_for(queued, somebody, capsys):
    queued.received()
    client = somebody("sqs", queued.queue.region)
    url = client.get_queue_url(QueueName=queued.queue.name)["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="hello")
    waited = []
    left = until_in_place(queued.target, queued.parameters(key_prefix="none/"), sleep=waited.append)
    client.purge_queue(QueueUrl=url)
    assert (list(left["key"]), sum(waited)) == ([], RESTS_S - 1)
    assert "1 message in the queue, which nothing becomes of: not waited for" in capsys.readouterr().out


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
