"""A form for the parameters of a notebook: no code is needed to set them.

It sets what the parameters cell sets, and writes it into that cell, so that the notebook as it is saved, and
papermill, have the same values: docs/decisions/0043-a-form-writes-the-parameters-cell.md.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lib.base.widgets import Clickable, widget
from lib.parameters.cell import assigned, with_values
from lib.parameters.described import Described, described, description, yaml_value
from lib.parameters.layers import merged, nested
from lib.parameters.model import Parameters, assigned_names, cells_of, schema_of
from lib.parameters.text import BOOLEANS, WHOLE_NUMBER, kind_of, resolved
from lib.parameters.types import regions

SCRIPT = Path(__file__).with_name("input_form.js")
TEXT = "In JupyterLab there is a form here for these parameters."
ENVIRONMENT, OF_ENVIRONMENT = "The environment", "its account and home, and what a run does in it"
# The cells to which the buttons run, each below that of the one before it, by all that stands in them; by a
# call's beginning if that ends with a bracket. A notebook has them up to the first whose cell it lacks.
STOPS = (
    ("Plan", "stack.plan()"),
    ("Apply", "stack.apply()"),
    ("Send a file of your own", "own_file.chooser("),
)


class Form:
    """What is set, what was wrong with it, and the cell that holds it."""

    def __init__(self, namespace: dict[str, Any]):
        """Take the values that a notebook has.

        Args:
            namespace: The notebook's `globals()`, in which values are set.
        """
        self._namespace = namespace
        self._given = {name: namespace[name] for name in Parameters.model_fields if name in namespace}
        self.values = merged({}, self._given)
        history = namespace.get("In", [])
        self.cells = [_Cell(tag, source, self.values) for tag, source in cells_of(history).items()]
        self._names = set().union(*assigned_names(history))

    def fields(self) -> list[dict[str, Any]]:
        """Return the parameters of this notebook, each with what a form needs to show it."""
        return [self._field(one) for one in described() if (one.section or one.name) in self.values]

    def sections(self) -> list[dict[str, str]]:
        """Return the sections of this notebook: `name`, `title`, `description`."""
        named = [{"name": s, "title": s, "description": description(s)} for s in self._sections()]
        return [
            *named,
            {"name": "", "title": ENVIRONMENT, "description": "account, regions, what a run does"},
        ]

    def mistakes(self) -> dict[str, str]:
        """Return what is wrong, by the name of the parameter; by none what is no single one's."""
        known = {field["name"] for field in self.fields()}
        found: dict[str, list[str]] = {}
        for name, said in Parameters.mistakes(self.values):
            found.setdefault(name if name in known else "", []).append(said)
        return {name: "; ".join(said) for name, said in found.items()}

    def set(self, name: str, text: str) -> None:
        """Take what was typed; if nothing is wrong any more, all of it holds from now on.

        Args:
            name: A parameter, of a section as `section.name`.
            text: As it was typed; of a list one a line.
        """
        section, _, inner = name.rpartition(".")
        value = _typed(text, _schema(section, inner))
        self.values = merged(self.values, nested(name.split("."), value))
        if section and value == _default(section, inner) and inner not in self._of(self._given, section):
            del self.values[section][inner]  # what nobody says stays unsaid
        if not self.mistakes():
            # Only what was changed: whatever else the notebook set stays the object that it is.
            changed = {n: v for n, v in self.values.items() if v != self._namespace.get(n)}
            self._namespace.update(changed)
            for cell in self.cells:
                cell.take(self.values)

    def command(self) -> str:
        """Return the options by which `runbook run` works with these values; empty if they cannot say all.

        A notebook's own parameters, such as *destroy*'s `pipeline`, are no options of it.
        """
        if self._names - set(Parameters.model_fields):
            return ""
        options = [option for one in described() for option in self._option(one)]
        return " ".join(options)

    def state(self) -> dict[str, Any]:
        """Return what a form shows besides its fields."""
        wrong = self.mistakes()
        return {
            "mistakes": wrong,
            "cells": [cell.state() for cell in self.cells],
            "unwritten": [] if wrong else self._unwritten(),
            "command": "" if wrong else self.command(),
        }

    def _unwritten(self) -> list[str]:
        """Return what was changed and no cell can be made to set: none assigns it in a line of its own."""
        changed = {name for name, value in self.values.items() if value != self._given.get(name)}
        return sorted(changed - set().union(*(assigned(cell.source) for cell in self.cells)))

    def _sections(self) -> Iterator[str]:
        yield from (name for name in Parameters.sections() if name in self.values)

    @staticmethod
    def _of(values: Mapping[str, Any], section: str) -> Mapping[str, Any]:
        found = values.get(section) if section else values
        return found if isinstance(found, Mapping) else {}

    def _value(self, one: Described) -> Any:
        return self._of(self.values, one.section).get(one.name, one.default)

    def _option(self, one: Described) -> Iterator[str]:
        value = self._value(one)
        if value != one.default and (one.section or one.name) in self.values:
            yield f"--set {shlex.quote(f'{one.full_name}={_assigned(value)}')}"

    def _field(self, one: Described) -> dict[str, Any]:
        schema = _schema(one.section, one.name)
        return {
            "name": one.full_name,
            "section": one.section,
            "label": one.name,
            "kind": kind_of(schema),
            "choices": schema.get("enum", []),
            "suggestions": list(regions()) if one.name.endswith("region") else [],
            "value": _text(self._value(one)),
            "default": yaml_value(one.default),
            "allowed": one.allowed,
            "description": one.description,
        }


class _Cell:
    """A cell that sets parameters, as it was run, and as it is to be."""

    def __init__(self, tag: str, source: str, values: Mapping[str, Any]):
        self._tag, self.source = tag, source
        # What an earlier form has set stands in it already, although it was not run again.
        self._known = {source, with_values(source, values)}
        self._now: str | None = None

    def take(self, values: Mapping[str, Any]) -> None:
        """Have it set these values."""
        self._now = with_values(self.source, values)
        self._known.add(self._now)

    def state(self) -> dict[str, Any]:
        """Return its tag, all that may stand in it, and what shall; None if nothing was set."""
        return {"tag": self._tag, "known": sorted(self._known), "now": self._now}


def show(namespace: dict[str, Any]) -> Clickable:
    """Return the form of a notebook's parameters, which sets them from now on.

    Args:
        namespace: The notebook's `globals()`; the parameters cell has run.
    """

    def begin() -> Any:
        form = Form(namespace)

        def told(shown: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
            for name, value in answered(form, content, shown.seen).items():
                setattr(shown, name, value)

        return widget(SCRIPT, begun(form), told)

    return Clickable(TEXT, begin)


def begun(form: Form) -> dict[str, Any]:
    """Return what the script is given at first.

    Args:
        form: To be shown.
    """
    stops = [{"label": label, "cell": cell} for label, cell in STOPS]
    return {"fields": form.fields(), "sections": form.sections(), "stops": stops, **form.state(), "seen": {}}


def answered(form: Form, content: Mapping[str, Any], seen: Mapping[str, int]) -> dict[str, Any]:
    """Set what the script has sent, and return what it is given then, by names; last `seen`.

    Args:
        form: That is shown.
        content: `name` and `text` of a parameter, and the `number` of this message from this `view`.
        seen: Views to the newest numbers that were answered.
    """
    form.set(content["name"], content["text"])
    return {**form.state(), "seen": {**seen, content["view"]: content["number"]}}


def _schema(section: str, name: str) -> Mapping[str, Any]:
    whole = schema_of(Parameters)
    of = resolved(whole["properties"][section], whole) if section else whole
    return resolved(of["properties"][name], whole)


def _default(section: str, name: str) -> Any:
    return next(one.default for one in described() if (one.section, one.name) == (section, name))


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """Return what was typed as what the parameter is; what cannot be that stays a text, which is refused."""
    kind = kind_of(schema)
    if kind == "array":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "integer" and WHOLE_NUMBER.fullmatch(text.strip()):
        return int(text)
    return BOOLEANS.get(text, text) if kind == "boolean" else text


def _text(value: Any) -> str:
    """Return a value as one types it."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _assigned(value: Any) -> str:
    """Return a value as it is written after `--set NAME=`."""
    is_letter_by_letter = isinstance(value, str) and not value.startswith(('"', "'"))
    return value if is_letter_by_letter else yaml_value(value)
