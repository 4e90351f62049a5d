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
from lib.operate.failures import letters, quarantine, redrive
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
