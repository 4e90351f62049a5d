"""Rules for what lives in another account than its pipeline: there, both sides' policies must allow.

A role's own policy and the bucket's, or the key's, each have to allow what the role does across accounts:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from collections.abc import Collection, Iterator

from lib.engine.preflight.conditions import is_met
from lib.engine.preflight.form import ResourceFindings, listed
from lib.engine.preflight.grants import about, is_about_all, is_about_some
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.policies import Document, Statement
from lib.resources.s3 import Bucket

USES = ("kms:Decrypt", "kms:GenerateDataKey")


def let_in(resources: Collection[Resource]) -> ResourceFindings:
    """Find what roles may do in a bucket of another account, and that bucket's policy does not let them.

    And whom else it lets in: it is to name each role that works there, and nobody besides.
    """
    roles = [one for one in resources if isinstance(one, Role)]
    for bucket in resources:
        if not (isinstance(bucket, Bucket) and bucket.is_made and bucket.is_elsewhere):
            continue
        statements = list(bucket.desired()["policy"].values())
        for role in roles:
            for action, arn in _allowed_there(role, bucket):
                if not lets(statements, role.arn, action, arn):
                    what = f"{role.name} may {action} on {arn}, but the bucket does not let it"
                    fix = f"allow {action} in the policy of {bucket.name}, or not in that of {role.name}"
                    yield bucket, Finding("guest-let-in", what, fix)
        for statement in statements:
            if _lets_accounts_in(statement) and not _names_one_of(statement, roles):
                what = f"statement {statement['Sid']} lets in others than one role of the pipeline"
                fix = "name the role in a condition: ArnEquals on aws:PrincipalArn"
                yield bucket, Finding("guest-named", what, fix)


def lets(statements: Collection[Statement], role_arn: str, action: str, arn: str) -> bool:
    """Tell whether a resource's policy lets a role of another account do something.

    Args:
        statements: The policy's.
        role_arn: The role's ARN.
        action: Such as `s3:PutObject`.
        arn: On what.
    """
    account_id = role_arn.split(":")[4]
    # The runbook and its functions speak TLS, and ask for themselves.
    known = {
        "aws:principalarn": role_arn,
        "aws:principalaccount": account_id,
        "kms:calleraccount": account_id,
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:securetransport": "true",
    }
    concerned = [
        (statement, is_met(statement, known))
        for statement in about({"Statement": list(statements)}, action)
        if _is_of(statement, role_arn)
    ]
    return any(
        one["Effect"] == "Allow" and met is not False and is_about_all(one, arn) for one, met in concerned
    ) and not any(one["Effect"] == "Deny" and met and is_about_some(one, arn) for one, met in concerned)


def lets_use(policy: Document, role_arn: str, use: str) -> bool:
    """Tell whether a KMS key's policy lets a role of another account use the key.

    Args:
        policy: The key's.
        role_arn: The role's ARN.
        use: Such as `kms:Decrypt`.
    """
    return lets([{"Resource": "*", **one} for one in listed(policy["Statement"])], role_arn, use, "*")


def _allowed_there(role: Role, bucket: Bucket) -> Iterator[tuple[str, str]]:
    """Yield what a role's own policy allows it in a bucket: actions, and on what."""
    for statement in listed(role.policy["Statement"]):
        here = [arn for arn in listed(statement.get("Resource", [])) if _is_in(arn, bucket)]
        if statement["Effect"] == "Allow":
            yield from ((action, arn) for action in listed(statement.get("Action", [])) for arn in here)


def _is_in(arn: str, bucket: Bucket) -> bool:
    return arn == bucket.arn or arn.startswith(f"{bucket.arn}/")


def _is_of(statement: Statement, role_arn: str) -> bool:
    """Tell whether a statement is about a role, by whom it names."""
    excludes = "NotPrincipal" in statement
    named = statement["NotPrincipal" if excludes else "Principal"]
    account_id = role_arn.split(":")[4]
    whole = {"*", account_id, role_arn, f"{role_arn.partition(':iam:')[0]}:iam::{account_id}:root"}
    return bool(whole & set(["*"] if named == "*" else listed(named.get("AWS", [])))) != excludes


def _lets_accounts_in(statement: Statement) -> bool:
    principal = statement.get("Principal", {})
    return statement["Effect"] == "Allow" and (principal == "*" or bool(listed(principal.get("AWS", []))))


def _names_one_of(statement: Statement, roles: Collection[Role]) -> bool:
    named = listed(statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn", []))
    return len(named) == 1 and named[0] in {role.arn for role in roles}


RULES = (let_in,)
