"""Whatever a resource is described with, the preflight answers in findings, never with a traceback."""

from copy import deepcopy
from dataclasses import fields

import pytest
from support.described import PIPELINES, describe

from lib.engine.preflight.iam_data import overlap
from lib.engine.preflight.violations import described
from lib.parameters import Parameters
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.sqs import Queue
from lib.target import Target

ODD_TEXTS = ["", "x" * 3000, "no-arn", "[(?${*", "\n\0"]
ODD_NUMBERS = [-1, 1.5, 10**30, float("nan"), "60", None]
ODD_LISTS = [[], [""], ["x" * 3000], [1.5]]
ODD = {str: ODD_TEXTS, int: ODD_NUMBERS, float: ODD_NUMBERS, list: ODD_LISTS, tuple: ODD_LISTS}
STATEMENTS = [
    {"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "*"},
    {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::other/*"},
    {"Effect": "Allow", "NotPrincipal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": "*"},
    {"Effect": "Allow", "Action": "s3:GetObject"},
    {"Effect": "Allow", "Resource": "*"},
    {"Action": "s3:GetObject", "Resource": "*"},
    {"Effect": "Maybe", "Action": "s3:GetObject", "Resource": "*"},
    {"Effect": "Allow", "Action": [], "Resource": []},
    {"Effect": "Allow", "Action": 5, "Resource": {"a": "b"}},
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "no-arn", "Condition": "none"},
    {"Effect": "Allow", "Action": "s3", "Resource": "arn:::::", "Condition": {"StringEquals": 1}},
    {},
]


def described_by(pipeline: str) -> list[Resource]:
    parameters = Parameters.check({"env": "test"})
    nobody = Target("local", session=None, account_id=parameters.account_id)
    return list(describe(pipeline, nobody, parameters).resources.values())


def findings(resources: list[Resource]) -> list[Finding]:
    return [finding for _, finding in described(resources)]


def test_odd_values_of_each_attribute() -> None:
    raised, tried = [], set()
    for resources in map(described_by, PIPELINES):
        for resource in resources:
            for each in fields(resource):
                value = getattr(resource, each.name, None)
                if (which := (type(resource), each.name, type(value))) in tried:
                    continue
                tried.add(which)
                for instead in ODD.get(type(value), []):
                    setattr(resource, each.name, instead)
                    try:
                        findings(resources)
                    except Exception as error:
                        raised.append(f"{resource.noun}.{each.name} = {str(instead)[:20]!r}: {error!r}")
                    setattr(resource, each.name, value)
    assert not raised


@pytest.mark.parametrize("statement", STATEMENTS, ids=str)
def test_odd_statements(statement: dict) -> None:
    resources = described_by("index")
    role = next(one for one in resources if isinstance(one, Role))
    role.policy = {**role.policy, "Statement": [*deepcopy(role.policy["Statement"]), statement]}
    assert findings(resources), f"{statement} is no statement that a role of ours may have"


@pytest.mark.parametrize("value", ["60", 1.5, None])
def test_a_number_that_is_none_is_told_before_the_first_write(value: object) -> None:
    resources = described_by("migrate")
    queue = next(one for one in resources if isinstance(one, Queue))
    queue.visibility_timeout_s = value
    found = findings(resources)
    assert [finding.rule for finding in found] == ["request-model"]
    assert "visibility_timeout_s" in found[0].what


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [("a" * 5000, "a" * 5000, True), ("a" * 5000 + "*", "*" + "b", True), ("a" * 5000, "a" * 4999, False)],
)
def test_patterns_of_any_length_overlap_or_not(one: str, other: str, both: bool) -> None:
    assert overlap(one, other) is both
