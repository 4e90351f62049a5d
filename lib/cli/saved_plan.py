"""A plan that is kept: as a file that a later run is held against, and as Markdown for its reviewers."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from lib.base.errors import ParameterError
from lib.base.json_text import json_object
from lib.base.paths import runbook_version
from lib.base.told import UNCHANGED
from lib.parameters import Parameters

if TYPE_CHECKING:
    from lib.cli.answers import PlanAnswer, SavedPlan

# What differs between a plan and its run, and says nothing of what is to be.
OF_THE_RUN = ("mode", "exercise", "lock_wait_s")
TOLD = 10  # differences of a plan from what is now


def write(path: Path, names: Sequence[str], parameters: Parameters, plan: "PlanAnswer") -> None:
    """Keep a plan.

    Args:
        path: The file; its folder is made if need be.
        names: The notebooks that were named.
        parameters: That it was made with.
        plan: The plan.
    """
    from lib.cli.answers import SavedPlan

    saved = SavedPlan(
        version=runbook_version(), names=[*names], parameters=_what_counts(parameters), plan=plan
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(saved.model_dump_json(indent=1), "utf-8")


def read(path: Path) -> "SavedPlan":
    """Read a plan that was kept.

    Raises:
        ParameterError: If the file is no such plan, or a newer runbook's.
    """
    from lib.cli.answers import SavedPlan

    try:
        text = path.read_text("utf-8")
        _require_not_newer(path, json_object(text))
        return SavedPlan.model_validate_json(text)
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        (why, *_) = str(error).splitlines()
        raise ParameterError(f"--plan: {path} is nothing that `runbook plan --out` wrote: {why}") from None


def _require_not_newer(path: Path, saved: dict[str, Any]) -> None:
    """Refuse what a newer runbook has made, which knows what this one would overlook."""
    from lib.cli.answers import SavedPlan

    own_format, own_version = SavedPlan.model_fields["format"].default, runbook_version()
    is_newer = _number_of(saved.get("format")) > _number_of(own_format)
    with suppress(InvalidVersion):
        is_newer = is_newer or Version(str(saved.get("version"))) > Version(own_version)
    if is_newer:
        raise ParameterError(
            f"--plan: {path} was made by runbook {saved.get('version')} ({saved.get('format')}), which "
            f"is newer than this one, {own_version} ({own_format}); nothing was done. Update this "
            "checkout, or plan again with it"
        )


def _number_of(of_format: Any) -> int:
    found = re.fullmatch(r"runbook\.saved-plan/(\d+)", str(of_format))
    return int(found[1]) if found else 0


def require_same(path: Path, saved: "SavedPlan", names: Sequence[str], parameters: Parameters) -> None:
    """Go on only if a plan was made for just this.

    Args:
        path: Where it was kept.
        saved: The plan.
        names: The notebooks that are to be run.
        parameters: For the run.

    Raises:
        ParameterError: If it was made for other notebooks or parameters, or cannot be carried out.
    """
    if sorted(saved.names) != sorted(names):
        named = " ".join(saved.names) or "all notebooks"
        raise ParameterError(f"--plan: {path} is of {named}; name the same; nothing was done")
    before, now = _flat(saved.parameters), _flat(_what_counts(parameters))
    other = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if other:
        each = ", ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in other)
        raise ParameterError(f"--plan: {path} was made with other parameters: {each}; nothing was done")
    if failed := [one.notebook for one in saved.plan.notebooks if one.outcome != "ok"]:
        raise ParameterError(f"--plan: {path} is not whole: {', '.join(failed)} could not be planned")


def moved(before: "PlanAnswer", now: "PlanAnswer") -> list[str]:
    """Return what is otherwise than a plan says, in words; empty if it is still true.

    Args:
        before: The plan.
        now: Another one of the same, made just now.
    """
    was, is_now = dict(_steps(before)), dict(_steps(now))
    told = [
        f"{key}: {_told(was.get(key))} → {_told(is_now.get(key))}"
        for key in {**was, **is_now}
        if was.get(key) != is_now.get(key)
    ]
    more = len(told) - TOLD
    return [*told[:TOLD], *([f"and {more} more"] if more > 0 else [])]


def as_markdown(plan: "PlanAnswer") -> str:
    """Return a plan as Markdown: a table of what is not as described for each notebook, diffs below it."""
    env = plan.environment
    parts = [f"## Plan of {env.env} in account {env.account_id}", ""]
    if not plan.differs and not plan.exit_code:
        parts += ["Everything is as it is described.", ""]
    for one in plan.notebooks:
        steps = [step for step in one.steps if step.action != UNCHANGED]
        counts = ", ".join(f"{count} {word}" for word, count in one.counts.items() if count)
        parts += [
            f"### {one.notebook}: {one.outcome if one.outcome != 'ok' else counts or 'nothing to do'}",
            "",
        ]
        if one.failure:
            parts += [f"> {one.failure.kind}: {_cell(one.failure.message)}", ""]
        if steps:
            parts += ["| action | type | name | region | why |", "|---|---|---|---|---|"]
            parts += [
                f"| {' | '.join(_cell(each) for each in (s.action, s.type, s.name, s.region, s.why))} |"
                for s in steps
            ]
            parts.append("")
        for step in (step for step in steps if step.difference):
            fence = "`" * max(3, 1 + _longest_fence(step.difference))
            title = f"<details><summary>{escape(f'{step.type} {step.name}')}</summary>"
            parts += [title, "", f"{fence}diff", step.difference, fence, "", "</details>", ""]
    parts += [f"- left out: {_cell(each.what)}: {_cell(each.reason)}" for each in plan.left_out]
    return "\n".join(parts).rstrip() + "\n"


def _what_counts(parameters: Parameters) -> dict[str, Any]:
    return {name: value for name, value in parameters.model_dump().items() if name not in OF_THE_RUN}


def _flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


def _steps(plan: "PlanAnswer") -> Iterator[tuple[str, tuple[str, str, str]]]:
    for one in plan.notebooks:
        if one.failure:
            yield f"{one.notebook}", ("cannot be planned", one.failure.message, "")
        for step in one.steps:
            key = f"{one.notebook}: {step.type} {step.name} in {step.region} ({step.action})"
            yield key, (step.action, step.why, step.difference)


def _told(step: tuple[str, str, str] | None) -> str:
    return ": ".join(filter(None, step[:2])) if step else "not in it"


def _cell(text: str) -> str:
    """Return a text for a cell of a table, in which it ends nothing and marks nothing."""
    for sign in ("\\", "|", "<", "*", "_", "`", "["):
        text = text.replace(sign, f"\\{sign}" if sign != "<" else "&lt;")
    return " ".join(text.split())


def _longest_fence(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
