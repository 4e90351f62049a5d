"""What each parameter is, in words, and parameters as a file with comments: from their types alone."""

import inspect
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from lib.base.errors import ParameterError
from lib.parameters.model import Parameters, schema_of
from lib.parameters.sections import Section
from lib.parameters.types import ALLOWED, did_you_mean

COLUMNS = 100  # of a comment in a file


@dataclass(frozen=True)
class Described:
    """A parameter that is no section, for a person who reads of it.

    Attributes:
        section: The section that it stands in; empty if it stands in none.
        name: Its name in there.
        allowed: Which values it takes.
        default: Its value if none is given.
        description: What it is for: its unit, and what it means for cost and safety.
    """

    section: str
    name: str
    allowed: str
    default: Any
    description: str

    @property
    def full_name(self) -> str:
        """The name that `--set` takes."""
        return f"{self.section}.{self.name}" if self.section else self.name


@cache
def described() -> list[Described]:
    """Return all parameters: those of no section, then section by section, those of its own first."""
    defaults, sections = Parameters(), Parameters.sections()
    places = [("", name) for name in Parameters.model_fields if name not in sections]
    for section in sections:
        kind = type(getattr(defaults, section))
        own = [name for name in inspect.get_annotations(kind) if name in kind.model_fields]
        places += [(section, name) for name in dict.fromkeys([*own, *kind.model_fields])]
    return [_described(section, name, defaults) for section, name in places]


def description(section: str) -> str:
    """Return what a section is for."""
    return Parameters.model_fields[section].description or ""


def as_yaml(parameters: Parameters, names: Collection[str] = ()) -> str:
    """Return parameters as a file of them, where each has a comment that says what it is.

    Args:
        parameters: Their values.
        names: Sections, parameters, or parameters of a section as `section.name`; empty for all.

    Returns:
        YAML that `Parameters.load` takes; it reads as the same texts by YAML's own rules.

    Raises:
        ParameterError: If there is no such name.
    """
    known = Parameters.names()
    if unknown := next((name for name in names if name not in known), None):
        what = did_you_mean(unknown, known) or f"; the sections are: {', '.join(Parameters.sections())}"
        raise ParameterError(f"unknown parameter {unknown}{what}")
    chosen = [one for one in described() if not names or {one.section, one.full_name} & set(names)]
    blocks = ["# A file of parameters for `runbook run --params FILE`; what is left out has its default."]
    section = ""
    for one in chosen:
        if one.section != section:
            section = one.section
            blocks.append(f"{_comment(description(section))}{section}:")
        allowed = _comment(f"Allowed: {one.allowed}. Default: {yaml_value(one.default)}")
        line = f"{one.name}: {yaml_value(getattr(_values(parameters, section), one.name))}"
        block = f"{_comment(one.description)}{allowed}{line}"
        blocks.append(textwrap.indent(block, "  ") if section else block)
    return "\n\n".join(blocks) + "\n"


def yaml_value(value: Any) -> str:
    """Return the value of a parameter as YAML, in one line.

    Args:
        value: A text, a whole number, a truth value, or a list of texts.
    """
    wide = {"default_flow_style": True, "allow_unicode": True, "width": float("inf")}
    text = yaml.safe_dump(value, **wide).removesuffix("...\n").strip("\n")
    # In quotes only if it needs them, and then in those that escape, so that it stays one line.
    return yaml.safe_dump(value, default_style='"', **wide).strip("\n") if "'" in text else text


def _described(section: str, name: str, defaults: Parameters) -> Described:
    values = _values(defaults, section)
    schema = schema_of(type(values))["properties"][name]
    return Described(section, name, _allowed(schema), getattr(values, name), schema["description"])


def _values(parameters: Parameters, section: str) -> Section:
    return getattr(parameters, section) if section else parameters


def _allowed(schema: Mapping[str, Any]) -> str:
    """Return in words what a JSON schema allows."""
    if ALLOWED in schema:
        return schema[ALLOWED]
    if "anyOf" in schema:
        return " or ".join(_allowed(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        *others, last = [str(each) or '""' for each in schema.get("enum", [schema.get("const")])]
        return f"{', '.join(others)} or {last}" if others else last
    kind = schema.get("type")
    if kind == "integer":
        least, most = schema["minimum"], schema.get("maximum")
        return f"whole number, {least} to {most}" if most is not None else f"whole number, {least} or more"
    if kind == "array":
        return f"list in [ ] of: {_allowed(schema['items'])}"
    return {"boolean": "true or false", "string": "text"}[str(kind)]


def _comment(text: str) -> str:
    """Return a text as lines of a comment, each ended."""
    lines = textwrap.wrap(text, COLUMNS, break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)
