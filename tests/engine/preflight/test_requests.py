"""Every request that makes or changes a resource is composed, and held against AWS's model of it."""

import pytest
from support import cases
from support.calls import is_write
from support.case import HERE, Case

from lib.engine.preflight import requests
from lib.engine.preflight.requests import MOST_REQUESTS, Rehearsal, check
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.sqs import Queue

# What makes and changes all classes; of a change, what needs an answer from AWS is not composed.
WRITES = {
    *("CreateBucket", "PutBucketTagging", "PutBucketVersioning", "PutBucketEncryption"),
    *("PutPublicAccessBlock", "PutBucketPolicy", "PutBucketLifecycleConfiguration"),
    *("PutBucketNotificationConfiguration", "PutBucketInventoryConfiguration"),
    *("CreateTopic", "SetTopicAttributes", "Subscribe", "CreateQueue"),
    *("CreateRole", "PutRolePolicy", "UpdateAssumeRolePolicy", "TagRole"),
    *("CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission"),
    *("CreateEventSourceMapping", "PutFunctionEventInvokeConfig"),
    *("PutRule", "PutTargets", "PutMetricAlarm", "PutDashboard"),
    *("CreateTrail", "UpdateTrail", "PutEventSelectors", "StartLogging", "AddTags"),
    *("CreateLogGroup", "PutRetentionPolicy"),
    *("CreateTable", "UpdateContinuousBackups"),
    *("CreateDatabase", "CreateClassifier", "CreateCrawler", "UpdateCrawler", "UpdateTable"),
    *("CreateWorkGroup", "UpdateWorkGroup", "TagResource"),
}


@pytest.fixture
def described() -> Stack:
    """A stack that is described only; nobody is asked."""
    return Stack(None, Parameters.check({"env": "test"}), "cases")


def test_all_requests_of_all_classes_are_composed_and_fit(described):
    made = set()
    for case in cases.EVERY.values():
        case.describe(described)
    for resource in described.resources.values():
        rehearsal = Rehearsal()
        rehearsal.make(resource)
        assert rehearsal.found == [], resource
        assert any(map(is_write, rehearsal.made)), resource
        made |= set(filter(is_write, rehearsal.made))
    assert made >= WRITES


@pytest.mark.parametrize("case", cases.EVERY.values(), ids=repr)
def test_what_a_class_would_send_and_aws_would_not_take_is_found_without_a_check_of_its_own(
    described, case: Case, monkeypatch
):
    resource = case.describe(described)
    monkeypatch.setattr(requests, "_known", {})
    monkeypatch.setattr(requests, "misfits", lambda *_: [("Somewhere", "is wrong")])
    found = list(check(resource))
    assert found
    assert {(one.rule, one.what.split(": ")[1]) for one in found} == {("request-model", "Somewhere is wrong")}


class Queuing(Queue):
    """A queue whose requests are made by a function of the test's."""

    def create(self, client, sleep=None):
        self.making(client, sleep)


@pytest.mark.parametrize(
    ("making", "told"),
    [
        (
            lambda client, _: client.create_queue(QueueName=5),
            "CreateQueue: Invalid type for parameter QueueName",
        ),
        (lambda client, _: client.create_queue(), 'Missing required parameter in input: "QueueName"'),
        (
            lambda client, _: client.create_queue(QueueName="q", Attributes={"Colour": "red"}),
            "is 'Colour', whi",
        ),
        (lambda *_: {}["nothing"], "its requests cannot be composed: KeyError: 'nothing'"),
        (
            lambda client, _: client.create_queue(QueueName="q", tags={"a": None}),
            "Invalid type for parameter",
        ),
    ],
)
def test_what_cannot_be_composed_is_told(described, making, told: str):
    queue = described.add(Queuing("q", HERE))
    queue.making = making
    (found,) = check(queue)
    assert told in found.what


def test_what_waits_or_looks_again_and_again_ends(described):
    queue = described.add(Queuing("q", HERE))
    queue.making = lambda _, sleep: sleep(60)
    assert list(check(queue)) == []

    def for_ever(client, _):
        while True:
            client.list_queues()

    queue.making = for_ever
    rehearsal = Rehearsal()
    rehearsal.make(queue)
    assert (len(rehearsal.made) <= 2 * MOST_REQUESTS, rehearsal.found) == (True, [])


def test_one_described_as_another_is_rehearsed_once_and_otherwise_anew(described, monkeypatch):
    made: list[str] = []
    make = Rehearsal.make
    monkeypatch.setattr(Rehearsal, "make", lambda self, one: (made.append(one.what), make(self, one)))
    monkeypatch.setattr(requests, "_known", {})
    queue = described.add(Queue("q", HERE))
    dead = described.add(Queue("dead", HERE))
    again = Stack(None, described.parameters, described.scope.pipeline).add(Queue("q", HERE))
    assert [*check(queue), *check(again)] == []
    assert made == ["q"]
    queue.senders = {"aws": "x"}
    list(check(queue))
    queue.dead_letter = dead
    list(check(queue))
    dead.region = "us-west-2"
    list(check(queue))
    assert made == ["q"] * 4, "what it refers to is a part of what it is"
