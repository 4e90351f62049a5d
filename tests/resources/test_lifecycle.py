"""Every class of resources: made, left, changed, repaired, found, deleted.

One of each is made once, and is as it was first described again before each test, so that one test that fails
leaves the next what it needs. What others set on it stays: therefore that comes last, but for the deletion.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from support import cases
from support.case import Case
from support.cleanup import remove

from lib.engine.inventory import TYPES
from lib.engine.stack import Stack
from lib.resources import s3_freeze
from lib.resources.base import Resource, differences


@dataclass(frozen=True)
class Made:
    """One resource of a case, and what it needs, in a stack of its own."""

    case: Case
    stack: Stack
    resource: Resource
    described: dict[str, Resource]


@pytest.fixture(scope="module", params=cases.EVERY.values(), ids=repr)
def made_once(target, parameters, request) -> Iterator[Made]:
    stack = Stack(target, parameters, f"t{secrets.token_hex(4)}")
    resource = request.param.describe(stack)
    stack.apply()
    yield Made(request.param, stack, resource, dict(stack.resources))
    remove(stack)


@pytest.fixture(autouse=True)
def known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local AWS has one server: a freeze that already was in force is so at once as it is now."""
    monkeypatch.setattr(s3_freeze, "PROPAGATION_S", 0)


@pytest.fixture
def made(made_once: Made) -> Made:
    """It, as it was first described."""
    made_once.stack.resources = dict(made_once.described)
    made_once.stack.apply()
    return made_once


def todo(stack: Stack) -> dict[str, set[str]]:
    """What a plan would do: each resource that is not as described, and the settings it names."""
    return {step.resource.arn: set(step.changes) for step in stack.plan() if step.action != "unchanged"}


def test_what_is_made_reads_as_described_and_is_left_alone(made: Made):
    found = made.resource.read(made.stack.client(made.resource))
    assert differences(made.resource.desired(), found) == {}
    assert todo(made.stack) == {}
    assert made.stack.apply().count("unchanged") == len(made.stack.resources)


def test_what_is_made_is_found_with_our_tags_and_in_our_scope_only(made: Made):
    scope, kind, client = made.stack.scope, made.case.kind, made.stack.client(made.resource)
    found = list(kind.find(client, scope))
    assert made.resource.arn in [each.arn for each in found]
    for each in found:
        assert each.tags is None or scope.tags.items() <= each.tags.items()
    for other in (replace(scope, pipeline="backup"), replace(scope, env="tes")):
        assert list(kind.find(client, other)) == []


def test_changes_are_named_made_and_then_left_alone(made: Made):
    resource = made.resource
    for change in made.case.changes:
        resource = made.stack.replace(replace(resource, **change.to))
        assert todo(made.stack) == {resource.arn: change.names}, f"the plan of {change.to}"
        made.stack.apply()
        assert todo(made.stack) == {}, f"the plan after {change.to}"


def test_drift_is_named_and_repaired(made: Made, somebody):
    client = somebody(made.resource.service, made.resource.region)
    for setting, change in made.case.drift.items():
        change(client, made.resource)
        assert todo(made.stack) == {made.resource.arn: {setting}}
        made.stack.apply()
        assert todo(made.stack) == {}, f"the plan after the repair of {setting}"


def test_somebody_else_s_settings_survive_our_updates(made: Made, somebody):
    if not (others := made.case.others):
        pytest.skip("AWS lets nobody set anything else on it")
    client = somebody(made.resource.service, made.resource.region)
    before = others.read(client, made.resource)
    others.write(client, made.resource)
    theirs = others.read(client, made.resource)
    assert theirs != before
    assert todo(made.stack) == {}, "what is not ours is not compared"
    made.resource.update(made.stack.client(made.resource), made.resource.desired())
    assert others.read(client, made.resource) == theirs
    assert todo(made.stack) == {}


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(made: Made):
    client, kind, scope = made.stack.client(made.resource), made.case.kind, made.stack.scope
    found = next(found for found in kind.find(client, scope) if found.arn == made.resource.arn)
    kind.delete(client, found.identifier)
    assert made.resource.read(client) is None
    assert made.resource.arn not in [found.arn for found in kind.find(client, scope)]
    kind.delete(client, found.identifier)


# --- That there is a case, and that it is whole


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.noun)
def test_every_class_has_its_case(kind: type[Resource]):
    of_class = [case for case in cases.EVERY.values() if case.kind is kind]
    assert of_class, f"tests/support/cases/{kind.__module__.rpartition('.')[2]}.py has no Case of it"
    assert of_class[0].use == "", "the first is the plain one, by which the others' tests know the class"
    assert any(case.drift for case in of_class)
    assert bool(of_class[0].key) >= kind.is_encrypted, "it is encrypted, so how does its key show?"


@pytest.mark.parametrize("case", cases.EVERY.values(), ids=repr)
def test_a_case_describes_its_class_and_is_in_its_service_s_file(stack: Stack, case: Case):
    assert type(case.describe(stack)) is case.kind
    (module,) = [module for module in cases.MODULES if case in module.CASES]
    assert module.__name__.rpartition(".")[2] == case.kind.__module__.rpartition(".")[2]
    assert case.undrifted.keys().isdisjoint(case.drift)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.noun)
def test_every_setting_of_a_class_drifts_in_its_cases(parameters, kind: type[Resource]):
    """Else nobody would notice if a plan did not name a change of it."""
    of_class = [case for case in cases.EVERY.values() if case.kind is kind]
    drifting = {setting for case in of_class for setting in (*case.drift, *case.undrifted)}
    managed = {name for case in of_class for name in case.describe(Stack(None, parameters, "t")).desired()}
    assert drifting == managed
