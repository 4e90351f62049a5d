"""Rules for policy documents: roles' policies, and those of buckets, topics, queues and functions."""

import re
from collections.abc import Iterator

from lib.engine.preflight import grammar
from lib.engine.preflight.conditions import values
from lib.engine.preflight.form import listed, statement_form
from lib.engine.preflight.iam_data import (
    ALL_ACTIONS,
    GLOBAL_KEYS,
    actions,
    arn_patterns,
    has_condition,
    overlap,
)
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.lambda_ import Permission
from lib.resources.policies import Statement

# What keeps "everybody" from being everybody, if it has to be of some value:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
NARROWING = (
    *(
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:userid",
    ),
    *("aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths"),
    *("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn", "kms:calleraccount"),
    *("s3:dataaccesspointaccount", "s3:dataaccesspointarn"),
)
EQUAL = ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress")
# Of an organization, as of an account, nobody else's bucket can be:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention
OF_WHOM = ("aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths")


def check(resource: Resource) -> Iterator[Finding]:
    """Find what is wrong with the policy that a resource has, or is.

    Args:
        resource: Any; one without a policy has no findings.
    """
    settings = resource.desired()
    if isinstance(resource, Role):
        for statement in listed(resource.policy["Statement"]):
            yield from terms(statement)
            if statement["Effect"] == "Allow":
                yield from _wildcards(statement)
    elif isinstance(resource, Permission):
        given = resource.statement
        malformed = list(statement_form(given, grammar.RESOURCE))
        yield from malformed or _granted(given)
    elif isinstance(policy := settings.get("policy"), dict):
        for statement in policy.values():
            if malformed := list(statement_form(statement, grammar.RESOURCE)):
                yield from malformed
                continue
            yield from terms(statement)
            yield from _own(statement, resource)
            yield from _granted(statement)


def terms(statement: Statement) -> Iterator[Finding]:
    """Find actions, resources and condition keys that IAM does not know, or that do not belong together.

    Args:
        statement: Of any policy.
    """
    known: list[str] = []
    for pattern in listed(statement.get("Action", statement.get("NotAction"))):
        known += (found := actions(pattern))
        if not found and pattern not in ALL_ACTIONS:
            yield _finding("action-unknown", statement, f"{pattern} is no action", "write the action's name")
    keys = {key for test in statement.get("Condition", {}).values() for key in test}
    for key in sorted(keys):
        is_known = key.split("/")[0].lower() in GLOBAL_KEYS or any(has_condition(one, key) for one in known)
        if known and not is_known:
            what = f"none of its actions knows the condition key {key}"
            yield _finding("condition-unknown", statement, what, "write a key that the action knows")
    for what in grammar.values(statement.get("Condition", {})):
        yield _finding("condition-value", statement, what, "write what the operator compares")
    if malformed := [arn for arn in _arns(statement) if arn != "*" and arn.count(":") < 5]:
        yield _finding("arn-grammar", statement, f"{', '.join(malformed)} is no ARN", "write the ARN")
        return
    yield from _partitions(statement)
    yield from _pairs(statement, known)


def _arns(statement: Statement) -> list[str]:
    return [str(arn) for name in ("Resource", "NotResource") for arn in listed(statement.get(name, []))]


def _partitions(statement: Statement) -> Iterator[Finding]:
    """Find ARNs of another partition than this account's: all of ours are of `aws`."""
    named = [statement.get(name, {}) for name in ("Principal", "NotPrincipal")]
    arns = _arns(statement)
    arns += [str(arn) for who in named if isinstance(who, dict) for arn in listed(who.get("AWS", []))]
    for arn in (arn for arn in arns if arn.startswith("arn:")):
        if not overlap(arn.split(":")[1], "aws"):
            what = f"{arn} is in the partition {arn.split(':')[1]!r}"
            yield _finding("arn-partition", statement, what, "write arn:aws:…")


def _pairs(statement: Statement, known: list[str]) -> Iterator[Finding]:
    """Find resources that no action works on, and actions that work on none of the resources.

    Of a statement that is about all actions but some, or all resources but some, neither can be said.
    """
    if "NotAction" in statement or "NotResource" in statement:
        return
    if set(ALL_ACTIONS) & set(listed(statement["Action"])):
        return
    patterns = {action: arn_patterns(action) or ("*",) for action in known}
    resources = [str(arn) for arn in listed(statement["Resource"])]
    for arn in resources:
        if known and not any(_works(patterns[action], arn) for action in known):
            what = f"{arn} is nothing that {', '.join(listed(statement['Action']))} works on"
            yield _finding("action-resource", statement, what, "name the resource that the action works on")
    for action in known:
        one_each = not any("*" in name for name in listed(statement["Action"]))
        if one_each and not any(_works(patterns[action], arn) for arn in resources):
            what = f"{action} works on none of its resources"
            yield _finding("action-resource", statement, what, "name the resource that the action works on")


def _works(patterns: tuple[str, ...], arn: str) -> bool:
    """Tell whether an ARN is written as one of the patterns: each of its six parts for itself."""
    return arn == "*" or any(
        pattern != "*" and all(map(overlap, pattern.split(":", 5), arn.split(":", 5))) for pattern in patterns
    )


def _wildcards(statement: Statement) -> Iterator[Finding]:
    """Find wildcards of a role's policy where the name is known."""
    if "NotAction" in statement:
        what = f"it allows all but {', '.join(listed(statement['NotAction']))}"
        yield _finding("action-wildcard", statement, what, "name each action")
        return
    for pattern in listed(statement["Action"]):
        if "*" in pattern:
            yield _finding("action-wildcard", statement, f"it allows {pattern}", "name each action")
    if "NotResource" in statement:
        what = f"it is about everything but {', '.join(listed(statement['NotResource']))}"
        yield _finding("resource-wildcard", statement, what, "name the resource by its ARN")
    elif "*" in listed(statement["Resource"]):
        named = [
            one for pattern in listed(statement["Action"]) for one in actions(pattern) if arn_patterns(one)
        ]
        for action in named:
            what = f"it allows {action} on everything"
            yield _finding("resource-wildcard", statement, what, "name the resource by its ARN")


def _own(statement: Statement, resource: Resource) -> Iterator[Finding]:
    """Find statements about something else than the resource that has the policy."""
    for element in ("Resource", "NotResource"):
        for arn in listed(statement.get(element, [])):
            is_own = any(overlap(arn, own) for own in (resource.arn, f"{resource.arn}/*"))
            if not is_own or (arn == "*" and resource.service == "s3"):
                what = f"it is about {arn}"
                yield _finding("policy-of-another", statement, what, f"name {resource.arn}")


def _granted(statement: Statement) -> Iterator[Finding]:
    """Find grants to everybody, and to services whoever they act for."""
    if statement["Effect"] != "Allow":
        return
    principal = statement.get("Principal", {})
    is_for_all = "NotPrincipal" in statement or principal == "*" or "*" in listed(principal.get("AWS", []))
    narrowed = (value for key in NARROWING for value in values(statement, key, EQUAL))
    if is_for_all and all(value in ("*", "0.0.0.0/0", "::/0") for value in narrowed):
        what = "it allows everybody" + (" but some" if "NotPrincipal" in statement else "")
        fix = "name a service or a role as Principal, or add a condition such as aws:PrincipalOrgID"
        yield _finding("principal-wildcard", statement, what, fix)
    if isinstance(principal, dict):
        for service in listed(principal.get("Service", [])):
            yield from _on_behalf(statement, service)


def _on_behalf(statement: Statement, service: str) -> Iterator[Finding]:
    sources = values(statement, "aws:sourcearn")
    if not sources:
        what = f"it allows {service} whatever it acts for"
        yield _finding("source-arn", statement, what, "add the condition aws:SourceArn")
    # EventBridge sends no account, and a rule's ARN carries it (see lib/resources/lambda_.py).
    carry_account = [re.fullmatch(r"[^:]*:[^:]*:[^:]*:[^:]*:\d{12}:.*", arn) for arn in sources]
    if not any(values(statement, key) for key in OF_WHOM) and not (sources and all(carry_account)):
        what = f"it allows {service} for a source of any account"
        yield _finding("source-account", statement, what, "add the condition aws:SourceAccount")


def _finding(rule: str, statement: Statement, what: str, fix: str) -> Finding:
    name = statement.get("Sid", "without a Sid")
    return Finding(rule, f"statement {name}: {what}", f"{fix}, in statement {name}")
