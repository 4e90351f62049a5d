"""The same on moto, another emulator, which differs from the local AWS in what it forgets and refuses.

It has no classifiers, does not delete inventory configurations and forgets their encryption, and has for a
workgroup that does not exist an answer that AWS never gives; so here each thing is made without a plan.
"""

import pytest
from support import examples
from support.examples import EXAMPLES
from support.others import OTHERS

from lib.engine import preflight
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.base import Resource, differences
from lib.resources.glue import CsvClassifier
from lib.target import Target, connect

NO_UPDATE = {"Crawler", "WorkGroup", "LogGroup"}  # moto's answer is 500
NAMES = [name for name in EXAMPLES if name not in ("CsvClassifier", "InventoryConfiguration")]


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
    monkeypatch.setattr(preflight, "require", lambda stack: None)


def make(aws: Target, name: str, pipeline: str) -> tuple[Stack, Resource]:
    parameters = Parameters.check({"target": "aws", "account_id": aws.account_id, "exercise": False})
    stack = Stack(aws, parameters, pipeline)
    resource = EXAMPLES[name](stack)
    stack.resources = {k: v for k, v in stack.resources.items() if not isinstance(v, CsvClassifier)}
    for one in stack.resources.values():
        one.create(stack.client(one))
    return stack, resource


@pytest.mark.parametrize("name", NAMES)
def test_made_left_found_and_deleted(aws: Target, name: str):
    stack, resource = make(aws, name, f"a{NAMES.index(name)}")
    assert stack.apply().count("unchanged") == len(stack.resources)
    client, kind = stack.client(resource), type(resource)
    (found,) = [found for found in kind.find(client, stack.scope) if found.arn == resource.arn]
    # A part has the tags of what it is a part of; a dashboard is a part of nothing.
    assert found.tags in (stack.scope.tags, *([] if kind.taggable else [None]))
    kind.delete(client, found.identifier)
    assert resource.arn not in [found.arn for found in kind.find(client, stack.scope)]
    if name != "WorkGroup":
        kind.delete(client, found.identifier)
        assert resource.read(client) is None


@pytest.mark.parametrize("name", [name for name in NAMES if name in OTHERS and name not in NO_UPDATE])
def test_somebody_else_s_settings_survive_our_updates(aws: Target, name: str):
    stack, resource = make(aws, name, f"b{NAMES.index(name)}")
    client, others = stack.client(resource), OTHERS[name]
    others.write(client, resource)
    theirs = others.read(client, resource)
    resource.update(client, resource.desired())
    assert others.read(client, resource) == theirs
    assert differences(resource.read(client), resource.desired()) == {}


def test_an_old_lifecycle_rule_is_kept_in_the_newer_spelling(aws: Target):
    """The local AWS forgets the prefix of such a rule."""
    stack, bucket = make(aws, "Bucket", "c0")
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
    stack, queue = make(aws, "Queue", "c1")
    elsewhere = aws.client("sqs", examples.HERE)
    assert list(type(queue).find(elsewhere, stack.scope)) == []
