"""Who is told when something is wrong: alarms may publish, and somebody is mailed if there is an address."""

import pytest

from lib.engine.alerting import alerts_topic
from lib.engine.preflight.violations import described
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import cloudwatch, sqs
from lib.resources.sns import Subscription, Topic


@pytest.fixture
def undeployed() -> Stack:
    """An empty stack that is described only; nobody is asked."""
    return Stack(None, Parameters.check({"env": "test"}), "migrate")


def test_alarms_of_its_region_may_publish_to_it(undeployed):
    topic = alerts_topic(undeployed, "us-west-1")
    queue = undeployed.add(sqs.Queue("dead", "us-west-1"))
    undeployed.add(cloudwatch.messages_alarm("dead", queue, topic=topic, description="Look at them"))
    assert [finding for _, finding in described(undeployed.resources.values())] == []
    (source,) = topic.publishers.values()
    assert source.startswith("arn:aws:cloudwatch:us-west-1:")


def test_who_has_an_address_is_mailed_and_nobody_else(undeployed):
    alerts_topic(undeployed, "us-west-1")
    assert not any(isinstance(one, Subscription) for one in undeployed.resources.values())
    topic = alerts_topic(undeployed, "us-west-1", email="ops@example.org")
    (mail,) = [one for one in undeployed.resources.values() if isinstance(one, Subscription)]
    assert (mail.topic, mail.protocol, mail.endpoint) == (topic, "email", "ops@example.org")


def test_who_shall_be_mailed_no_more_is_not(target, parameters, stack, somebody):
    def mailed(email: str) -> dict[str, str]:
        one = Stack(target, parameters, stack.scope.pipeline)
        topic = alerts_topic(one, "us-west-1", email=email)
        plan = one.plan()
        assert plan.left_behind == []
        one.apply()
        assert {step.action for step in one.plan()} == {"unchanged"}
        subscribed = somebody("sns", "us-west-1").list_subscriptions_by_topic(TopicArn=topic.arn)
        found[:] = [
            each["Endpoint"] for each in subscribed["Subscriptions"] if each["Endpoint"] not in theirs
        ]
        assert len(found) == len(subscribed["Subscriptions"]) - len(theirs)
        return {step.why: step.action for step in plan if isinstance(step.resource, Subscription)}

    found: list[str] = []
    theirs: list[str] = []
    assert mailed("a@example.org") == {"does not exist; mails a@example.org": "create"}
    # Colleagues' own, whatever they are called.
    (topic,) = Topic.find(somebody("sns", "us-west-1"), stack.scope)
    theirs += ["them@example.org", f"{stack.scope.beginning}ops@example.org"]
    for each in theirs:
        somebody("sns", "us-west-1").subscribe(TopicArn=topic.arn, Protocol="email", Endpoint=each)
    assert mailed("b@example.org") == {
        "is not wanted any more; mails a@example.org": "delete",
        "does not exist; mails b@example.org": "create",
    }
    assert found == ["b@example.org"]
    assert mailed("") == {"is not wanted any more; mails b@example.org": "delete"}
    assert found == []
