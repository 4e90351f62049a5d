"""Rules for the order of a description: what is made first must be there when the next one is made."""

from collections.abc import Collection, Iterator
from dataclasses import fields

from lib.engine.preflight.form import ResourceFindings, listed
from lib.engine.preflight.grants import lets_in
from lib.engine.preflight.wiring import INVOKE, granted
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.lambda_ import Function, Permission
from lib.resources.s3 import BucketNotification

Resources = Collection[Resource]


def parts(resources: Resources) -> ResourceFindings:
    """Find resources that are described before what they name: a function before its role."""
    places = {one.arn: number for number, one in enumerate(resources)}
    for number, one in enumerate(resources):
        for field in (each for each in fields(one) if each.compare):  # the others are told of it later
            part = getattr(one, field.name)
            named = part if isinstance(part, list | tuple) else [part]
            for each in (each for each in named if isinstance(each, Resource)):
                if places.get(each.arn, 0) > number:
                    yield one, _later(f"{field.name} {each.name}", each, one)


def permissions(resources: Resources) -> ResourceFindings:
    """Find notifications that are described before what lets S3 run their function."""
    all_of_them = [one for one in resources if isinstance(one, Permission)]
    before: list[Permission] = []
    for one in resources:
        if isinstance(one, Permission):
            before.append(one)
        elif isinstance(one, BucketNotification) and not _is_let_in(one, before):
            for later in (each for each in all_of_them if _is_let_in(one, [each])):
                yield one, _later(f"the permission {later.name}", later, one)


def principals(resources: Resources) -> ResourceFindings:
    """Find policies that name a role of the pipeline which is described later, or not at all."""
    known: set[str] = set()
    roles = {one.arn: one for one in resources if isinstance(one, Role)}
    for one in resources:
        known |= {one.arn} if isinstance(one, Role) else set()
        for arn in dict.fromkeys(named_roles(one)):
            if arn in roles and arn not in known:
                yield one, _later(f"its policy names the role {roles[arn].name}, which", roles[arn], one)
            elif arn not in roles and arn.split("/")[-1].startswith(one.scope.beginning):
                what = f"its policy names the role {arn.split('/')[-1]}, which is not described"
                yield one, Finding("policy-principal", what, f"stack.add(…) the role before {one.name}")


def named_roles(one: Resource) -> Iterator[str]:
    """Yield the ARNs of the roles of the account that a resource's policy names as principals.

    Args:
        one: Any; one without a policy names none.
    """
    policy = None if isinstance(one, Role) else one.desired().get("policy")
    for statement in policy.values() if isinstance(policy, dict) else ():
        for element in ("Principal", "NotPrincipal"):
            who = statement.get(element)
            for arn in listed(who.get("AWS", [])) if isinstance(who, dict) else ():
                if arn.startswith(f"arn:aws:iam::{one.scope.account_id}:role/"):
                    yield arn


def _is_let_in(one: BucketNotification, given: list[Permission]) -> bool:
    """Tell whether permissions let S3 run the function of a notification; a topic and a queue say so."""
    function = one.destination
    if not isinstance(function, Function):
        return True
    return lets_in(granted(function, given), "s3.amazonaws.com", INVOKE, function, one.bucket)


def _later(what: str, part: Resource, one: Resource) -> Finding:
    return Finding("order", f"{what} is described after it", f"stack.add(…) {part.name} before {one.name}")


RULES = (parts, permissions, principals)
