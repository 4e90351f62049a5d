"""What somebody changed or took away from a deployed pipeline is named, and exactly that is repaired."""

import pytest
from support import cases
from support.calls import Recorder, watched
from support.case import WHOLE
from support.described import PIPELINES, describe

from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.target import connect


@pytest.fixture(params=PIPELINES)
def deployed(local_aws, request):
    parameters = Parameters.check({"env": f"d{request.param}"})
    stack = describe(request.param, connect(parameters), parameters)
    stack.apply()
    yield stack
    Inventory(stack.target, parameters).destroy()


def drift(stack: Stack, somebody) -> tuple[set[str], dict[str, set[str]]]:
    """Have somebody change or remove everything; returns the ARNs of what is gone, and what was changed."""
    removed, changed = set(), {}
    for resource in reversed(stack.resources.values()):
        client = somebody(resource.service, resource.region)
        what = cases.of(resource).in_notebooks
        assert what, f"the case of {resource.noun} does not say what somebody changes of it in notebooks"
        if what == WHOLE:
            found = next(f for f in resource.find(client, stack.scope) if f.arn == resource.arn)
            resource.delete(client, found.identifier)
            removed.add(resource.arn)
        else:
            cases.drifting(resource, what, client)
            changed[resource.arn] = {what}
    return removed, changed


def test_a_plan_names_what_differs_and_the_next_run_repairs_exactly_that(deployed, somebody):
    removed, changed = drift(deployed, somebody)
    plan = deployed.plan()
    assert {step.resource.arn for step in plan if step.action == "create"} == removed
    assert {s.resource.arn: set(s.changes) for s in plan if s.action == "change"} == changed
    for step in plan:
        assert all(setting in step.why for setting in changed.get(step.resource.arn, ()))
    done = deployed.apply()
    assert (done.count("create"), done.count("change")) == (len(removed), len(changed))
    assert deployed.plan().count("unchanged") == len(deployed.resources)


@pytest.mark.parametrize("pipeline", PIPELINES[:1])
def test_a_repair_writes_only_what_differs(local_aws, somebody, pipeline):
    parameters = Parameters.check({"env": f"e{pipeline}"})
    recorder = Recorder()
    stack = describe(pipeline, watched(connect(parameters), "before-call", recorder), parameters)
    stack.apply()
    queue = next(resource for resource in stack.resources.values() if resource.noun == "SQS queue")
    cases.drifting(queue, "policy", somebody("sqs", queue.region))
    recorder.made.clear()
    stack.apply()
    # The lock, and the run's record; the record again, the ledger's copy, and the lock given back.
    begun, ended = ["PutObject"] * 2, ["PutObject"] * 2 + ["DeleteObject"]
    assert recorder.writes == [*begun, "SetQueueAttributes", *ended]
    Inventory(stack.target, parameters).destroy()
