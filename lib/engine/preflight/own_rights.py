"""Whether the deployer may make roles with the permissions boundary that the parameters name, or without one.

Its policies may demand that every role has a certain one (docs/real-account.md, 1). Who names none, or
another, is denied the first role, after buckets were made. So IAM is asked before what our policies come to:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Collection

from botocore.exceptions import ClientError

from lib.base.errors import ParameterError
from lib.base.refusals import code_of, is_denied
from lib.engine.preflight.form import ResourceFindings
from lib.resources.base import GLOBAL_REGION, Resource, Scope
from lib.resources.checks import Finding
from lib.resources.iam import Role, role_arn
from lib.target import Target, principal_of

MAKE, WRITE, BOUND = "iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"
KEY = "iam:PermissionsBoundary"
# IAM names what all statements of the caller's policies go by, also those on other actions, such as
# kms:ViaService: https://github.com/boto/boto3/issues/3111. Of a service's keys ours have KEY alone.
GLOBAL_KEYS = "aws:"
# Nobody is there by this ARN, or it is of a session that no role is told of, such as one of federation.
NOT_FOUND = ("InvalidInput", "NoSuchEntity", "ValidationError")
ANY = "any"  # of the role by whose name is asked for all of an environment


def check(resources: Collection[Resource], target: Target) -> ResourceFindings:
    """Find a role that the deployer may not make, or change, as it is described. Reads only.

    Args:
        resources: All of a stack.
        target: The AWS to look at.
    """
    roles = [one for one in resources if isinstance(one, Role)]
    if not roles:
        return
    boundary = roles[0].scope.permissions_boundary_arn
    may = f"whether {target.caller} may make it {_as_described(boundary)} cannot be seen"
    see = "see that permissions_boundary_arn is what its policies demand"
    try:
        refused, unseen = _refused(target, boundary, roles[0].arn)
    except ClientError as error:
        if not is_denied(error) and code_of(error) not in NOT_FOUND:
            raise
        fix = f"let it do iam:SimulatePrincipalPolicy on itself (lib/policies/deployer-policy.json), or {see}"
        yield roles[0], Finding("deployer-boundary-unseen", f"{may}: {code_of(error)}", fix)
        return
    iam = target.client("iam", GLOBAL_REGION)
    keys: set[str] = set()
    for role in roles if refused or unseen else ():
        needed = _needed(iam, role, boundary)
        if decisions := {action: decision for action, decision in refused.items() if action in needed}:
            yield role, Finding("deployer-boundary", *_said(target, boundary, decisions))
            return  # it is the same for all
        keys.update(*(unseen[action] for action in unseen if action in needed))
    if keys:
        what = f"{may}: its policies go by {', '.join(sorted(keys))}, which IAM's simulation is not told of"
        yield roles[0], Finding("deployer-boundary-unseen", what, see)


def require(target: Target, scope: Scope) -> None:
    """Refuse to begin what would be refused at its first role. Reads only.

    Args:
        target: The AWS to look at.
        scope: The environment's, or a pipeline's.

    Raises:
        ParameterError: If the deployer may not make roles as the parameters say. What cannot be seen is left
            to the plan, which warns of it.
    """
    boundary, arn = scope.permissions_boundary_arn, role_arn(scope, ANY)
    try:
        refused, _ = _refused(target, boundary, arn)
    except ClientError as error:
        if not is_denied(error) and code_of(error) not in NOT_FOUND:
            raise
        return
    if MAKE in refused or WRITE in refused:
        what, fix = _said(target, boundary, refused)
        raise ParameterError(
            f"permissions_boundary_arn: {what}. {fix[:1].upper()}{fix[1:]}; nothing was done"
        )


def _refused(target: Target, boundary: str, arn: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Return what the deployer may not do with a role that has a boundary, or none.

    Returns:
        Actions to decisions; and those whose decision may be another one in a real request, to the keys that
        have a value only there.
    """
    context = [{"ContextKeyName": KEY, "ContextKeyValues": [boundary], "ContextKeyType": "string"}]
    answer = target.client("iam", GLOBAL_REGION).simulate_principal_policy(
        PolicySourceArn=principal_of(target.caller),
        ActionNames=[MAKE, WRITE, *([BOUND] if boundary else [])],
        ResourceArns=[arn],
        **({"ContextEntries": context} if boundary else {}),
    )
    refused, unseen = {}, {}
    for one in answer["EvaluationResults"]:
        if one["EvalDecision"] == "allowed":
            continue
        # Without a boundary the request has no such key; https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
        each_resource = [one, *one.get("ResourceSpecificResults", [])]
        missing = {key for each in each_resource for key in each.get("MissingContextValues", [])}
        if keys := {key for key in missing if key.lower().startswith(GLOBAL_KEYS)}:
            unseen[one["EvalActionName"]] = keys
        else:
            refused[one["EvalActionName"]] = one["EvalDecision"]
    return refused, unseen


def _needed(iam, role: Role, boundary: str) -> set[str]:
    """Return which of the actions a run needs for a role; none if it has a boundary that stays."""
    try:
        found = iam.get_role(RoleName=role.name)["Role"].get("PermissionsBoundary", {})
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        return {MAKE, WRITE}
    has = found.get("PermissionsBoundaryArn", "")
    if has and boundary in ("", has):
        return set()
    return {WRITE, BOUND} if boundary else {WRITE}


def _as_described(boundary: str) -> str:
    return f"with the permissions boundary {boundary}" if boundary else "without a permissions boundary"


def _said(target: Target, boundary: str, decisions: dict[str, str]) -> tuple[str, str]:
    """Return what is wrong, and what to do."""
    denied = ", ".join(f"{action}: {decision}" for action, decision in decisions.items())
    what = f"{target.caller} may not make or change a role {_as_described(boundary)} ({denied})"
    if boundary:
        return what, (
            "name the boundary that its policies demand, or give it "
            "lib/policies/deployer-boundary-policy.json for this one (docs/real-account.md, 1 and 2)"
        )
    return what, (
        "set permissions_boundary_arn to the policy that its policies demand, or give it "
        "lib/policies/deployer-policy.json (docs/real-account.md, 1 and 2)"
    )
