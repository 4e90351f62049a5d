"""Every policy that we publish or put on a role, before two judges that are not ours: cfn-lint and moto."""

import json
import re
from string import Template

import boto3
import pytest
from botocore.exceptions import ClientError
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from support.handler_support import HANDLERS

from lib.base.paths import ROOT

PUBLISHED = sorted((ROOT / "lib/policies").glob("*.json"))
OF_HANDLERS = sorted(HANDLERS.glob("*/policy.json"))
ACCOUNT = "123456789012"
VALUES = {
    "account_id": ACCOUNT,
    "other_account_id": "222222222222",
    "prefix": "runbook",
    "env": "prod",
    "region": "us-east-1",
    "bucket": "photos-2019",
    "deployer_arn": f"arn:aws:iam::{ACCOUNT}:role/runbook-deployer",
    "permissions_boundary_arn": f"arn:aws:iam::{ACCOUNT}:policy/runbook-prod-boundary",
    "role_arn": "arn:aws:iam::222222222222:role/runbook-prod-elsewhere",
    "external_id": "7f3a",
}
# What a placeholder of a handler's policy stands for, by how its name ends.
ENDINGS = {
    "bucket_arn": "arn:aws:s3:::runbook-prod-x-files-123456789012-us-east-1",
    "buckets_arn": "arn:aws:s3:::runbook-prod-*",
    "objects_arn": "arn:aws:s3:::runbook-prod-x-files-123456789012-us-east-1/*",
    "queue_arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:runbook-prod-x-uploads",
    "table_arn": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/runbook-prod-x-rows",
    "function_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:runbook-prod-x-copy",
    "log_group_arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/runbook-prod-x-copy",
    "workgroup_arn": f"arn:aws:athena:us-east-1:{ACCOUNT}:workgroup/runbook-prod-x-queries",
    "key_arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012",
    "database": "runbook_prod_x_tables",
}


def value_of(name: str) -> str:
    found = (value for ending, value in ENDINGS.items() if name.endswith(ending))
    return VALUES.get(name) or next(found, name)


def documents(path) -> dict[str, dict]:
    """The policies in a file, by name: one, or one in each section."""
    text = path.read_text("utf-8")
    names = re.findall(r"\$\{(\w+)}", text)
    content = json.loads(Template(text).safe_substitute({name: value_of(name) for name in names}))
    name = f"{path.parent.name}/{path.stem}"
    if "Statement" in content:
        return {name: content}
    return {f"{name}/{key}": one for key, one in content.items()}


def everything() -> dict[str, dict]:
    files = [*PUBLISHED, *OF_HANDLERS, ROOT / "docs/kms-key.json"]
    return {name: document for path in files for name, document in documents(path).items()}


def resource(name: str, document: dict) -> dict:
    """What of CloudFormation's a policy is a property of: by whom it names, and for what."""
    if name.endswith("kms-key"):
        return {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document}}
    if "Principal" in document["Statement"][0]:
        return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}


def judged(policies: dict[str, dict]) -> list[str]:
    """What cfn-lint says of policies."""
    names = {f"P{number}": name for number, name in enumerate(policies)}
    template = {"Resources": {key: resource(name, policies[name]) for key, name in names.items()}}
    found = lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))
    return [f"{names[str(each.path[1])]}: {each.rule.id} {each.path}: {each.message}" for each in found]


def test_cfn_lint_has_nothing_to_say():
    policies = everything()
    assert len(policies) > len(PUBLISHED) + len(OF_HANDLERS)
    assert "\n".join(judged(policies)) == ""


@pytest.fixture(scope="module")
def iam(moto):
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return boto3.client("iam", "us-east-1", endpoint_url=moto, **keys)


def without_jobs(document: dict) -> dict:
    """A policy without statements on S3's batch jobs, whose ARNs have a region, which moto does not know."""
    kept = [one for one in document["Statement"] if ":job/" not in json.dumps(one.get("Resource", ""))]
    return {**document, "Statement": kept}


def test_moto_takes_each_identity_policy(iam):
    for name, document in everything().items():
        if resource(name, document)["Type"] == "AWS::IAM::ManagedPolicy":
            document = without_jobs(document)
            short = re.sub("[^A-Za-z0-9]", "-", name)
            iam.create_policy(PolicyName=short, PolicyDocument=json.dumps(document))


BROKEN = {
    "no such effect": {"Effect": "Permit"},
    "an action without its service": {"Action": "GetObject"},
    "a resource that is no ARN": {"Resource": "photos"},
    "an operator that there is not": {"Condition": {"StringAlmostEquals": {"aws:SourceAccount": ACCOUNT}}},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_policy_that_is_wrong_is_judged_so_by_one_of_them_at_least(iam, what: str):
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | BROKEN[what]
    document = {"Version": "2012-10-17", "Statement": [statement]}
    refused = ""
    try:
        iam.create_policy(PolicyName=re.sub("[^a-z]", "", what), PolicyDocument=json.dumps(document))
    except ClientError as error:
        refused = error.response["Error"]["Code"]
    assert judged({"broken": document}) or refused == "MalformedPolicyDocument"
