"""The preflight of a stack: all that AWS would refuse of it, in one error, and what AWS advises."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.base import yaml_file
from lib.base.errors import ParameterError, PreflightError, RunbookError
from lib.base.paths import ROOT
from lib.engine.plan import Left, Step, Warned
from lib.engine.preflight import (
    account,
    form,
    guests,
    notifications,
    order,
    own_rules,
    requests,
    statements,
    wiring,
)
from lib.engine.preflight.form import ResourceFindings
from lib.parameters import Parameters
from lib.resources.base import Resource
from lib.resources.checks import Finding

OF_FORM = form.RULES  # of what breaks one of these, nobody can be asked
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
        of: The resource itself.
        is_advice: Whether AWS takes it all the same.
    """

    resource: str
    rule: str
    what: str
    answer: str
    documentation: str
    fix: str
    of: Resource = field(compare=False, repr=False)
    is_advice: bool = False

    def __str__(self) -> str:
        return (
            f"{self.resource}: {self.what} [{self.rule}]\n"
            f"  AWS: {self.answer}\n  see: {self.documentation}\n  fix: {self.fix}"
        )


def look(stack) -> list[Violation]:
    """Find all that AWS would refuse of a stack, take and not do as described, or advise against. Reads only.

    Args:
        stack: A `lib.engine.stack.Stack`.

    Returns:
        All, in the order of the resources; none is well.
    """
    resources, unwanted = list(stack.resources.values()), list(stack.unwanted.values())
    found = list(described(resources))
    if all(finding.rule not in OF_FORM for _, finding in found):
        first = next(iter(resources), None)
        found += _guarded(first, partial(account.check, resources, unwanted, stack.target))
    return [violation(resource, finding) for resource, finding in _in_order(resources, found)]


def check(stack) -> list[Violation]:
    """Find all that AWS would refuse of a stack, or take and not do as described. Reads only.

    Args:
        stack: A `lib.engine.stack.Stack`.

    Returns:
        The violations, in the order of the resources; none is well.
    """
    return [one for one in look(stack) if not one.is_advice]


def require(stack) -> list[Warned]:
    """Refuse a stack that AWS would refuse.

    Args:
        stack: A `lib.engine.stack.Stack`; its parameters' `waivers` say which warnings are meant to be.

    Returns:
        What AWS takes, and advises against.

    Raises:
        ParameterError: If a waiver is of no warning that there is.
        PreflightError: If there are violations; it lists them all.
    """
    waivers = waivers_of(stack.parameters, own_rules.load(stack.parameters.rules, taken=rules()))
    found = look(stack)
    if violations := [one for one in found if not one.is_advice]:
        raise PreflightError(
            f"preflight of {stack.scope.pipeline}: {len(violations)} found, nothing was written\n\n"
            + "\n\n".join(map(str, violations))
        )
    return [_warned(one, waivers.get(one.rule, "")) for one in found if one.is_advice]


def waivers_of(parameters: Parameters, own: Mapping[str, own_rules.Rule]) -> dict[str, str]:
    """Return rules to the reasons for which their warnings are waived.

    Args:
        parameters: Their `waivers` say.
        own: Rules of one's own.

    Raises:
        ParameterError: If a waiver is of no warning that there is.
    """
    texts = (text.partition(":") for text in parameters.waivers)
    waivers = {rule.strip(): reason.strip() for rule, _, reason in texts}
    advice = [name for name, rule in rules().items() if rule.get("advice")]
    advice += [name for name, rule in own.items() if rule.advice]
    if unknown := [rule for rule in waivers if rule not in advice]:
        raise ParameterError(f"waivers: there is no warning {unknown[0]!r}; there are: {', '.join(advice)}")
    return waivers


def _warned(one: Violation, reason: str) -> Warned:
    why = f"{one.what} [{one.rule}]: {reason}" if reason else f"{one.what} [{one.rule}]; {one.fix}"
    return Warned(one.of.noun, one.of.name, one.of.region, why, is_waived=bool(reason))


def require_own(stack, steps: Sequence[Step], left: Sequence[Left]) -> list[Warned]:
    """Refuse a plan that breaks a rule of one's own, of the folder that the parameters name.

    Args:
        stack: A `lib.engine.stack.Stack`.
        steps: Its plan's.
        left: What is left behind.

    Returns:
        What it is warned of.

    Raises:
        ParameterError: If one of the rules is none, or cannot be asked of this plan.
        PreflightError: If one is broken that is no advice; lists all.
    """
    own = own_rules.load(stack.parameters.rules, taken=rules())
    waivers = waivers_of(stack.parameters, own)
    return own_rules.require(own, stack.scope.pipeline, steps, left, waivers)


def described(resources: Collection[Resource]) -> ResourceFindings:
    """Yield what is wrong with resources as they are described. Asks nobody.

    Args:
        resources: All of a stack.
    """
    if formless := [(resource, finding) for resource in resources for finding in form.check(resource)]:
        yield from formless  # of which no other rule can be asked
        return
    found = [pair for one in resources for pair in _guarded(one, partial(_of_itself, one))]
    for rule in (*wiring.RULES, *order.RULES, *notifications.RULES, *guests.RULES):
        found += _guarded(next(iter(resources), None), partial(rule, resources))
    yield from found
    refused = {resource.arn for resource, finding in found if not rules()[finding.rule].get("advice")}
    for resource in resources:
        if resource.arn not in refused:  # it would be said once more, in the words of the request
            yield from ((resource, finding) for finding in requests.check(resource))


def _of_itself(resource: Resource) -> ResourceFindings:
    yield from ((resource, finding) for finding in (*resource.checks(), *statements.check(resource)))


def _guarded(one: Any, look: Callable[[], Iterable]) -> ResourceFindings:
    """Yield what is found; that a rule cannot be asked is found, too: nobody knows whether AWS takes it.

    Args:
        one: Whom to tell of that.
        look: Finds.
    """
    try:
        yield from look()
    except (ClientError, BotoCoreError, RunbookError):
        raise  # of AWS, not of the description
    except Exception as error:
        what = f"the description cannot be judged: {type(error).__name__}: {error}"
        yield (
            one,
            Finding("description-unjudged", what, "describe it with values like those in the notebooks"),
        )


@cache
def rules() -> dict[str, dict[str, Any]]:
    """Return the rules: names to `holds`, `aws`, `source`, `seen`, `advice` and `local`, see rules.yaml."""
    return yaml_file.read(RULES)


def violation(resource: Resource, finding: Finding) -> Violation:
    """Return what was found with what AWS says of it.

    Args:
        resource: Of what.
        finding: What was found.
    """
    rule = rules()[finding.rule]
    answer, page = rule["aws"], rule["source"]
    said = (finding.what, answer, page, finding.fix)
    return Violation(repr(resource), finding.rule, *said, of=resource, is_advice=rule.get("advice", False))


def _in_order(resources: Collection[Resource], found: list) -> list[tuple[Resource, Finding]]:
    """Return what was found, each once, in the order of the resources."""
    order = {resource.arn: number for number, resource in enumerate(resources)}
    once = {(resource.arn, finding): (resource, finding) for resource, finding in found}
    return sorted(once.values(), key=lambda pair: order.get(pair[0].arn, len(order)))
