"""What a policy allows, as far as a preflight asks; conditions that nobody can know are taken as met."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from lib.engine.preflight.conditions import is_met
from lib.engine.preflight.form import listed
from lib.engine.preflight.iam_data import covers, overlap
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.policies import Document, Statement, principal


def allows(policy: Document, action: str, arn: str, via: str = "") -> bool:
    """Tell whether a policy allows an action on all that an ARN, or a pattern of ARNs, stands for.

    Args:
        policy: A role's.
        action: Such as `kms:Decrypt`.
        arn: On what.
        via: The service that does it for the role, such as `sqs.us-east-1.amazonaws.com`; empty if the role
            does it itself.
    """
    allowing, denying = about(policy, action, "Allow"), about(policy, action, "Deny")
    return any(is_about_all(s, arn) and _is_for(s, via) for s in allowing) and not any(
        is_about_some(s, arn) and _always(s, via) for s in denying
    )


def allows_some(policy: Document, action: str, arns: str) -> bool:
    """Tell whether a policy allows an action on anything that a pattern of ARNs stands for."""
    allowing, denying = about(policy, action, "Allow"), about(policy, action, "Deny")
    return any(is_about_some(s, arns) for s in allowing) and not any(
        is_about_all(s, arns) and _always(s, "") for s in denying
    )


def missing(rule: str, role: Role, actions: Iterable[str], arn: str, why: str) -> Iterator[Finding]:
    """Find actions that a role needs and may not do.

    Args:
        rule: The rule that says so.
        role: The role.
        actions: What it needs, such as `sqs:ReceiveMessage`.
        arn: On what.
        why: For what it needs them.
    """
    lacking = [action for action in actions if not allows(role.policy, action, arn)]
    for denied in (True, False):
        names = ", ".join(each for each in lacking if bool(_denials(role.policy, each, arn)) == denied)
        if names and denied:
            sids = {sid for each in lacking for sid in _denials(role.policy, each, arn)}
            by = f"by statement {', '.join(sorted(sids))}"
            what = f"{role.name} is denied {names} on {arn}, which it needs {why}, {by}"
            yield Finding(rule, what, f"except {arn} from that Deny, in the policy of {role.name}")
        elif names:
            what = f"{role.name} may not do {names} on {arn}, which it needs {why}"
            yield Finding(rule, what, f"allow {names} on {arn} in the policy of {role.name}")


def lets_in(
    statements: Collection[Statement], service: str, action: str, place: Resource | str, source: Resource
) -> bool:
    """Tell whether a policy lets a service do something for a source.

    Args:
        statements: All of the policy.
        service: Such as `s3.amazonaws.com`.
        action: What it does, such as `sqs:SendMessage`.
        place: What has the policy: it, or its ARN.
        source: For what the service does it.
    """
    arn = place if isinstance(place, str) else place.arn
    name = principal(service, source.arn, arn.split(":")[3])
    known = {
        "aws:sourcearn": source.arn,
        "aws:sourceaccount": source.scope.account_id,
        "aws:securetransport": "true",
        "aws:principalisawsservice": "true",
        "aws:principalservicename": name,
    }
    concerned = [
        (statement["Effect"], is_met(statement, known))
        for statement in about({"Statement": list(statements)}, action)
        if _is_of(statement, name) and is_about_all(statement, arn)
    ]
    is_allowed = any(effect == "Allow" and met is not False for effect, met in concerned)
    return is_allowed and not any(effect == "Deny" and met for effect, met in concerned)


def _is_of(statement: Statement, service: str) -> bool:
    """Tell whether a statement is about a service."""
    if "NotPrincipal" in statement:
        return not _names(statement["NotPrincipal"], service)
    return "Principal" not in statement or _names(statement["Principal"], service)


def _names(who: Any, service: str) -> bool:
    if who == "*":
        return True
    return service in listed(who.get("Service", [])) or "*" in listed(who.get("AWS", []))


def _denials(policy: Document, action: str, arn: str) -> list[str]:
    denying = [s for s in about(policy, action, "Deny") if is_about_some(s, arn) and _always(s, "")]
    return [str(s.get("Sid", "without a Sid")) for s in denying]


def is_about_all(statement: Statement, arn: str) -> bool:
    """Tell whether a statement is about all that an ARN, or a pattern of ARNs, stands for.

    Args:
        statement: Of any policy.
        arn: It, or the pattern.
    """
    if "NotResource" in statement:
        return not any(overlap(excepted, arn) for excepted in listed(statement["NotResource"]))
    return covers(listed(statement["Resource"]), arn)


def is_about_some(statement: Statement, arns: str) -> bool:
    """Tell whether a statement is about anything that a pattern of ARNs stands for.

    Args:
        statement: Of any policy.
        arns: The pattern, or one ARN.
    """
    if "NotResource" in statement:
        return not covers(listed(statement["NotResource"]), arns)
    return any(overlap(arn, arns) for arn in listed(statement["Resource"]))


def _is_for(statement: Statement, via: str) -> bool:
    """Tell whether a statement holds for a service; one that names none holds for all."""
    return not via or is_met(statement, {"kms:viaservice": via}) is not False


def _always(statement: Statement, via: str) -> bool:
    """Tell whether a statement certainly holds for what a role does, over TLS."""
    known = {"aws:securetransport": "true", "aws:principalisawsservice": "false"}
    return is_met(statement, {**known, "kms:viaservice": via} if via else known) is True


def about(policy: Document, action: str, effect: str = "") -> Iterator[Statement]:
    """Yield the statements about an action.

    Args:
        policy: Any.
        action: Such as `s3:PutObject`, in any case.
        effect: `Allow` or `Deny`; empty for both.
    """
    for statement in listed(policy["Statement"]):
        excludes = "NotAction" in statement
        names = [name.lower() for name in listed(statement["NotAction" if excludes else "Action"])]
        is_of = effect in ("", statement["Effect"])
        if is_of and covers(names, action.lower()) != excludes:
            yield statement
