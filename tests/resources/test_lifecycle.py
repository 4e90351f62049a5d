"""Every class of resources: made, left, changed, repaired, found, deleted."""

from dataclasses import replace

import pytest
from support.drift import DRIFT
from support.examples import CHANGES, EXAMPLES
from support.others import OTHERS

from lib.engine.inventory import TYPES
from lib.engine.stack import Stack
from lib.resources.base import Resource, differences

EVERY = pytest.mark.parametrize("name", EXAMPLES)


def make(stack: Stack, name: str) -> Resource:
    resource = EXAMPLES[name](stack)
    stack.apply()
    return resource


def todo(stack: Stack) -> dict[str, set[str]]:
    """What a plan would do: each resource that is not as described, and the settings it names."""
    return {step.resource.arn: set(step.changes) for step in stack.plan() if step.action != "unchanged"}


def test_there_is_an_example_of_every_class(stack: Stack):
    described = {type(describe(stack)) for describe in EXAMPLES.values()}
    assert described == set(TYPES)


@EVERY
def test_what_is_made_reads_as_described_and_is_left_alone(stack: Stack, name: str):
    resource = make(stack, name)
    found = resource.read(stack.client(resource))
    assert differences(resource.desired(), found) == {}
    assert todo(stack) == {}
    assert stack.apply().count("unchanged") == len(stack.resources)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_named_made_and_then_left_alone(stack: Stack, name: str):
    resource = make(stack, name)
    for change, names in CHANGES[name]:
        resource = stack.replace(replace(resource, **change))
        assert todo(stack) == {resource.arn: names}, f"the plan of {change}"
        stack.apply()
        assert todo(stack) == {}, f"the plan after {change}"


@pytest.mark.parametrize("name", DRIFT)
def test_drift_is_named_and_repaired(stack: Stack, somebody, name: str):
    resource = make(stack, name)
    for setting, change in DRIFT[name].items():
        change(somebody(resource.service, resource.region), resource)
        assert todo(stack) == {resource.arn: {setting}}
        stack.apply()
        assert todo(stack) == {}, f"the plan after the repair of {setting}"


@pytest.mark.parametrize("name", OTHERS)
def test_somebody_else_s_settings_survive_our_updates(stack: Stack, somebody, name: str):
    resource = make(stack, name)
    client = somebody(resource.service, resource.region)
    others = OTHERS[name]
    before = others.read(client, resource)
    others.write(client, resource)
    theirs = others.read(client, resource)
    assert theirs != before
    assert todo(stack) == {}, "what is not ours is not compared"
    resource.update(stack.client(resource), resource.desired())
    assert others.read(client, resource) == theirs
    assert todo(stack) == {}


@EVERY
def test_what_is_made_is_found_with_our_tags_and_in_our_scope_only(stack: Stack, parameters, name: str):
    resource = make(stack, name)
    client, kind = stack.client(resource), type(resource)
    arns = [found.arn for found in kind.find(client, stack.scope)]
    assert resource.arn in arns
    assert all(
        {**stack.scope.tags, **(found.tags or stack.scope.tags)} == (found.tags or stack.scope.tags)
        for found in kind.find(client, stack.scope)
    )
    for other in (replace(stack.scope, pipeline="backup"), replace(stack.scope, env="tes")):
        assert list(kind.find(client, other)) == []


@EVERY
def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(stack: Stack, name: str):
    resource = make(stack, name)
    client, kind = stack.client(resource), type(resource)
    found = next(found for found in kind.find(client, stack.scope) if found.arn == resource.arn)
    kind.delete(client, found.identifier)
    assert resource.read(client) is None
    assert resource.arn not in [found.arn for found in kind.find(client, stack.scope)]
    kind.delete(client, found.identifier)
