"""The preflight of a stack: all that AWS would refuse of it, and the error that lists it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

import yaml

from lib.base.errors import PreflightError
from lib.base.paths import ROOT
from lib.engine.preflight import account, form, guests, notifications, statements, wiring
from lib.resources.base import Resource
from lib.resources.checks import Finding

RULES = ROOT / "lib/engine/preflight/rules.yaml"


@dataclass(frozen=True)
class Violation:
    """One rule of AWS's that a resource breaks.

    Attributes:
        resource: The resource, for people.
        rule: The rule's name, as in docs/truth.md.
        what: What is wrong.
        answer: What AWS would answer.
        documentation: URL of the page that says so.
        fix: What to do.
    """

    resource: str
    rule: str
    what: str
    answer: str
    documentation: str
    fix: str

    def __str__(self) -> str:
        return (
            f"{self.resource}: {self.what} [{self.rule}]\n"
            f"  AWS: {self.answer}\n  see: {self.documentation}\n  fix: {self.fix}"
        )


def check(stack) -> list[Violation]:
    """Find all that AWS would refuse of a stack, or take and not do as described. Reads only.

    Args:
        stack: A `lib.engine.stack.Stack`.

    Returns:
        The violations, in the order of the resources; none is well.
    """
    resources, unwanted = list(stack.resources.values()), list(stack.unwanted.values())
    in_account = account.check(
        resources,
        unwanted,
        stack.client,
        lambda store: stack.target.client("kms", store.region, store.account_id),
    )
    found = [*described(resources), *in_account]
    return [_violation(resource, finding) for resource, finding in _in_order(resources, found)]


def require(stack) -> None:
    """Refuse a stack that AWS would refuse.

    Args:
        stack: A `lib.engine.stack.Stack`.

    Raises:
        PreflightError: If there are violations; it lists them all.
    """
    if violations := check(stack):
        raise PreflightError(
            f"preflight of {stack.scope.pipeline}: {len(violations)} found, nothing was written\n\n"
            + "\n\n".join(map(str, violations))
        )


def described(resources: Collection[Resource]) -> Iterator[tuple[Resource, Finding]]:
    """Yield what is wrong with resources as they are described. Asks nobody.

    Args:
        resources: All of a stack.
    """
    if formless := [(resource, finding) for resource in resources for finding in form.check(resource)]:
        yield from formless  # of which no other rule can be asked
        return
    for resource in resources:
        yield from ((resource, finding) for finding in (*resource.checks(), *statements.check(resource)))
    for rule in (*wiring.RULES, *notifications.RULES, *guests.RULES):
        yield from rule(resources)


@cache
def rules() -> dict[str, dict[str, str]]:
    """Return the rules: names to `holds`, `aws`, `source`, `seen` and `local`, which rules.yaml explains."""
    return yaml.safe_load(RULES.read_text("utf-8"))


def _violation(resource: Resource, finding: Finding) -> Violation:
    rule = rules()[finding.rule]
    return Violation(repr(resource), finding.rule, finding.what, rule["aws"], rule["source"], finding.fix)


def _in_order(resources: Collection[Resource], found: list) -> list[tuple[Resource, Finding]]:
    """Return what was found, each once, in the order of the resources."""
    order = {resource.arn: number for number, resource in enumerate(resources)}
    once = {(resource.arn, finding): (resource, finding) for resource, finding in found}
    return sorted(once.values(), key=lambda pair: order.get(pair[0].arn, len(order)))
