"""Rules of one's own over a plan: data in a folder of YAML files, each a condition in JMESPath.

https://jmespath.org/specification.html
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lib.base.errors import ParameterError, PreflightError
from lib.base.paths import ROOT
from lib.engine.plan import Left, Step, Warned
from lib.parameters import text

NAME = re.compile("[a-z]+(-[a-z]+)*")  # as a waiver names it


class Rule(BaseModel):
    """A rule of one's own.

    Attributes:
        holds: What must hold, for people.
        found_by: JMESPath over the list of a plan's steps, which gives what breaks it: some of these steps,
            texts, or true if the plan as a whole does; null, false or nothing if it holds.
        fix: What to do.
        advice: Whether a plan that breaks it is warned of, and not refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    holds: str = Field(min_length=1)
    found_by: str = Field(min_length=1)
    fix: str = Field(min_length=1)
    advice: bool = False

    @field_validator("found_by")
    @classmethod
    def _compiles(cls, expression: str) -> str:
        try:
            jmespath.compile(expression)
        except JMESPathError as error:
            raise ValueError(f"is no JMESPath: {error}") from error
        return str(expression)


@dataclass(frozen=True)
class Broken:
    """That a plan breaks a rule.

    Attributes:
        name: The rule's.
        rule: Which.
        noun: Of which type of resource.
        thing: Of which resource, by its name.
        region: Where that is.
        what: What is wrong.
    """

    name: str
    rule: Rule
    noun: str
    thing: str
    region: str
    what: str

    def __str__(self) -> str:
        where = f" in {self.region}" if self.region else ""
        return f"{self.noun} {self.thing}{where}: {self.what} [{self.name}]\n  fix: {self.rule.fix}"

    def warned(self, reason: str) -> Warned:
        """Return it as a warning, which is waived if somebody said why it shall be so."""
        why = (
            f"{self.what} [{self.name}]: {reason}"
            if reason
            else f"{self.what} [{self.name}]; {self.rule.fix}"
        )
        return Warned(self.noun, self.thing, self.region, why, is_waived=bool(reason))


def load(folder: str, taken: Iterable[str] = ()) -> dict[str, Rule]:
    """Read the rules of a folder.

    Args:
        folder: With files `*.yaml`, each of names to rules; a relative path begins in the project. Empty for
            no rules.
        taken: Names that rules of AWS have.

    Returns:
        Names to rules.

    Raises:
        ParameterError: If there is no such folder, or nothing in it, or one is no rule; says which.
    """
    if not folder:
        return {}
    paths = sorted(path for end in ("yaml", "yml") for path in (ROOT / folder).glob(f"*.{end}"))
    if not paths:
        raise ParameterError(f"rules: there is no file *.yaml in {ROOT / folder}; nothing was planned")
    found: dict[str, Rule] = {}
    for path in paths:
        for name, rule in _rules_in(path):
            if name in {*found, *taken}:
                raise ParameterError(f"rules: {path}: there is another rule {name!r}; give it another name")
            found[name] = rule
    return found


def _rules_in(path: Path) -> Iterator[tuple[str, Rule]]:
    try:
        content = text.read(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ParameterError) as error:
        raise ParameterError(f"rules: {path}: {error}; nothing was planned") from error
    if not isinstance(content, dict):
        parts = ", ".join(Rule.model_fields)
        raise ParameterError(f"rules: {path}: write names, each with a rule below it, which has {parts}")
    for name, value in content.items():
        if not NAME.fullmatch(name):
            raise ParameterError(f"rules: {path}: {name!r}: write a name with a-z and - alone")
        try:
            yield str(name), Rule.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, [name, *first["loc"]]))
            raise ParameterError(f"rules: {path}: {where}: {first['msg']}") from error


def require(
    rules: Mapping[str, Rule],
    pipeline: str,
    steps: Sequence[Step],
    left: Sequence[Left],
    waivers: Mapping[str, str],
) -> list[Warned]:
    """Refuse a plan that breaks a rule.

    Args:
        rules: Names to rules.
        pipeline: Whose plan.
        steps: Its steps.
        left: What is left behind.
        waivers: Rules to reasons for which their warnings are waived.

    Returns:
        What is warned of.

    Raises:
        PreflightError: If it breaks one that is no advice; lists all.
        ParameterError: If a rule cannot be asked of this plan.
    """
    plan = [*(_of_step(step, pipeline) for step in steps), *(_of_left(one, pipeline) for one in left)]
    broken = [one for name, rule in rules.items() for one in _broken(name, rule, pipeline, plan)]
    if refused := [one for one in broken if not one.rule.advice]:
        raise PreflightError(
            f"rules of your own on {pipeline}: {len(refused)} broken, nothing was written\n\n"
            + "\n\n".join(map(str, refused))
        )
    return [one.warned(waivers.get(one.name, "")) for one in broken]


def _broken(name: str, rule: Rule, pipeline: str, plan: list[dict]) -> Iterator[Broken]:
    try:
        found = jmespath.search(rule.found_by, plan)
    except JMESPathError as error:
        raise ParameterError(f"rules: {name} cannot be asked of {pipeline}: {error}") from error
    for each in found if isinstance(found, list) else [found]:
        if each is None or each is False or each in ("", [], {}):
            continue
        if isinstance(each, dict) and any(each is step for step in plan):
            yield Broken(name, rule, each["type"], each["name"], each["region"], rule.holds)
        elif each is True:
            yield Broken(name, rule, "pipeline", pipeline, "", rule.holds)
        elif isinstance(each, str):
            yield Broken(name, rule, "pipeline", pipeline, "", f"{rule.holds}: {each}")
        else:
            raise ParameterError(
                f"rules: {name} cannot be asked of {pipeline}: found_by gives {json.dumps(each)[:80]}, which "
                "is neither a step of the plan, nor a text, nor true or false"
            )


def _of_step(step: Step, pipeline: str) -> dict[str, Any]:
    one = step.resource
    return {
        "pipeline": pipeline,
        "action": step.action,
        "type": one.noun,
        "name": one.name,
        "region": one.region,
        "account_id": one.account_id or one.scope.account_id,
        "settings": _plain(one.desired()),
        "found": _plain(step.found),
        "changes": [*step.changes],
    }


def _of_left(one: Left, pipeline: str) -> dict[str, Any]:
    where = {"type": one.noun, "name": one.name, "region": one.region, "account_id": ""}
    rest: dict[str, Any] = {"settings": {}, "found": None, "changes": []}
    return {"pipeline": pipeline, "action": one.action, **where, **rest}


def _plain(settings: Any) -> Any:
    """Return settings as JSON has them."""
    return json.loads(json.dumps(settings, default=str))
