"""Values as literals of Athena's SQL (Trino): each is the same value there, or is refused.

https://trino.io/docs/current/language/types.html · https://trino.io/docs/current/sql/select.html
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pyathena.formatter import DefaultParameterFormatter, Formatter

# decimal(38): https://trino.io/docs/current/language/types.html#decimal
MAX_DIGITS = 38


class Literals(DefaultParameterFormatter):
    """PyAthena's way to write values, but for numbers, and for lists of them.

    It writes 1.5 for a float, which is a decimal in Trino; 0.000000 for 1.5e-7 in a list; and a number below
    zero such that `5 -%(x)s` would end in a comment.
    """

    def __init__(self):
        """Make it."""
        super().__init__()
        self.set(bool, lambda *given: "true" if given[-1] else "false")
        self.set(int, lambda *given: whole(given[-1]))
        self.set(float, lambda *given: double(given[-1]))
        self.set(Decimal, lambda *given: exact(given[-1]))
        for kind in (list, tuple, set):
            self.set(kind, _sequence)


def _sequence(formatter: Formatter, escape: Callable[[str], str], values: Any) -> str:
    items = []
    for value in values:
        write = None if isinstance(value, list | tuple | set) else formatter.get(value)
        if not write:
            raise TypeError(f"{type(value).__name__} in a list")
        items.append(str(write(formatter, escape, value)))
    if not items:
        raise ValueError("an empty list: there is no IN () in SQL")
    return f"({', '.join(items)})"


def whole(value: int) -> str:
    """Return a whole number's literal; one beyond 64 bits is a decimal.

    Raises:
        ValueError: It has more than 38 digits.
    """
    if not -(2**63) <= value < 2**63:
        return exact(Decimal(value))
    return str(value) if value >= 0 else f"BIGINT '{value}'" if value == -(2**63) else f"({value})"


def double(value: float) -> str:
    """Return a float's literal, a double, which needs an exponent in Trino: 1.5 would be a decimal."""
    if math.isinf(value):
        return "infinity()" if value > 0 else "(-infinity())"
    written = repr(value) if "e" in repr(value) else f"{value!r}e0"
    return f"({written})" if written.startswith("-") else written


def exact(value: Decimal) -> str:
    """Return a decimal's literal.

    Raises:
        ValueError: It is infinite, or has more than 38 digits; those behind the point all count.
    """
    digits = f"{value:f}" if value.is_finite() else ""
    if not digits or len(digits.lstrip("-0").replace(".", "")) > MAX_DIGITS:
        raise ValueError(f"{value} is no decimal of at most {MAX_DIGITS} digits")
    return f"DECIMAL '{digits}'"


def plain(value: Any) -> Any:
    """Return a value of pandas or numpy as PyAthena knows it: times in UTC, what is missing as None.

    Raises:
        ValueError: It would be another value there.
    """
    if isinstance(value, pd.Series | pd.Index | np.ndarray | list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = pd.Timestamp(value) if isinstance(value, np.datetime64) else value.item()
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        if value.nanosecond:
            raise ValueError(f"{value} has nanoseconds, a literal microseconds: round it (dt.round('us'))")
        value = value.to_pydatetime()
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, str):
        check_text(value)
    return value


def check_text(value: str) -> None:
    """Refuse a text that no UTF-8 can carry.

    Raises:
        ValueError: It has half of a character.
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{value!r} has half of a character (a lone surrogate), which is no text") from error
