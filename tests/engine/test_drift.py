"""What somebody changed or took away from a deployed pipeline is named, and exactly that is repaired."""

import pytest
from support.calls import Recorder, watched
from support.described import PIPELINES, describe
from support.drift import DRIFT

from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.base import Resource
from lib.resources.glue import Table as GlueTable
from lib.target import connect

# What is taken away whole; of everything else one setting is changed.
REMOVED = ("BucketNotification", "Permission", "EventInvokeConfig", "Subscription", "Alarm")
CHANGED = {
    "Bucket": "policy",
    "Topic": "policy",
    "Queue": "policy",
    "Role": "policy",
    "LogGroup": "retentionInDays",
    "Function": "MemorySize",
    "EventSourceMapping": "Enabled",
    "Table": "PointInTimeRecovery",
    "Glue table": "Columns",
    "Rule": "Description",
    "Database": "Description",
    "CsvClassifier": "Delimiter",
    "Crawler": "Configuration",
    "WorkGroup": "BytesScannedCutoffPerQuery",
}


def kind(resource: Resource) -> str:
    return "Glue table" if isinstance(resource, GlueTable) else type(resource).__name__


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
        if kind(resource) in REMOVED:
            found = next(f for f in resource.find(client, stack.scope) if f.arn == resource.arn)
            resource.delete(client, found.identifier)
            removed.add(resource.arn)
        elif setting := CHANGED.get(kind(resource)):
            DRIFT[kind(resource)][setting](client, resource)
            changed[resource.arn] = {setting}
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
    DRIFT["Queue"]["policy"](somebody("sqs", queue.region), queue)
    recorder.made.clear()
    stack.apply()
    assert recorder.writes == ["PutObject", "SetQueueAttributes", "DeleteObject"]
    Inventory(stack.target, parameters).destroy()
