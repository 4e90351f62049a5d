"""The permissions boundary: enough for every role that we make, and no way around it for the deployer."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from string import Template

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support.cleanup import remove

from lib.base.errors import PreflightError
from lib.base.paths import ROOT
from lib.engine.stack import Stack
from lib.local.deployer_policies import MAX_CHARACTERS, MAX_POLICIES
from lib.parameters import Parameters
from lib.resources.iam import Role
from lib.resources.policies import document, from_template

VALUES = {"account_id": "000000000000", "prefix": "runbook", "env": "test"}
BOUNDARY_ARN = "arn:aws:iam::000000000000:policy/runbook-test-boundary"
TEMPLATES = ["lib/policies/crawler-policy.json", "lib/policies/batch-operations-policy.json"]
TEMPLATES += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("handlers/*/policy.json"))]
DEPLOYER_FILES = ["deployer-policy.json", "deployer-boundary-policy.json", "live-policy.json"]
KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/1"
ARNS = {
    "bucket_arn": "arn:aws:s3:::runbook-test-x-files-000000000000-us-east-1",
    "objects_arn": "arn:aws:s3:::runbook-test-x-files-000000000000-us-east-1/*",
    "queue_arn": "arn:aws:sqs:us-east-1:000000000000:runbook-test-x-uploads",
    "table_arn": "arn:aws:dynamodb:us-east-1:000000000000:table/runbook-test-x-rows",
    "function_arn": "arn:aws:lambda:us-east-1:000000000000:function:runbook-test-x-copy",
    "log_group_arn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/runbook-test-x-copy",
    "workgroup_arn": "arn:aws:athena:us-east-1:000000000000:workgroup/runbook-test-x-queries",
    "key_arn": KEY_ARN,
    "database": "runbook_test_x_tables",
    "prefix": "in/",
    "region": "us-east-1",
    "account_id": "000000000000",
}


def filled_in(file: str, **values: str) -> dict:
    return json.loads(Template((ROOT / "lib" / "policies" / file).read_text()).substitute(VALUES | values))


def value_of(name: str) -> str:
    """The ARN that stands for a placeholder, found by how its name ends."""
    return next(arn for ending, arn in ARNS.items() if name.endswith(ending))


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def pairs(policy: dict) -> set[tuple[str, str]]:
    """Each action with each resource."""
    return {
        (action, resource)
        for s in policy["Statement"]
        for action in listed(s["Action"])
        for resource in listed(s["Resource"])
    }


@pytest.mark.parametrize("path", TEMPLATES)
def test_a_role_may_do_all_it_needs_within_the_boundary(path: str) -> None:
    names = re.findall(r"\$\{(\w+)}", (ROOT / path).read_text())
    needed = pairs(from_template(path, **{name: value_of(name) for name in names}))
    allowed = pairs(filled_in("permissions-boundary.json"))
    missing = {
        (action, resource)
        for action, resource in needed
        if not any(action == a and fnmatchcase(resource, r) for a, r in allowed)
    }
    assert missing == set()


def test_the_boundary_and_the_deployer_use_keys_through_every_service_that_a_role_does() -> None:
    needed = {s["Condition"]["StringLike"]["kms:ViaService"] for path in TEMPLATES for s in _of_keys(path)}
    for section in (
        filled_in("permissions-boundary.json"),
        filled_in("deployer-policy.json")["storage"],
    ):
        (keys,) = [s for s in section["Statement"] if s["Sid"] == "OurStoresUnderKmsKeys"]
        # CloudWatch Logs may use a log group's key for its caller, whom the key's own policy lets do so:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        assert set(keys["Condition"]["StringLike"]["kms:ViaService"]) == needed | {"logs.*.amazonaws.com"}


def _of_keys(path: str) -> list[dict]:
    return [s for s in _statements(path) if "kms:" in json.dumps(s["Action"])]


def test_the_boundary_allows_nothing_that_no_role_needs() -> None:
    needed = {action for path in TEMPLATES for s in _statements(path) for action in listed(s["Action"])}
    assert {action for action, _ in pairs(filled_in("permissions-boundary.json"))} == needed


def _statements(path: str) -> list[dict]:
    return json.loads((ROOT / path).read_text())["Statement"]


def test_the_boundary_is_of_our_own_things_and_gives_no_rights_over_rights() -> None:
    policy = filled_in("permissions-boundary.json")
    assert not any(re.match(r"(iam|sts|organizations):", action) for action, _ in pairs(policy))
    shared = {s["Sid"] for s in policy["Statement"] if "runbook" not in json.dumps(s["Resource"])}
    assert shared == {
        "OurStoresUnderKmsKeys",
        "AthenaAlwaysLooksAtTheDefaultDatabase",
        "CrawlersLogsAreSharedByAllCrawlers",
    }


@pytest.mark.parametrize(
    "env", ["live*", "abcdefghijklmn"]
)  # with prefix, the longest that bucket names allow
def test_each_policy_fits_into_a_managed_policy_and_all_onto_one_user(env: str) -> None:
    values = {"env": env, "permissions_boundary_arn": BOUNDARY_ARN}
    sections = {name: policy for file in DEPLOYER_FILES for name, policy in filled_in(file, **values).items()}
    sizes = {
        name: len(json.dumps(policy, separators=(",", ":")))
        for name, policy in (sections | {"boundary of roles": filled_in("permissions-boundary.json")}).items()
    }
    assert max(sizes.values()) <= MAX_CHARACTERS, sizes
    assert len(sections) <= MAX_POLICIES


def test_the_deployer_makes_no_role_without_the_boundary_and_never_changes_it() -> None:
    by_sid = {s["Sid"]: s for s in _boundary_section()["Statement"]}
    no_other = by_sid["NoRoleWithoutTheBoundary"]
    assert no_other["Effect"] == "Deny"
    # Negated, it also holds where there is no boundary at all:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    assert no_other["Condition"] == {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY_ARN}}
    assert {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"} <= set(no_other["Action"])
    assert by_sid["NobodyTakesItOff"]["Effect"] == by_sid["NobodyWidensIt"]["Effect"] == "Deny"
    assert by_sid["NobodyWidensIt"]["Resource"] == BOUNDARY_ARN


def _boundary_section() -> dict:
    return filled_in("deployer-boundary-policy.json", permissions_boundary_arn=BOUNDARY_ARN)["boundary"]


# --- on the local AWS


@pytest.fixture(scope="module")
def boundary_arn(somebody) -> Iterator[str]:
    text = json.dumps(filled_in("permissions-boundary.json"))
    iam = somebody("iam")
    arn = iam.create_policy(PolicyName="runbook-test-boundary", PolicyDocument=text)["Policy"]["Arn"]
    yield arn
    iam.delete_policy(PolicyArn=arn)


@pytest.fixture
def bounded(stack: Stack, boundary_arn: str) -> Iterator[Stack]:
    """The stack's own pipeline, described with the boundary."""
    parameters = Parameters.check({"env": "test", "permissions_boundary_arn": boundary_arn})
    bounded = Stack(stack.target, parameters, stack.scope.pipeline)
    yield bounded
    remove(bounded)


def role() -> Role:
    anything = {"Sid": "Any", "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    return Role("copy", "us-east-1", trusts="lambda.amazonaws.com", policy=document([anything]))


def test_a_role_is_made_with_the_boundary_which_holds(
    local_aws, bounded: Stack, boundary_arn: str, somebody
) -> None:
    copy = bounded.add(role())
    bounded.apply()
    found = somebody("iam").get_role(RoleName=copy.name)["Role"]["PermissionsBoundary"]
    assert found["PermissionsBoundaryArn"] == boundary_arn
    assert [step.action for step in bounded.plan()] == ["unchanged"]
    key = somebody("sts").assume_role(RoleArn=copy.arn, RoleSessionName="test")["Credentials"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    as_role = session.client(
        "s3",
        "us-east-1",
        endpoint_url=local_aws.endpoint_url,
        verify=local_aws.ca_bundle,
        config=Config(proxies={}),
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.list_buckets()


def test_a_role_without_it_gets_it_and_one_that_shall_have_none_keeps_it(
    stack: Stack, bounded: Stack, boundary_arn: str, somebody
) -> None:
    stack.add(role())
    stack.apply()
    copy = bounded.add(role())
    with pytest.raises(PreflightError, match="iam:PutRolePermissionsBoundary"):
        bounded.plan()  # the deployer needs lib/policies/deployer-boundary-policy.json for it
    iam = somebody("iam")
    mine = {"UserName": stack.target.caller.rpartition("/")[2], "PolicyName": "bound"}
    section = filled_in("deployer-boundary-policy.json", permissions_boundary_arn=boundary_arn)["boundary"]
    iam.put_user_policy(**mine, PolicyDocument=json.dumps(section))
    try:
        (step,) = bounded.plan()
        assert (step.action, list(step.changes)) == ("change", ["permissions_boundary"])
        bounded.apply()
    finally:
        iam.delete_user_policy(**mine)
    found = iam.get_role(RoleName=copy.name)["Role"]["PermissionsBoundary"]
    assert found["PermissionsBoundaryArn"] == boundary_arn
    assert [s.action for s in bounded.plan()] == ["unchanged"]
    assert [s.action for s in stack.plan()] == ["unchanged"]


def test_only_the_arn_of_a_policy_is_a_boundary() -> None:
    with pytest.raises(Exception, match="permissions_boundary_arn"):
        Parameters.check({"permissions_boundary_arn": "arn:aws:iam::000000000000:role/x"})
