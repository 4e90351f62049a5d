"""Queues: what the other classes do not have."""

from support import cases
from support.calls import watched

from lib.base.retry import WAIT_S
from lib.engine.stack import Stack


def test_a_change_that_sqs_does_not_tell_of_yet_is_waited_for(stack: Stack):
    """As on AWS, where that takes up to a minute; a plan that looks at once would call it drift."""
    queue = cases.sqs.queue(stack)
    stack.apply()
    before = queue.desired()["VisibilityTimeout"]
    queue.visibility_timeout_s += 1
    old, waits = [before, before], []

    def tell_the_old(parsed: dict, **_) -> None:
        if old and "VisibilityTimeout" in parsed.get("Attributes", {}):
            parsed["Attributes"]["VisibilityTimeout"] = old.pop()

    client = watched(stack.target, "after-call.sqs.GetQueueAttributes", tell_the_old).client(
        "sqs", queue.region
    )
    queue.update(client, {"VisibilityTimeout": queue.desired()["VisibilityTimeout"]}, waits.append)
    assert waits == [WAIT_S, WAIT_S]
    assert [step.action for step in stack.plan() if step.resource is queue] == ["unchanged"]
