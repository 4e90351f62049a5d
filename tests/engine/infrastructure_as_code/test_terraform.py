"""Terraform JSON, compared with what the provider's documentation has of each of its types."""

import json
import re
from typing import Any

import pytest
from support.cases import EVERY
from support.described import PIPELINES
from support.nobody import empty_stack, stack_of

from lib.base.paths import ROOT
from lib.engine.infrastructure_as_code import Exported, terraform
from lib.engine.stack import Stack
from lib.resources.sqs import Queue
from lib.target import Target

# The attributes of the types that we use, of docs/resources of hashicorp/terraform-provider-awscc 1.96:
# a type to the path of a block to names to types. A further type is added with its names.
DOCUMENTED = json.loads((ROOT / "tests/engine/infrastructure_as_code/awscc.json").read_text("utf-8"))
KINDS = {"String": str, "Boolean": bool, "Number": (int, float)}
# What any resource may have: https://developer.hashicorp.com/terraform/language/meta-arguments
META = {"provider", "depends_on", "lifecycle"}
REFERENCE = re.compile(r"\$\{((?:awscc|aws)_\w+)\.(\w+)\.")


@pytest.fixture
def nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No account is asked: as if nothing of the stack existed."""
    monkeypatch.setattr(terraform, "_identifier", lambda stack, one: ("", ""))


def main(exported: Exported) -> dict[str, Any]:
    return json.loads(exported.files[terraform.FILE])


def wrong(kind: str, values: dict[str, Any], path: str = "") -> list[str]:
    """What the provider would refuse of a resource."""
    found = []
    for name, value in values.items():
        type_name = DOCUMENTED[kind].get(path, {}).get(name)
        where = f"{path}.{name}".lstrip(".")
        if not path and name in META:
            continue
        if type_name is None:
            found.append(f"{kind}: there is no {where}")
        elif isinstance(value, dict):
            is_block = type_name.startswith("Attributes")
            found += wrong(kind, value, where) if is_block else []
            found += [] if is_block or type_name.startswith("Map") else [f"{kind}.{where} is {type_name}"]
        elif isinstance(value, list):
            found += [] if "List" in type_name or "Set" in type_name else [f"{kind}.{where} is {type_name}"]
            found += [each for one in value if isinstance(one, dict) for each in wrong(kind, one, where)]
        elif not isinstance(value, KINDS.get(type_name, ())) or (
            isinstance(value, bool) and type_name != "Boolean"
        ):
            found.append(f"{kind}.{where} is {type_name}, not {value!r}")
    return found


def all_wrong(stack: Stack) -> list[str]:
    resources = main(terraform.configuration(stack))["resource"]
    return [
        each
        for kind, named in resources.items()
        if kind.startswith("awscc_")
        for one in named.values()
        for each in wrong(kind, one)
    ]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_pipeline_has_the_providers_attributes(nothing_there, pipeline: str):
    assert all_wrong(stack_of(pipeline)) == []


@pytest.mark.parametrize("case", EVERY.values(), ids=str)
def test_so_has_each_type(nothing_there, case):
    stack = empty_stack()
    case.describe(stack)
    assert all_wrong(stack) == []


def test_the_judge_finds_what_is_wrong():
    assert wrong("awscc_sqs_queue", {"queue_name": 1}) == ["awscc_sqs_queue.queue_name is String, not 1"]
    assert wrong("awscc_sqs_queue", {"QueueName": "a"}) == ["awscc_sqs_queue: there is no QueueName"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_what_is_referred_to_is_there(nothing_there, pipeline: str):
    exported = terraform.configuration(stack_of(pipeline))
    resources = main(exported)["resource"]
    text = exported.files[terraform.FILE].decode()
    named = REFERENCE.findall(text) + [
        tuple(each.split("."))
        for kinds in resources.values()
        for one in kinds.values()
        for each in one.get("depends_on", [])
    ]
    assert named
    assert [(kind, name) for kind, name in named if name not in resources.get(kind, {})] == []


def test_names_are_as_the_provider_spells_them():
    # The last is the provider's own example of what it replaces.
    spelled = {
        "KMSMasterKeyID": "kms_master_key_id",
        "SSEAlgorithm": "sse_algorithm",
        "S3Bucket": "s3_bucket",
        "AWS99Thing": "aws99_thing",
        "CloudWatchLogsLogGroupArn": "cloudwatch_logs_log_group_arn",
    }
    assert {name: terraform.attribute(name) for name in spelled} == spelled


def test_a_dollar_of_ours_is_no_expression_of_terraforms(nothing_there):
    stack = stack_of("ingest")
    text = terraform.configuration(stack).files[terraform.FILE].decode()
    assert "$${" not in text  # there is none
    queue = Queue(
        "odd", "us-east-1", senders={"sns.amazonaws.com": "arn:aws:sns:us-east-1:000000000000:a${b}"}
    )
    stack.add(queue)
    assert "a$${b}" in terraform.configuration(stack).files[terraform.FILE].decode()


def test_what_exists_is_imported(stack: Stack, target: Target):
    queue = stack.add(Queue("there", "us-east-1"))
    stack.apply()
    stack.add(Queue("missing", "us-east-1"))
    exported = terraform.configuration(stack)
    imported = json.loads(exported.files[terraform.IMPORTS])["import"]
    url = queue.output(stack.client(queue))
    assert imported == [
        {"to": "awscc_sqs_queue.there_queue", "id": url},
        {"to": "awscc_sqs_queue_inline_policy.there_queue_policy", "id": url},
    ]
    assert exported.no_equal == []
