"""A deployer whose policies demand a permissions boundary, and one whose policies know of none."""

import json
from collections.abc import Iterator
from string import Template

import pytest
from botocore.exceptions import ClientError
from support import cases
from support.calls import Recorder, watched
from support.cleanup import remove
from support.command_line import runbook

from lib.base.errors import ParameterError, PreflightError
from lib.base.paths import ROOT
from lib.engine import preflight
from lib.engine.preflight import own_rights
from lib.engine.stack import Stack
from lib.local import deployer
from lib.parameters import Parameters
from lib.target import connect

ENV = "tbound"
VALUES = {"account_id": "000000000000", "prefix": "runbook", "env": ENV}
ARN = "arn:aws:iam::000000000000:policy/runbook-{}-boundary"


def filled_in(file: str, **values: str) -> dict:
    return json.loads(Template((ROOT / "lib/policies" / file).read_text()).substitute(VALUES | values))


def condition_keys(policy: dict) -> set[str]:
    statements = [each for section in policy.values() for each in section["Statement"]]
    return {key for each in statements for test in each.get("Condition", {}).values() for key in test}


@pytest.fixture(scope="module")
def boundary(somebody) -> Iterator[str]:
    """A policy as section 1 of the guide makes it."""
    document = json.dumps(filled_in("permissions-boundary.json"))
    iam = somebody("iam")
    arn = iam.create_policy(PolicyName=f"runbook-{ENV}-boundary", PolicyDocument=document)["Policy"]["Arn"]
    yield arn
    iam.delete_policy(PolicyArn=arn)


@pytest.fixture(scope="module")
def bound(local_aws, somebody, boundary) -> str:
    """The user whose policies demand it, as section 2 of the guide gives them."""
    user = deployer.credentials(local_aws, "runbook", ENV).user_name
    (section,) = filled_in("deployer-boundary-policy.json", permissions_boundary_arn=boundary).values()
    somebody("iam").put_user_policy(UserName=user, PolicyName="bound", PolicyDocument=json.dumps(section))
    return user


def stack_of(env: str, boundary_arn: str = "") -> Stack:
    parameters = Parameters.check({"env": env, "permissions_boundary_arn": boundary_arn})
    stack = Stack(connect(parameters), parameters, "index")
    cases.iam.role(stack)
    return stack


def found(stack: Stack) -> list[str]:
    return [one.rule for one in preflight.look(stack)]


def test_who_is_bound_makes_roles_with_the_boundary_alone(bound, boundary):
    without = stack_of(ENV)
    with pytest.raises(PreflightError) as refused:
        without.apply()
    for said in (
        bound,
        "without a permissions boundary (iam:CreateRole: explicitDeny",
        "nothing was written",
    ):
        assert said in str(refused.value)
    assert "set permissions_boundary_arn" in str(refused.value)
    other = stack_of(ENV, "arn:aws:iam::aws:policy/PowerUserAccess")
    assert found(other) == ["deployer-boundary"]
    within = stack_of(ENV, boundary)
    assert found(within) == []
    within.apply()
    assert found(without) == [], "the boundary that a role has stays, so that nothing is refused"
    remove(within)


def test_who_may_not_put_a_boundary_on_a_role_that_is_there_is_told(local_aws, somebody, boundary):
    unbound = f"{ENV}free"
    stack = stack_of(unbound)
    assert found(stack) == []
    assert found(stack_of(unbound, boundary)) == [], "a new role gets it when it is made"
    stack.apply()
    late = stack_of(unbound, boundary)
    (violation,) = preflight.check(late)
    assert (violation.rule, boundary in violation.what) == ("deployer-boundary", True)
    assert "iam:PutRolePermissionsBoundary: implicitDeny" in violation.what
    assert "deployer-boundary-policy.json" in violation.fix
    remove(stack)


def test_a_run_is_refused_before_its_lock_is_made(bound, boundary, somebody):
    given = ["--set", f"env={ENV}", "--no-exercise"]
    refused = runbook("run", "index", *given)
    assert (refused.exit_code, "permissions_boundary_arn: arn:aws:iam::" in refused.stderr) == (2, True)
    assert "nothing was done" in refused.stderr
    names = [one["Name"] for one in somebody("s3").list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith(f"runbook-{ENV}-") and "-run-lock-" not in name]


def test_what_is_required_is_read_and_never_written(bound, boundary):
    for arn, may in ((boundary, True), ("", False)):
        parameters = Parameters.check({"env": ENV, "permissions_boundary_arn": arn})
        recorder = Recorder()
        target = watched(connect(parameters), "before-call", recorder)
        if may:
            own_rights.require(target, parameters.scope())
        else:
            with pytest.raises(
                ParameterError, match="may not make or change a role without a permissions boundary"
            ):
                own_rights.require(target, parameters.scope())
        assert (len(recorder.made), recorder.writes) == (1, [])


def test_what_depends_on_more_than_the_simulation_knows_is_a_warning(bound, boundary):
    """As by a condition on a tag of the caller's, which the local AWS does not tell of.

    IAM names the keys of all statements, whatever these are on: https://github.com/boto/boto3/issues/3111
    """

    def with_missing(*keys: str):
        def tell(parsed: dict, **_: object) -> None:
            for one in parsed["EvaluationResults"]:
                one["ResourceSpecificResults"] = [{"MissingContextValues": list(keys)}]

        stack = stack_of(ENV)
        stack.target = watched(stack.target, "after-call.iam.SimulatePrincipalPolicy", tell)
        return stack

    keys = condition_keys(filled_in("deployer-policy.json"))
    assert {"kms:ViaService", "iam:PassedToService"} <= keys
    of_a_boundary = with_missing("iam:PermissionsBoundary", *keys)
    assert found(of_a_boundary) == ["deployer-boundary"]
    unseen = with_missing("iam:PermissionsBoundary", "aws:PrincipalTag/team", *keys)
    (warning,) = preflight.look(unseen)
    assert (warning.rule, preflight.check(unseen)) == ("deployer-boundary-unseen", [])
    assert "go by aws:PrincipalTag/team, which" in warning.what
    own_rights.require(unseen.target, unseen.scope)
    with pytest.raises(ParameterError):
        own_rights.require(of_a_boundary.target, of_a_boundary.scope)


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchEntity", "InvalidInput"])
def test_what_cannot_be_seen_is_a_warning(stack: Stack, monkeypatch, code: str):
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "SimulatePrincipalPolicy")

    cases.iam.role(stack)
    monkeypatch.setattr(stack.target.client("iam", "us-east-1"), "simulate_principal_policy", refuse)
    assert (found(stack), preflight.check(stack)) == (["deployer-boundary-unseen"], [])
    own_rights.require(stack.target, stack.scope)
