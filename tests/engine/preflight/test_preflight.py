"""What is broken by hand in a notebook stops the run before the first write; the local AWS would take it."""

import re

import pytest
from support import cases
from support.breaking import setting
from support.calls import Recorder, watched
from support.case import Break, Case
from support.described import describe

from lib.base.errors import ParameterError, PreflightError
from lib.engine import preflight
from lib.engine.plan import Plan
from lib.engine.preflight.violations import rules
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import iam, lambda_, s3, sqs
from lib.target import Target, connect

# How each rule is broken.
BY_HAND = {case.rule: case for case in cases.BREAKS} | {
    "notification-overlap": Break(
        "notification-overlap",
        "backup",
        setting(s3.BucketNotification, "removed", events=("s3:ObjectCreated:Copy",)),
    )
}

FOUR = ("source-account", "queue-visibility", "notification-overlap", "role-trust")


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "preflight"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.mark.parametrize("rule", FOUR)
@pytest.mark.parametrize("step", ["plan", "apply"])
def test_what_is_broken_by_hand_stops_before_the_first_write(target, parameters, rule: str, step: str):
    recorder = Recorder()
    stack = describe(BY_HAND[rule].pipeline, watched(target, "before-call", recorder), parameters)
    BY_HAND[rule].by(stack)
    with pytest.raises(PreflightError) as error:
        getattr(stack, step)()
    message = str(error.value)
    assert recorder.writes == []
    for part in ("nothing was written", f"[{rule}]", rules()[rule]["aws"], rules()[rule]["source"], "fix: "):
        assert part in message


def test_all_violations_are_listed_each_with_its_resource(target, parameters):
    stack = describe("migrate", target, parameters)
    setting(sqs.Queue, "uploads", visibility_timeout_s=30, max_receive_count=1)(stack)
    setting(iam.Role, "replicate", trusts="glue.amazonaws.com")(stack)
    found = preflight.check(stack)
    assert [one.rule for one in found] == ["role-trust", "queue-visibility"]
    assert found[0].resource == "Lambda function runbook-preflight-migrate-replicate in us-east-1"
    assert "set visibility_timeout_s of the queue to 360" in found[1].fix
    with pytest.raises(PreflightError, match="2 found"):
        stack.plan()


@pytest.mark.parametrize("case", cases.EVERY.values(), ids=repr)
def test_the_cases_of_all_tests_keep_the_rules(target, parameters, case: Case):
    stack = Stack(target, parameters, "cases")
    case.describe(stack)
    assert preflight.look(stack) == []


@pytest.fixture
def advised(stack: Stack) -> Stack:
    """A stack that AWS takes, and advises against."""
    function = cases.lambda_.function(stack)
    queue = stack.add(sqs.Queue("work", function.region, visibility_timeout_s=2 * function.timeout_s))
    function.role.policy["Statement"].append(
        {"Effect": "Allow", "Action": "sqs:*", "Resource": queue.arn, "Sid": "Work"}
    )
    stack.add(lambda_.EventSourceMapping("work", function.region, queue=queue, function=function))
    return stack


def warnings(plan: Plan) -> dict[str, set[str]]:
    rows = plan.table()
    return {
        action: {re.search(r"\[(.+)]", why)[1] for why in rows[rows.action == action].why}
        for action in ("warning", "waived")
    }


def test_what_aws_advises_against_is_shown_by_the_plan_and_does_not_stop_it(advised: Stack):
    plan = advised.plan()
    assert warnings(plan) == {
        "warning": {"queue-visibility-factor", "queue-dead-letter", "action-wildcard"},
        "waived": set(),
    }
    assert str(plan).endswith("3 warning")
    assert "set visibility_timeout_s of the queue to 360" in repr(plan)
    assert plan._repr_mimebundle_()["application/vnd.runbook.counts+json"]["counts"]["warnings"] == 3
    done = advised.apply()
    assert warnings(done) == warnings(plan)
    assert advised.plan().count("unchanged") == len(advised.resources)


def test_a_warning_is_waived_with_its_reason(advised: Stack):
    advised.parameters = advised.parameters.model_copy(
        update={"waivers": ["queue-dead-letter: nothing of it matters", "action-wildcard : for a day"]}
    )
    plan = advised.plan()
    assert warnings(plan) == {
        "warning": {"queue-visibility-factor"},
        "waived": {"queue-dead-letter", "action-wildcard"},
    }
    assert "[queue-dead-letter]: nothing of it matters" in repr(plan)
    assert plan._repr_mimebundle_()["application/vnd.runbook.counts+json"]["counts"]["warnings"] == 1


@pytest.mark.parametrize("rule", ["queue-visibility", "no-such-rule"])
def test_what_aws_refuses_cannot_be_waived(stack: Stack, rule: str):
    stack.parameters = stack.parameters.model_copy(update={"waivers": [f"{rule}: so"]})
    with pytest.raises(ParameterError, match=f"there is no warning '{rule}'; there are: .*queue-dead-letter"):
        stack.plan()
