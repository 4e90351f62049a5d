"""The types of columns, decided by the text of their values, in the same way by both engines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# What counts as null: nothing at all, and what R, pandas, Excel and databases write. So a column of numbers
# with NA is one of numbers; the price is that a text NA (Namibia) counts as null too. Summaries say so.
NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")

FEW_VALUES = 100
MOSTLY_DIFFERENT = 0.98  # a value in 2 % of the rows is worth knowing


@dataclass(frozen=True)
class Type:
    """A type of columns.

    Attributes:
        name: Athena's name for it.
        pattern: What each value of such a column looks like, within spaces; of regular expressions, only
            what RE2 (DuckDB), Java (Athena) and Python have in common.
        prepared: SQL for the text as Trino casts it, which forgives neither spaces nor a T before the time;
            `{c}` is the column's text. DuckDB forgives both.
    """

    name: str
    pattern: str
    prepared: str = "trim({c})"

    @property
    def is_number(self) -> bool:
        """Whether it has a mean."""
        return self.name in ("bigint", "double")


BOOLEAN = Type("boolean", "(true|false|True|False|TRUE|FALSE)")
BIGINT = Type("bigint", "[+-]?[0-9]{1,18}")
# Not beyond 1e130, whose variance no double could hold: DuckDB raises an error then.
DOUBLE = Type(
    "double",
    r"[+-]?([0-9]{1,30}(\.[0-9]*)?|\.[0-9]+)([eE]([+]?[0-9]{1,2}|-[0-9]{1,3}))?",
)
DATE = Type("date", "[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIMESTAMP = Type(
    "timestamp",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?",
    "replace(trim({c}), 'T', ' ')",
)
VARCHAR = Type("varchar", "")
# In the order of preference; what is none of these is text.
TYPES = (BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP)


@dataclass(frozen=True)
class Column:
    """A column of a CSV file.

    Attributes:
        number: Its place, from 0; engines call it c0, c1, ….
        name: As in the header.
        type: What all its values are, or are thought to be.
        repeats: Whether to look for its most frequent values.
    """

    number: int
    name: str
    type: Type
    repeats: bool = True

    @property
    def text(self) -> str:
        """SQL for its text."""
        return f'"c{self.number}"'


def guess(texts: Iterable[str]) -> Type:
    """Return what some values of a column look like; that others look so too has to be checked.

    A text among them proves that the column is one of texts.
    """
    values = [text for text in texts if text not in NULL_VALUES]
    return next((each for each in TYPES if all(_looks_like(each, value) for value in values)), VARCHAR)


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
        return repr(float(text))
    if column_type is BOOLEAN:
        return text.lower()
    if column_type is TIMESTAMP and "." in text:
        return text.rstrip("0").rstrip(".")
    return text


def _looks_like(column_type: Type, text: str) -> bool:
    return re.fullmatch(column_type.pattern, text.strip(" ")) is not None
