"""Findings: what is wrong with one resource as it is described, and the checks of limits and grammars."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from botocore.model import ServiceModel

from lib.base.aws_models import MODELS


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


def enumeration(service: str, shape: str) -> list[str]:
    """Return the values that botocore's model of a service has for a type, such as `Event` of S3."""
    return _service_model(service).shape_for(shape).enum


@cache
def _service_model(service: str) -> ServiceModel:
    return ServiceModel(MODELS.load_service_model(service, "service-2"), service)
