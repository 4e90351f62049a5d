"""The same on moto, another emulator, which differs from the local AWS in what it forgets and refuses.

It has no classifiers, does not delete inventory configurations and forgets their encryption, and has for a
workgroup that does not exist an answer that AWS never gives; so here each thing is made without a plan.
"""

import secrets

import pytest
from support import cases
from support.case import HERE, Case

from lib.engine import preflight
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.base import Resource, differences, our_tags
from lib.target import Target, connect

MADE = [case for case in cases.EVERY.values() if "make" not in case.not_on_moto]
UPDATED = [case for case in MADE if case.others and "update" not in case.not_on_moto]


@pytest.fixture(scope="module")
def aws(moto: str) -> Target:
    """Target `aws`, as a real account is reached: all from the caller's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": moto,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
        }.items():
            patch.setenv(name, value)
        values = {"target": "aws", "account_id": "123456789012", "exercise": False}
        yield connect(Parameters.check(values))


@pytest.fixture(autouse=True)
def without_preflight(monkeypatch: pytest.MonkeyPatch):
    """What moto lacks is left out of the stacks here, so that they do not keep the rules."""
    monkeypatch.setattr(preflight, "require", lambda stack: [])


def make(aws: Target, case: Case) -> tuple[Stack, Resource]:
    """Make one in a pipeline of its own, without what moto cannot make."""
    given = {"target": "aws", "account_id": aws.account_id, "exercise": False}
    parameters = Parameters.check(given | {"deletion_protection": "DISABLED"})
    stack = Stack(aws, parameters, f"t{secrets.token_hex(4)}")
    resource = case.describe(stack)
    kinds = {made.kind for made in MADE}
    stack.resources = {arn: one for arn, one in stack.resources.items() if type(one) in kinds}
    for one in stack.resources.values():
        one.create(stack.client(one))
    return stack, resource


@pytest.mark.parametrize("case", MADE, ids=repr)
def test_made_left_found_and_deleted(aws: Target, case: Case):
    stack, resource = make(aws, case)
    assert stack.apply().count("unchanged") == len(stack.resources)
    client, kind = stack.client(resource), case.kind
    (found,) = [found for found in kind.find(client, stack.scope) if found.arn == resource.arn]
    # A part has the tags of what it is a part of; a dashboard is a part of nothing.
    tags = None if found.tags is None else our_tags(found.tags)
    assert tags in (stack.scope.tags, *([] if kind.taggable else [None]))
    kind.delete(client, found.identifier)
    assert resource.arn not in [found.arn for found in kind.find(client, stack.scope)]
    if "delete twice" not in case.not_on_moto:
        kind.delete(client, found.identifier)
        assert resource.read(client) is None


@pytest.mark.parametrize("case", UPDATED, ids=repr)
def test_somebody_else_s_settings_survive_our_updates(aws: Target, case: Case):
    stack, resource = make(aws, case)
    client, others = stack.client(resource), case.others
    others.write(client, resource)
    theirs = others.read(client, resource)
    resource.update(client, resource.desired())
    assert others.read(client, resource) == theirs
    assert differences(resource.read(client), resource.desired()) == {}


def test_an_old_lifecycle_rule_is_kept_in_the_newer_spelling(aws: Target):
    """The local AWS forgets the prefix of such a rule."""
    stack, bucket = make(aws, cases.EVERY["S3 bucket"])
    s3 = stack.client(bucket)
    old = {"ID": "old", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [old]})
    assert stack.plan().count("change") == 1
    bucket.make(s3)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert {rule["ID"]: rule.get("Filter") for rule in rules} == {
        "old": {"Prefix": "logs/"},
        "runbook": {"Prefix": ""},
    }
    assert stack.plan().count("unchanged") == 1


def test_regions_are_apart(aws: Target):
    stack, queue = make(aws, cases.EVERY["SQS queue"])
    elsewhere = aws.client("sqs", HERE)
    assert list(type(queue).find(elsewhere, stack.scope)) == []
