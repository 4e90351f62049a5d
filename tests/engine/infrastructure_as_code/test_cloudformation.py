"""Templates, judged by cfn-lint with AWS's own schemas of resources, and deployed on the local AWS."""

import json
import re
import zipfile
from collections import Counter
from io import BytesIO

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from support import cases
from support.case import Case
from support.described import PIPELINES, describe
from support.nobody import KEYS, empty_stack, stack_of

from lib.base.errors import RunbookError
from lib.engine.infrastructure_as_code import FOLDER, SUFFIX, Exported
from lib.engine.infrastructure_as_code.cloudformation import templates
from lib.engine.stack import Stack
from lib.local.ministack import LocalAws
from lib.parameters import Parameters
from lib.resources.base import differences
from lib.resources.registry import types
from lib.resources.sqs import Queue
from lib.target import connect

# What MiniStack's CloudFormation does not make of what a template says, by type; it knows no classifier.
NOT_MADE = {
    "S3 bucket": {"lifecycle", "tags"},
    "DynamoDB table": {"TimeToLive", "PointInTimeRecovery"},
    # Nor AWS's: a Glue database has no tags there.
    "Glue database": {"tags"},
}
# What has another name there, or there is a part of its bucket, which MiniStack leaves out.
OTHERWISE = {"S3 bucket notification", "Lambda permission", "Lambda event invoke config"}


def in_regions(exported: Exported) -> dict[str, dict]:
    """The templates by their regions."""
    return {
        path.removesuffix(SUFFIX): json.loads(content)
        for path, content in exported.files.items()
        if path.endswith(SUFFIX)
    }


def findings(exported: Exported) -> list[str]:
    """What cfn-lint says of the templates."""
    return [
        f"{region}: {match.rule.id} {match.path}: {match.message}"
        for region, template in in_regions(exported).items()
        for match in lint(json.dumps(template), config=ManualArgs(regions=[region]))
    ]


# The others with keys, since a lint takes half a second.
WITHOUT_KEYS = ("migrate", "ingest")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_pipeline_keeps_the_schemas(pipeline: str):
    exported = templates(stack_of(pipeline, kms_key_arns=[] if pipeline in WITHOUT_KEYS else KEYS))
    assert findings(exported) == []
    assert exported.no_equal == []


def of_no_pipeline() -> list[Case]:
    """The cases of those types that no notebook describes by its defaults, but could."""
    described = {type(one) for name in PIPELINES for one in stack_of(name).resources.values()}
    return [case for case in cases.EVERY.values() if case.kind not in described and not case.kind.stays]


@pytest.mark.parametrize("case", of_no_pipeline(), ids=str)
def test_so_does_a_type_of_none(case: Case):
    stack = empty_stack()
    resource = case.describe(stack)
    exported = templates(stack)
    assert findings(exported) == []
    assert str(resource) not in {one.what for one in exported.no_equal}


def test_each_type_has_a_case():
    assert {case.kind for case in cases.EVERY.values()} >= set(types())


def test_the_judge_finds_what_is_wrong():
    exported = templates(stack_of("migrate"))
    (path, *_) = exported.files
    wrong = exported.files[path].replace(b'"BatchSize"', b'"BatchSizes"')
    assert "BatchSizes" in findings(Exported({path: wrong}, []))[0]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_there_is_no_account_in_it_nor_prefix_nor_environment(pipeline: str):
    stack = stack_of(pipeline, account_id="210987654321", target="aws", prefix="acme")
    for path, content in templates(stack).files.items():
        if path.endswith(SUFFIX):
            template = json.loads(content)
            del template["Parameters"]  # their defaults
            text = json.dumps(template)
            assert not re.findall(r"210987654321|acme-test|acme_test", text)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_each_resource_is_in_it_once(pipeline: str):
    stack = stack_of(pipeline)
    templates_of = in_regions(templates(stack)).values()
    declared = Counter(one["Type"] for each in templates_of for one in each["Resources"].values())
    wanted = Counter(one.noun for one in stack.resources.values())
    for kind, noun in (
        ("AWS::S3::Bucket", "S3 bucket"),
        ("AWS::SQS::Queue", "SQS queue"),
        ("AWS::DynamoDB::Table", "DynamoDB table"),
        ("AWS::Glue::Table", "Glue table"),
        ("AWS::Lambda::Function", "Lambda function"),
        ("AWS::CloudWatch::Alarm", "CloudWatch alarm"),
    ):
        assert declared[kind] == wanted[noun], noun


def test_regions_come_in_the_order_in_which_they_need_each_other():
    exported = templates(stack_of("migrate"))
    assert list(in_regions(exported)) == ["us-east-1", "us-west-1"]  # the queue before who subscribes it


def test_what_must_be_there_first_is_said():
    resources = in_regions(templates(stack_of("index")))["us-east-1"]["Resources"]
    (source,) = [one for one in resources.values() if "NotificationConfiguration" in one["Properties"]]
    assert {"ObjectsPermission", "IndexFunction"} <= set(source["DependsOn"])


def test_code_lies_beside_it():
    exported = templates(stack_of("backup"))
    zips = {path: content for path, content in exported.files.items() if path.startswith(f"{FOLDER}/")}
    assert {path.rsplit("-", 1)[0] for path in zips} == {"code/replicate", "code/delete"}
    for content in zips.values():
        assert "handler.py" in zipfile.ZipFile(BytesIO(content)).namelist()
    keys = re.findall(r"\$\{CodePrefix\}([^\"]+)", exported.files[f"us-east-1{SUFFIX}"].decode())
    assert sorted(keys) == sorted(path.removeprefix(f"{FOLDER}/") for path in zips)


def test_a_bucket_of_somebody_else_is_left_out_and_named(local_aws: LocalAws, somebody):
    bucket = "somebodys-files"
    somebody("s3", "us-west-1").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-1"}
    )
    parameters = Parameters.check({"env": "made", "migrate": {"source_bucket": bucket}})
    try:
        exported = templates(describe("migrate", connect(parameters), parameters, source_bucket=bucket))
    finally:
        somebody("s3", "us-west-1").delete_bucket(Bucket=bucket)
    assert exported.no_equal[0].what.startswith(f"S3 bucket {bucket}")
    assert any("notification" in one.what and "somebody else's" in one.why for one in exported.no_equal)
    assert findings(exported) == []


def test_two_of_one_name_are_refused():
    stack = empty_stack()
    for what in ("dead-letters", "deadLetters"):
        stack.add(Queue(what, "us-east-1"))
    with pytest.raises(RunbookError, match="one name"):
        templates(stack)


def test_deployed_it_is_what_the_runbook_describes(local_aws: LocalAws, somebody):
    """Nothing of MiniStack's own CloudFormation is ours: what it makes is compared with what we want."""
    parameters = Parameters.check({"env": "made"})
    stack = describe("migrate", connect(parameters), parameters)
    exported = templates(stack)
    stacks = []
    try:
        for region, template in in_regions(exported).items():
            stacks.append(_deploy(somebody, region, template, exported))
        compared = {
            resource.noun for resource in stack.resources.values() if _is_as_described(stack, resource)
        }
    finally:
        for region, name in reversed(stacks):
            somebody("cloudformation", region).delete_stack(StackName=name)
    assert compared >= {"S3 bucket", "SQS queue", "SNS topic", "IAM role", "Lambda function", "Glue crawler"}


def _deploy(somebody, region: str, template: dict, exported: Exported) -> tuple[str, str]:
    unknown = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::Glue::Classifier"}
    for name in unknown:
        del template["Resources"][name]
    for one in template["Resources"].values():
        one["DependsOn"] = [name for name in one.get("DependsOn", []) if name not in unknown]
        one.pop("DeletionPolicy", None)
    given = []
    if "CodeBucket" in template["Parameters"]:
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        somebody("s3", region).create_bucket(Bucket="somebodys-code", **place)
        for path, content in exported.files.items():
            if path.startswith(f"{FOLDER}/"):
                somebody("s3", region).put_object(
                    Bucket="somebodys-code", Key=path.removeprefix(f"{FOLDER}/"), Body=content
                )
        given = [{"ParameterKey": "CodeBucket", "ParameterValue": "somebodys-code"}]
    client = somebody("cloudformation", region)
    client.create_stack(
        StackName="migrate",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=given,
    )
    client.get_waiter("stack_create_complete").wait(
        StackName="migrate", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    return region, "migrate"


def _is_as_described(stack: Stack, resource) -> bool:
    if resource.noun in OTHERWISE | {"Glue classifier"}:
        return False
    found = resource.read(stack.client(resource))
    assert found is not None, f"{resource} was not made"
    assert differences(found, resource.desired()).keys() <= NOT_MADE.get(resource.noun, set()), str(resource)
    return True
