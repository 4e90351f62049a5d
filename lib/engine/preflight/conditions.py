"""Whether the condition of a statement is met, as far as can be said before anything is asked of AWS."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lib.engine.preflight.form import listed
from lib.engine.preflight.iam_data import covers

# Operators, without `IfExists` and the words of sets, to how a value is compared with one of those listed:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
COMPARE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, listed: value == listed,
    "StringEqualsIgnoreCase": lambda value, listed: value.lower() == listed.lower(),
    "StringLike": lambda value, listed: covers([listed], value),
    "ArnEquals": lambda value, listed: covers([listed], value),
    "ArnLike": lambda value, listed: covers([listed], value),
    "Bool": lambda value, listed: value == listed.lower(),
}


def is_met(statement: Mapping[str, Any], known: Mapping[str, str]) -> bool | None:
    """Tell whether the condition of a statement is met; None if that depends on what is not known.

    Args:
        statement: Of any policy; without a condition it is met.
        known: Condition keys, in lower case, to their values.
    """
    met = [
        _one(operator, listed(wanted), known.get(key.lower()))
        for operator, test in statement.get("Condition", {}).items()
        for key, wanted in test.items()
    ]
    if False in met:
        return False
    return None if None in met else True


def values(statement: Mapping[str, Any], key: str, operators: Iterable[str] = COMPARE) -> list[str]:
    """Return the values that a statement asks a condition key to have; none if it does not ask for it.

    Args:
        statement: Of any policy.
        key: In lower case, such as `aws:sourcearn`.
        operators: Which operators ask for it.
    """
    return [
        str(value)
        for operator, test in statement.get("Condition", {}).items()
        if _plain(operator) in operators
        for name, wanted in test.items()
        if name.lower() == key
        for value in listed(wanted)
    ]


def _plain(operator: str) -> str:
    return operator.rpartition(":")[2].removesuffix("IfExists")


def _one(operator: str, wanted: list, value: str | None) -> bool | None:
    name = _plain(operator)
    is_negated = "Not" in name
    compare = COMPARE.get(name.replace("Not", "", 1))
    if value is None or compare is None:
        return None
    return any(compare(value, _text(each)) for each in wanted) != is_negated


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
