"""A form for the parameters of a notebook: no code is needed to set them.

It sets what the parameters cell sets, and writes it into that cell, so that the notebook as it is saved, and
papermill, have the same values: docs/decisions/0043-a-form-writes-the-parameters-cell.md.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lib.base.widgets import Clickable, widget
from lib.parameters.cell import with_values
from lib.parameters.described import Described, described, description, yaml_value
from lib.parameters.layers import merged, nested
from lib.parameters.model import Parameters, cells_of, schema_of
from lib.parameters.text import BOOLEANS, WHOLE_NUMBER, kind_of, resolved
from lib.parameters.types import regions

SCRIPT = Path(__file__).with_name("input_form.js")
TEXT = "In JupyterLab there is a form here for these parameters, with buttons that plan and apply."
ENVIRONMENT, OF_ENVIRONMENT = "The environment", "its account and home, and what a run does in it"
# The cells to which the buttons run, by what stands in them; those that a notebook has.
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
        self.cells = [_Cell(tag, source) for tag, source in cells_of(namespace.get("In", [])).items()]

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
        """Return the options by which `runbook run` works with these values."""
        options = [option for one in described() for option in self._option(one)]
        return " ".join(options)

    def state(self) -> dict[str, Any]:
        """Return what a form shows besides its fields."""
        wrong = self.mistakes()
        return {
            "mistakes": wrong,
            "cells": [cell.state() for cell in self.cells],
            "command": "" if wrong else self.command(),
        }

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

    def __init__(self, tag: str, source: str):
        self._tag, self._source = tag, source
        self._written = [source]

    def take(self, values: Mapping[str, Any]) -> None:
        """Have it set these values."""
        self._written.append(with_values(self._source, values))

    def state(self) -> dict[str, Any]:
        """Return its tag, all that may stand in it, and what shall."""
        return {"tag": self._tag, "known": sorted(set(self._written)), "now": self._written[-1]}


def show(namespace: dict[str, Any]) -> Clickable:
    """Return the form of a notebook's parameters, which sets them from now on.

    Args:
        namespace: The notebook's `globals()`; the parameters cell has run.
    """

    def begin() -> Any:
        form = Form(namespace)

        def told(shown: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
            form.set(content["name"], content["text"])
            for name, value in form.state().items():
                setattr(shown, name, value)
            shown.seen = content["number"]

        stops = [{"label": label, "cell": cell} for label, cell in STOPS]
        fixed = {"fields": form.fields(), "sections": form.sections(), "stops": stops}
        return widget(SCRIPT, {**fixed, **form.state(), "seen": 0}, told)

    return Clickable(TEXT, begin)


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
