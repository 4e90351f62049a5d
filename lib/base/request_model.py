"""Whether a request fits AWS's own model of it: lengths, ranges, patterns and enumerations.

botocore has the model, and looks only at types, what is required and minima when it sends a request:
https://github.com/boto/botocore/blob/develop/botocore/validate.py
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from math import isfinite
from typing import Any

from botocore.exceptions import ParamValidationError
from botocore.hooks import BaseEventHooks
from botocore.model import OperationModel, Shape

# How the patterns of botocore's models, which are made for Java, spell characters beyond the first 65,536,
# letters, numbers and separators; and how Python does.
SPELLINGS = {
    r"\uD800\uDC00-\uDBFF\uDFFF": "\U00010000-\U0010ffff",
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
}
READS: tuple[str, ...] = (
    "Get",
    "List",
    "Describe",
    "Head",
    "BatchGet",
    "Query",
    "Scan",
    "Select",
    "Lookup",
    "Search",
    "Simulate",
)
# What an object has, AWS may have come to know after this botocore, such as a class of storage.
OF_OBJECTS = re.compile("Object|Upload")

EVERYTHING = re.compile(".*", re.DOTALL)

Misfit = tuple[str, str]


def refuse_misfits(events: BaseEventHooks) -> None:
    """Refuse each request that would change something and does not fit its model, before it is sent.

    Args:
        events: Those of a session, for all its clients from then on, or of a client.
    """
    events.register_last("before-parameter-build", _refuse, unique_id="refuse-misfits")


def misfits(operation: OperationModel, arguments: Mapping[str, Any]) -> Iterator[Misfit]:
    """Yield where the arguments of a request do not fit, and why; of wrong types botocore itself tells.

    Args:
        operation: botocore's model of the request.
        arguments: Of the request.
    """
    if operation.input_shape is not None:
        yield from _wrong(operation.input_shape, arguments, "", not OF_OBJECTS.search(operation.name))


def _refuse(params: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
    found = [] if model.name.startswith(READS) else misfits(model, params)
    if report := "; ".join(f"{where} {wrong}" for where, wrong in found):
        raise ParamValidationError(report=f"{model.name}: {report}")


def _wrong(shape: Shape, value: Any, where: str, has_enumerations: bool) -> Iterator[Misfit]:
    """Yield where a value, or a part of it, does not fit, and why; not of enumerations, unless there are."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for name, part in value.items():
            if name in shape.members:
                yield from _wrong(shape.members[name], part, f"{where}.{name}".lstrip("."), has_enumerations)
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        yield from _wrong_size(shape, len(value), where, "members")
        for part in value:
            yield from _wrong(shape.member, part, where, has_enumerations)
    elif shape.type_name == "map" and isinstance(value, Mapping):
        yield from _wrong_size(shape, len(value), where, "members")
        for name, part in value.items():
            yield from _wrong(shape.key, name, f"the name in {where}", has_enumerations)
            yield from _wrong(shape.value, part, f"{where}.{name}", has_enumerations)
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _wrong_size(shape, len(value), where, "characters")
        yield from _wrong_text(shape, value, where, has_enumerations)
    elif shape.type_name in ("integer", "long", "float", "double") and isinstance(value, int | float):
        yield from _wrong_size(shape, value, where, "")
        if not isfinite(value):
            yield where, f"is {value}, which is no number"


def _wrong_size(shape: Shape, size: float, where: str, unit: str) -> Iterator[Misfit]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        found = f"has {size} {unit}" if unit else f"is {size}"
        limits = [f"{word} {limit}" for word, limit in (("at least", low), ("at most", high)) if limit]
        yield where, f"{found}, allowed are {' and '.join(limits)}"


def _wrong_text(shape: Shape, text: str, where: str, has_enumerations: bool) -> Iterator[Misfit]:
    if has_enumerations and shape.enum and text not in shape.enum:
        yield where, f"is {_shown(text)}, which is none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern", ".*")
    if not matcher(pattern).fullmatch(text):
        yield where, f"is {_shown(text)}, which the pattern {pattern} does not match"


@cache
def matcher(pattern: str) -> re.Pattern[str]:
    """Return a pattern of botocore's models as one of Python's; what Python cannot read matches everything.

    Args:
        pattern: As the model has it.
    """
    for java, python in SPELLINGS.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return EVERYTHING


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 100 else f"{text[:99]!r}…"
