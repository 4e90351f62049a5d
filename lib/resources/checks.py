"""Findings: what is wrong with one resource as it is described, and the checks of limits and grammars."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import ServiceModel, Shape

from lib.base.aws_models import MODELS

# How the patterns of botocore's models, which are made for Java, spell characters beyond the first 65,536,
# letters, numbers and separators; and how Python does.
SPELLINGS = {
    r"\uD800\uDC00-\uDBFF\uDFFF": "\U00010000-\U0010ffff",
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
}


@dataclass(frozen=True)
class Finding:
    """What AWS would refuse, or take and not do as described.

    Attributes:
        rule: The rule that is broken, one of the preflight's rules.yaml, which has AWS's answer and source.
        what: What is wrong, with the values.
        fix: What to do.
    """

    rule: str
    what: str
    fix: str


def within(rule: str, name: str, value: float, low: float, high: float) -> Iterator[Finding]:
    """Find a number that is out of its limits.

    Args:
        rule: The rule that gives the limits.
        name: What the value is called where it is described.
        value: The number, in the unit that its name says.
        low: The least that is allowed.
        high: The most that is allowed.
    """
    if not low <= value <= high:
        yield Finding(rule, f"{name} is {value}", f"set {name} to {low} … {high}")


def written_as(rule: str, name: str, text: str, pattern: str, grammar: str) -> Iterator[Finding]:
    """Find a text that is not written as its grammar says.

    Args:
        rule: The rule that gives the grammar.
        name: What the text is called where it is described.
        text: The text.
        pattern: A regular expression for all of it.
        grammar: The same in words.
    """
    if not re.fullmatch(pattern, text):
        yield Finding(rule, f"{name} is {text!r}", f"write {grammar}")


def fits(service: str, operation: str, **arguments: Any) -> Iterator[Finding]:
    """Find what botocore's own model of a request does not allow: lengths, patterns, ranges, enumerations.

    botocore itself looks only at types and minima when it sends one:
    https://github.com/boto/botocore/blob/develop/botocore/validate.py

    Args:
        service: boto3's name of the service, such as `lambda`.
        operation: AWS's name of the request, such as `CreateFunction`.
        arguments: Of the request.
    """
    shape = _service_model(service).operation_model(operation).input_shape
    for where, wrong in _wrong(shape, arguments, ""):
        yield Finding("request-model", f"{operation}: {where} {wrong}", f"change {where} so that it fits")


def enumeration(service: str, shape: str) -> list[str]:
    """Return the values that botocore's model of a service has for a type, such as `Event` of S3."""
    return _service_model(service).shape_for(shape).enum


@cache
def _service_model(service: str) -> ServiceModel:
    return ServiceModel(MODELS.load_service_model(service, "service-2"), service)


def _wrong(shape: Shape, value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield where a value, or a part of it, does not fit, and why."""
    if shape.type_name == "structure":
        for name, part in value.items():
            yield from _wrong(shape.members[name], part, f"{where}.{name}".lstrip("."))
    elif shape.type_name == "list":
        yield from _wrong_size(shape, len(value), where, "members")
        for part in value:
            yield from _wrong(shape.member, part, where)
    elif shape.type_name == "map":
        yield from _wrong_size(shape, len(value), where, "members")
        for name, part in value.items():
            yield from _wrong(shape.key, name, f"the name in {where}")
            yield from _wrong(shape.value, part, f"{where}.{name}")
    elif shape.type_name == "string":
        yield from _wrong_size(shape, len(value), where, "characters")
        yield from _wrong_text(shape, value, where)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _wrong_size(shape, value, where, "")


def _wrong_size(shape: Shape, size: float, where: str, unit: str) -> Iterator[tuple[str, str]]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        found = f"has {size} {unit}" if unit else f"is {size}"
        limits = [f"{word} {limit}" for word, limit in (("at least", low), ("at most", high)) if limit]
        yield where, f"{found}, allowed are {' and '.join(limits)}"


def _wrong_text(shape: Shape, text: str, where: str) -> Iterator[tuple[str, str]]:
    if shape.enum and text not in shape.enum:
        yield where, f"is {text!r}, which is none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern", ".*")
    for java, python in SPELLINGS.items():
        pattern = pattern.replace(java, python)
    if not re.fullmatch(pattern, text, re.DOTALL):
        yield where, f"is {text!r}, which the pattern {pattern} does not match"
