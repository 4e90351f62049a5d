"""Who is told when something is wrong: alarms may publish, and somebody is mailed if there is an address."""

import pytest

from lib.engine.alerting import alerts_topic
from lib.engine.preflight.violations import described
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import cloudwatch, sqs
from lib.resources.sns import Subscription


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
