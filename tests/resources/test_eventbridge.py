"""Rules: what an answer that says 200 hides, and that the schedule really runs the function."""

import pytest
from support import cases

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.resources import eventbridge
from lib.resources.base import Link
from lib.resources.eventbridge import Rule


def test_a_rule_is_deleted_with_the_targets_of_others(stack: Stack, somebody):
    rule = cases.eventbridge.rule(stack)
    stack.apply()
    events = somebody("events", rule.region)
    events.put_targets(Rule=rule.name, Targets=[{"Id": "theirs", "Arn": rule.function.arn}])
    Rule.delete(stack.client(rule), rule.name)
    assert events.list_targets_by_rule(Rule=rule.name)["Targets"] == []
    assert rule.read(stack.client(rule)) is None


def test_a_rule_without_our_target_is_repaired(stack: Stack, somebody):
    """As a run leaves it that was killed between its two calls."""
    rule = cases.eventbridge.rule(stack)
    stack.apply()
    somebody("events", rule.region).remove_targets(Rule=rule.name, Ids=[eventbridge.TARGET_ID])
    assert list(rule.links(rule.read(stack.client(rule)))) == []
    assert [set(step.changes) for step in stack.plan() if step.changes] == [{"Target"}]
    stack.apply()
    assert list(rule.links(rule.read(stack.client(rule)))) == [
        Link(rule.arn, rule.function.arn, "rate(1 minute)")
    ]


def test_a_target_that_failed_is_an_error():
    failure = {"TargetId": "runbook", "ErrorCode": "ConcurrentModificationException"}
    with pytest.raises(RunbookError, match="rule often: .*ConcurrentModificationException"):
        eventbridge._require_success("often", {"FailedEntryCount": 1, "FailedEntries": [failure]})
    eventbridge._require_success("often", {"FailedEntryCount": 0, "FailedEntries": []})
