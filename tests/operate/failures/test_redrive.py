"""Redriving, as far as it needs no pipeline: reasons, what is in a message, and queues in hand."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.s3_messages import event_of as event

from lib.base import reasons
from lib.base.errors import ParameterError, RunbookError
from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.operate.failures import letters, quarantine, redrive, stuck
from lib.operate.failures.explain import Explained
from lib.operate.failures.letters import Letter, taken
from lib.operate.pipelines import DeadLetters, Pipeline
from lib.parameters import Parameters
from lib.resources import sqs
from lib.resources.s3 import Bucket

HERE = "us-west-1"


# --- choosing


def explained(reason: str, key: str) -> Explained:
    return Explained(Letter(json.dumps(event(key))), reason)


def test_a_choice_is_by_reason_and_by_key():
    choice = redrive.Choice("throttled", "in/")
    assert choice.takes(explained("throttled", "in/a"))
    assert not choice.takes(explained("throttled", "out/a"))
    assert not choice.takes(explained("access denied", "in/a"))
    assert redrive.Choice().takes(explained("no trace", "any"))
    assert redrive.Choice().is_everything


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"action": "quarantine"}, "needs a reason"),
        ({"reason": "bad luck"}, "there is no 'bad luck'"),
        ({"action": "delete"}, "redrive.action"),
        ({"pipeline": "two words"}, "redrive.pipeline"),
    ],
)
def test_a_mistake_in_the_parameters_is_refused(settings, says):
    with pytest.raises(ParameterError, match=says):
        Parameters.check({"redrive": settings})


# --- in hand


@pytest.fixture
def pair(stack: Stack) -> DeadLetters:
    """A queue of dead letters and the queue they come from."""
    dead = stack.add(sqs.Queue("dead", HERE, retention_s=14 * sqs.DAY_S))
    queue = stack.add(sqs.Queue("work", HERE, dead_letter=dead))
    stack.apply()
    return DeadLetters(dead, queue, "dead letters")


@pytest.fixture
def send(somebody):
    def send(waiting: Waiting, *bodies: str) -> None:
        for body in bodies:
            somebody("sqs", HERE).send_message(QueueUrl=waiting.url, MessageBody=body)

    return send


BODIES = [f"message {number}" for number in range(23)]


def bodies(waiting: Waiting) -> list[str]:
    with taken(waiting, 100) as hand:
        return [letter.body for letter in hand.letters]


def test_each_comes_once_in_order_and_is_given_back_whatever_happens(target, pair, send):
    dead = Waiting.of(target, pair.queue)
    send(dead, *BODIES)
    with pytest.raises(ZeroDivisionError), taken(dead, 100) as hand:
        assert [letter.body for letter in hand.letters] == BODIES
        assert bodies(dead) == []  # nobody else gets them
        hand.delete(hand.letters[3])
        raise ZeroDivisionError
    assert bodies(dead) == BODIES[:3] + BODIES[4:]
    assert dead.depth() == 22


def test_taking_ends_though_messages_come_again_and_again(target, pair, send, monkeypatch):
    monkeypatch.setattr(letters, "HIDDEN_S", 0)
    dead = Waiting.of(target, pair.queue)
    send(dead, *BODIES[:3])
    with taken(dead, 10) as hand:
        assert [letter.body for letter in hand.letters] == BODIES[:3]


def test_no_more_are_taken_than_asked_for(target, pair, send):
    dead = Waiting.of(target, pair.queue)
    send(dead, *BODIES)
    with taken(dead, 13) as hand:
        assert len(hand.letters) == 13
    assert dead.depth() == 23


def test_a_message_is_known_by_when_it_was_sent_first(target, pair, send):
    dead = Waiting.of(target, pair.queue)
    send(dead, "one")
    for receives in (1, 2):
        with taken(dead, 1) as hand:
            (letter,) = hand.letters
            assert letter.receives == receives
            assert letter.sent.tz is not None


# --- moved by SQS


def test_all_are_moved_as_new_messages_with_their_attributes(target, pair, somebody):
    dead, work = Waiting.of(target, pair.queue), Waiting.of(target, pair.origin)
    attributes = {"origin": {"DataType": "Binary", "BinaryValue": b"\x00test"}}
    client = somebody("sqs", HERE)
    client.send_message(QueueUrl=dead.url, MessageBody="one", MessageAttributes=attributes)
    assert redrive.move_all(target, pair) == 1
    assert dead.depth() == 0
    with taken(work, 1) as hand:
        assert (hand.letters[0].body, hand.letters[0].attributes) == ("one", attributes)
        assert hand.letters[0].receives == 1
    assert redrive.move_all(target, pair) == 0  # nothing there: no task is started


def test_only_queues_of_dead_letters_are_moved(target, pair, send):
    turned = DeadLetters(pair.origin, pair.queue, "dead letters")
    send(Waiting.of(target, pair.origin), "one")
    with pytest.raises(target.client("sqs", HERE).exceptions.ClientError, match="Dead Letter Queue"):
        redrive.move_all(target, turned)
    assert Waiting.of(target, pair.origin).depth() == 1


class Tasks:
    """An SQS client whose tasks go on as they are told."""

    def __init__(self, *answers: dict):
        self.answers, self.started = list(answers), []

    def list_message_move_tasks(self, **_):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return {"Results": [answer] if answer else []}

    def start_message_move_task(self, **asked):
        self.started.append(asked)

    def get_queue_url(self, **_):
        return {"QueueUrl": "url"}

    def get_queue_attributes(self, **asked):
        return {"Attributes": dict.fromkeys(asked["AttributeNames"], "1")}


def moved(pair: DeadLetters, *answers: dict, sleep=lambda seconds: None):
    """What comes of a redrive; the local AWS's tasks end at once, so their course is told here."""
    client = Tasks(*answers)
    return client, redrive.move_all(SimpleNamespace(client=lambda *_: client), pair, sleep)


def task(status: str, started: int, **more) -> dict:
    return {"Status": status, "StartedTimestamp": started, "ApproximateNumberOfMessagesMoved": 5, **more}


def test_a_task_is_waited_for_and_not_taken_for_the_one_before(pair):
    old = task("COMPLETED", 1, ApproximateNumberOfMessagesMoved=99)
    client, count = moved(pair, old, old, task("RUNNING", 2), task("COMPLETED", 2))
    assert count == 5
    assert [asked["DestinationArn"] for asked in client.started] == [pair.origin.arn]


def test_a_task_that_runs_already_is_waited_for(pair):
    client, count = moved(pair, task("RUNNING", 1), task("RUNNING", 1), task("COMPLETED", 1))
    assert (count, client.started) == (5, [])


def test_a_task_that_fails_is_told(pair):
    with pytest.raises(RunbookError, match="FAILED AccessDenied; what it has not moved is still there"):
        moved(pair, {}, task("FAILED", 2, FailureReason="AccessDenied"))


def test_the_time_that_messages_are_hidden_grows_with_their_number():
    assert letters.HIDDEN_S + redrive.ACT_MOST // letters.MESSAGES_PER_S <= 43_200  # SQS's maximum: 12 hours


# --- one that cannot be dealt with


@pytest.fixture
def watched(pair):
    """A pipeline whose function's failures are in the queue."""
    failures = DeadLetters(pair.queue, pair.origin, "failures")
    ends = {"source": None, "destination": None, "created": pair.origin, "removed": None}
    return Pipeline("watched", **ends, functions=(), dead_letters=(failures,))


def test_one_that_cannot_be_sent_holds_up_no_other(target, watched, pair, send, capsys):
    dead, work = Waiting.of(target, pair.queue), Waiting.of(target, pair.origin)
    good = json.dumps({"requestContext": {}, "requestPayload": {"Records": []}})
    send(dead, "poison", good, "[" * 10_000, good)
    (row,) = redrive.redrive(target, [watched], redrive.Choice()).itertuples()
    assert (row.messages, row.left) == (2, 2)
    assert (dead.depth(), work.depth()) == (2, 2)
    told = capsys.readouterr().out
    assert "watched dead: left there: 2 messages, such as " in told
    assert "there is nothing in it that could be sent again" in told


def test_a_queue_that_is_gone_holds_up_no_other(target, watched, pair, send):
    gone = sqs.Queue("gone", HERE)
    gone.scope = pair.queue.scope
    watched = replace(
        watched, dead_letters=(DeadLetters(gone, pair.origin, "failures"), *watched.dead_letters)
    )
    send(Waiting.of(target, pair.queue), json.dumps({"requestContext": {}, "requestPayload": {}}))
    with pytest.raises(
        RunbookError, match="^watched gone: .*NonExistentQueue.*; done before: .*watched.*1, 0"
    ):
        redrive.redrive(target, [watched], redrive.Choice())
    assert Waiting.of(target, pair.origin).depth() == 1


def test_one_that_cannot_be_quarantined_holds_up_no_other(target, watched, pair, send, stack, monkeypatch):
    bucket = stack.add(Bucket("aside", HERE))
    stack.apply()
    send(Waiting.of(target, pair.queue), "poison", "other")

    def line(pipeline, letters, each):
        return json.dumps({"body": each.letter.body if each.letter.body != "poison" else {1, 2}}).encode()

    monkeypatch.setattr(quarantine, "_line", line)
    kept = quarantine.quarantine(target, [watched], bucket, redrive.Choice(reasons.NOT_AN_EVENT))
    assert [bool(name) for name in kept["kept as"]] == [False, True]
    assert bodies(Waiting.of(target, pair.queue)) == ["poison"]


def test_one_that_cannot_be_sent_from_quarantine_holds_up_no_other(target, watched, pair, send, stack):
    bucket = stack.add(Bucket("aside", HERE))
    stack.apply()
    client = target.client("s3", HERE)
    good = json.dumps({"requestContext": {}, "requestPayload": {"Records": []}})
    for name, content in {
        "1": b"no JSON",
        "2": json.dumps({"body": "no record", "attributes": {}}).encode(),
        "3": json.dumps({"body": good, "attributes": {}}).encode(),
    }.items():
        client.put_object(Bucket=bucket.name, Key=f"watched/dead/2026-01-02/{name}.json", Body=content)
    with pytest.raises(
        RunbookError, match=r"^1 sent; left in .*/1.json.*JSONDecodeError.*/2.json.*nothing in it"
    ):
        quarantine.unquarantine(target, [watched], bucket)
    assert Waiting.of(target, pair.origin).depth() == 1
    assert len(client.list_objects_v2(Bucket=bucket.name)["Contents"]) == 2


# --- hidden


@pytest.fixture
def moved_by_sqs(pair):
    """A pipeline whose queue's dead letters are in the other."""
    ends = {"source": None, "destination": None, "created": pair.origin, "removed": None}
    return Pipeline("moved", **ends, functions=(), dead_letters=(pair,))


def test_what_is_hidden_before_a_redrive_is_said_to_be_and_when_it_is_seen_again(
    target, moved_by_sqs, pair, send, somebody
):
    """Received by somebody else between the look and the redrive, with a visibility timeout still running."""
    dead = Waiting.of(target, pair.queue)
    send(dead, *BODIES[:9])
    found, before = stuck.stuck(target, moved_by_sqs), stuck.hidden(target, [moved_by_sqs])
    assert (len(found), str(before)) == (9, "")
    received = somebody("sqs", HERE).receive_message(
        QueueUrl=dead.url, MaxNumberOfMessages=10, VisibilityTimeout=600
    )
    hidden = len(received["Messages"])
    for choice in (redrive.Choice(), redrive.Choice(reasons.NOT_AN_EVENT)):
        with pytest.raises(RunbookError, match=r"nothing to redrive.*9 messages are hidden right now.*30 s"):
            redrive.redrive(target, [moved_by_sqs], choice)
    left = stuck.stuck(target, moved_by_sqs)
    account = stuck.account(target, [moved_by_sqs], found=found, gone=0, left=left, before=before)
    assert (hidden, len(left)) == (9, 0)
    assert account.is_whole
    assert str(account).startswith(
        "9 were there; 0 dealt with, 0 still there; 9 messages are hidden right now: "
    )
    said = stuck.said(len(left), account.after)
    assert said.startswith("nothing is stuck that can be seen; 9 messages are hidden right now: ")
    assert "30 s after it was received if no other was asked for, 12 hours at the most" in said


@pytest.mark.parametrize(
    ("gone", "still", "others", "before", "after", "is_whole"),
    [
        (9, 0, 0, 0, 0, True),
        (0, 0, 0, 0, 0, False),  # they are nowhere
        (0, 0, 0, 9, 9, False),  # others were hidden, and are
        (4, 0, 0, 2, 7, True),
        (4, 0, 0, 2, 6, False),
        (0, 0, 9, 9, 9, True),  # what was hidden is seen, and the other way round
    ],
)
def test_only_what_was_not_hidden_before_is_accounted_for_by_being_hidden(
    gone, still, others, before, after, is_whole
):
    hidden = stuck.Hidden(before, 30), stuck.Hidden(after, 30)
    assert stuck.Account(9, gone, still, others, *hidden).is_whole is is_whole


def test_one_is_said_as_one():
    assert stuck.said(1, stuck.Hidden(0)) == "1 message is stuck"
    assert stuck.said(2, stuck.Hidden(1, 30)).startswith(
        "2 messages are stuck; 1 message is hidden right now"
    )
    assert stuck.said(0, stuck.Hidden(0)) == "nothing is stuck"


# --- what the brake holds and nobody can do


def test_what_is_no_event_among_held_deletes_is_told_and_can_be_put_aside(target, pair, send, stack):
    holding = DeadLetters(pair.queue, pair.origin, "holding", deletes=True)
    ends = {"source": None, "destination": None, "created": pair.origin, "removed": pair.origin}
    braked = Pipeline("braked", **ends, functions=(), dead_letters=(holding,))
    bucket = stack.add(Bucket("aside", HERE))
    stack.apply()
    held = json.dumps(event("held.csv", eventName="ObjectRemoved:Delete"))
    send(Waiting.of(target, pair.queue), "no event", held)
    found = stuck.stuck(target, braked).set_index("key")["reason"].to_dict()
    assert found == {"": reasons.NOT_AN_EVENT, "held.csv": reasons.HELD}
    with pytest.raises(RunbookError, match="nothing to redrive"):  # which would release them all
        redrive.redrive(target, [braked], redrive.Choice(reasons.NOT_AN_EVENT))
    kept = quarantine.quarantine(target, [braked], bucket, redrive.Choice(reasons.NOT_AN_EVENT))
    assert kept["reason"].tolist() == [reasons.NOT_AN_EVENT]
    assert bodies(Waiting.of(target, pair.queue)) == [held]
