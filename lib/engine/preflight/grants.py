"""What a policy allows, as far as a preflight asks: its Allow statements, conditions taken as fulfilled."""

from collections.abc import Iterable, Iterator

from lib.engine.preflight.form import listed
from lib.engine.preflight.iam_data import covers, overlap
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.policies import Document


def allows(policy: Document, action: str, arn: str, via: str = "") -> bool:
    """Tell whether a policy allows an action on all that an ARN, or a pattern of ARNs, stands for.

    Args:
        policy: A role's.
        action: Such as `kms:Decrypt`.
        arn: On what.
        via: The service that does it for the role, such as `sqs.us-east-1.amazonaws.com`; empty if the role
            does it itself.
    """
    return any(_covers(s, arn) and _is_for(s, via) for s in _allowing(policy, action))


def allows_some(policy: Document, action: str, arns: str) -> bool:
    """Tell whether a policy allows an action on anything that a pattern of ARNs stands for."""
    return any(_touches(s, arns) for s in _allowing(policy, action))


def missing(rule: str, role: Role, actions: Iterable[str], arn: str, why: str) -> Iterator[Finding]:
    """Find actions that a role needs and may not do.

    Args:
        rule: The rule that says so.
        role: The role.
        actions: What it needs, such as `sqs:ReceiveMessage`.
        arn: On what.
        why: For what it needs them.
    """
    if lacking := [action for action in actions if not allows(role.policy, action, arn)]:
        names = ", ".join(lacking)
        what = f"{role.name} may not do {names} on {arn}, which it needs {why}"
        yield Finding(rule, what, f"allow {names} on {arn} in the policy of {role.name}")


def _covers(statement: dict, arn: str) -> bool:
    """Tell whether a statement is about all that an ARN, or a pattern of ARNs, stands for."""
    if "NotResource" in statement:
        return not any(overlap(excepted, arn) for excepted in listed(statement["NotResource"]))
    return covers(listed(statement["Resource"]), arn)


def _touches(statement: dict, arns: str) -> bool:
    """Tell whether a statement is about anything that a pattern of ARNs stands for."""
    if "NotResource" in statement:
        return not covers(listed(statement["NotResource"]), arns)
    return any(overlap(arn, arns) for arn in listed(statement["Resource"]))


def _is_for(statement: dict, via: str) -> bool:
    """Tell whether a statement holds for a service; one that names none holds for all."""
    conditions = statement.get("Condition", {}).values()
    named = [each["kms:ViaService"] for each in conditions if "kms:ViaService" in each]
    return not via or all(covers(listed(services), via) for services in named)


def _allowing(policy: Document, action: str) -> Iterator[dict]:
    for statement in listed(policy["Statement"]):
        excludes = "NotAction" in statement
        names = [name.lower() for name in listed(statement["NotAction" if excludes else "Action"])]
        if statement["Effect"] == "Allow" and covers(names, action.lower()) != excludes:
            yield statement
