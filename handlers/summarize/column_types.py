"""The types of columns, decided by the text of their values, in the same way by both engines.

A text that does not come back from a type is not of that type: 02134 is no number, and a double holds no more
than 17 digits. Only how a number is written may differ: 1.10 is 1.1, and 1e3 is 1000.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

# What counts as null: nothing at all, and what R, pandas, Excel and databases write. So a column of numbers
# with NA is one of numbers; the price is that a text NA (Namibia) counts as null too. Summaries say so.
NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")

FEW_VALUES = 100
MOSTLY_DIFFERENT = 0.98  # a value in 2 % of the rows is worth knowing

LARGEST_BIGINT = 2**63 - 1
# All whole numbers up to here are doubles.
LARGEST_EXACT_DOUBLE = 2**53
# A number of so many characters is in a double as it is written.
CERTAIN_CHARACTERS = 15
# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
DECIMAL_DIGITS = 38


@dataclass(frozen=True)
class Type:
    """A type of columns.

    Attributes:
        name: Athena's name for it.
        pattern: What each value of such a column looks like, within spaces; of regular expressions, only
            what RE2 (DuckDB), Java (Athena) and Python have in common.
        prepared: SQL for the text as Trino casts it, which forgives neither spaces nor a T before the time;
            `{c}` is the column's text. DuckDB forgives both.
        scale: How many decimals it has, if it is one of decimals.
    """

    name: str
    pattern: str
    prepared: str = "trim({c})"
    scale: int | None = None

    @property
    def is_number(self) -> bool:
        """Whether it has a mean."""
        return self.name in ("bigint", "double") or self.scale is not None


# No leading zeros: postal codes and account numbers have them. And no plus before more than six digits: +49…
# is a telephone number.
_WHOLE = "(0|[1-9][0-9]{0,17})"
_FRACTION = rf"({_WHOLE}\.[0-9]*|\.[0-9]+)"
# Not beyond 1e130, whose variance no double could hold: DuckDB raises an error then.
_EXPONENT = "[eE]([+]?[0-9]{1,2}|-[0-9]{1,3})"

BOOLEAN = Type("boolean", "(true|false|True|False|TRUE|FALSE)")
BIGINT = Type("bigint", "(-?(0|[1-9][0-9]{0,18})|[+](0|[1-9][0-9]{0,5}))")
DOUBLE = Type(
    "double",
    f"(-?{_WHOLE}|[+](0|[1-9][0-9]{{0,5}})|[+-]?{_FRACTION}|[+-]?({_WHOLE}|{_FRACTION}){_EXPONENT})",
)
DATE = Type("date", "[0-9]{4}-[0-9]{2}-[0-9]{2}")
# DuckDB would make the next day of 24:00:00.
TIMESTAMP = Type(
    "timestamp",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?",
    "replace(trim({c}), 'T', ' ')",
)
VARCHAR = Type("varchar", "")
# In the order of preference; what is none of these may be one of decimals, or is text.
TYPES = (BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP)
# Decimals, however many digits; `decimal` makes the type that holds them.
ANY_DECIMAL = r"(-?(0|[1-9][0-9]*)(\.[0-9]*)?|-?\.[0-9]+)"


@dataclass(frozen=True)
class Column:
    """A column of a CSV file.

    Attributes:
        number: Its place, from 0; engines call it c0, c1, ….
        name: As in the header.
        type: What all its values are, or are thought to be.
        repeats: Whether to look for its most frequent values.
        center: One of its values, if doubles cannot hold them: what doubles are to measure is how far the
            others are from it.
        candidates: Texts of which it is counted how often they are there, for the most frequent ones are
            among them; None if the engine has to find some.
        share: Which part of the values, drawn at random, is enough for quartiles.
        decimals: How many digits doubles have after the point, if the first of them all have as many: most
            are then soon found to be doubles.
    """

    number: int
    name: str
    type: Type
    repeats: bool = True
    center: Decimal | None = None
    candidates: tuple[str, ...] | None = None
    share: float = 1
    decimals: int | None = None

    @property
    def text(self) -> str:
        """SQL for its text."""
        return f'"c{self.number}"'

    @property
    def value(self) -> str:
        """SQL for its value as one of its type."""
        return self.text if self.type is VARCHAR else f'"v{self.number}"'

    @property
    def center_text(self) -> str:
        """SQL for its center as text."""
        return f"'{self.center:f}'"


def decimal(whole_digits: int, scale: int) -> Type:
    """Return the type of numbers with at most so many digits before the point and after it, or VARCHAR."""
    if whole_digits + scale > DECIMAL_DIGITS:
        return VARCHAR
    more = DECIMAL_DIGITS - scale - 1  # digits before the point, but for the first
    whole = f"(0|[1-9][0-9]{{0,{more}}})" if more >= 0 else "0"
    pattern = rf"-?({whole}(\.[0-9]{{0,{scale}}})?|\.[0-9]{{1,{max(1, scale)}}})"
    return Type(f"decimal({DECIMAL_DIGITS},{scale})", f"({pattern})", scale=scale)


def guess(texts: Iterable[str]) -> tuple[Type, Decimal | None]:
    """Return what some values of a column look like; that others look so too has to be checked.

    Returns:
        The type, and the center of such a `Column`. A text among them proves that the column is one of texts.
    """
    values = [text.strip(" ") for text in texts if text not in NULL_VALUES]
    for each in TYPES:
        if all(_is_of(each, value) for value in values):
            return each, center(each, values)
    if not all(re.fullmatch(ANY_DECIMAL, value) for value in values):
        return VARCHAR, None
    parts = [value.lstrip("-").partition(".") for value in values]
    found = decimal(max(len(part[0]) for part in parts), max(len(part[2]) for part in parts))
    return found, center(found, values)


def center(column_type: Type, values: Iterable[str]) -> Decimal | None:
    """Return the center of a `Column` of this type by some of its values, None if doubles hold them."""
    if column_type is not BIGINT and column_type.scale is None:
        return None
    numbers = [Decimal(value) for value in values]
    is_exact = column_type is BIGINT and all(abs(number) <= LARGEST_EXACT_DOUBLE for number in numbers)
    return None if is_exact else numbers[0]


def decimals(column_type: Type, texts: Iterable[str]) -> int | None:
    """Return the `decimals` of a `Column` of this type by some of its texts."""
    if column_type is not DOUBLE:
        return None
    found = {len(text.partition(".")[2]) for text in texts if text not in NULL_VALUES}
    (first,) = found if len(found) == 1 else (0,)
    return first if 0 < first < CERTAIN_CHARACTERS else None


def repeats(texts: Iterable[str]) -> bool:
    """Return whether some values of a column repeat, or are too few to tell.

    Keys and measurements do not; to look for their most frequent values takes as long as all the rest.
    """
    values = [text for text in texts if text not in NULL_VALUES]
    return len(values) < FEW_VALUES or len(set(values)) < len(values) * MOSTLY_DIFFERENT


def written(value: object, column_type: Type) -> str | None:
    """Return a value as summaries write it, the same from both engines."""
    if value is None:
        return None
    text = str(value)
    if column_type is DOUBLE:
        return repr(float(text) + 0.0)  # -0.0 is zero
    if column_type is BOOLEAN:
        return text.lower()
    if column_type in (DATE, TIMESTAMP) and "(BC)" in text:
        text = "0000" + text[4:].replace(" (BC)", "")  # of the years before 1, dates have only the year 0
    if column_type is TIMESTAMP and "." in text:
        return text.rstrip("0").rstrip(".")
    return text


def _is_of(column_type: Type, text: str) -> bool:
    """Return whether a text without spaces around it is of a type; whether a date exists is not looked at."""
    if not re.fullmatch(column_type.pattern, text):
        return False
    if column_type is BIGINT:
        return -LARGEST_BIGINT - 1 <= int(text) <= LARGEST_BIGINT
    return column_type is not DOUBLE or _digits(text) == _digits(repr(float(text)))


def _digits(number: str) -> str:
    """Return the digits of a number but for zeros around them, which tell a double from its neighbours."""
    mantissa = number.lower().partition("e")[0]
    return re.sub("[^0-9]", "", mantissa).strip("0")
