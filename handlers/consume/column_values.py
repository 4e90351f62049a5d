"""What the columns of a row mean, or why they cannot be stored. The rules are in docs/table-files.md.

A value is a text of CSV or of JSON, or what else JSON has: a `Number`, which is its digits, true or false, a
list or a dict. None becomes another value: what a type would have to round, cut or guess is refused.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import partial

from boto3.dynamodb.types import DYNAMODB_CONTEXT
from common.times import iso8601

# Not what Decimal() and int() take besides: underscores, Infinity, digits of other scripts.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
# Not what datetime.fromisoformat() takes besides: any separator, weeks, numbers of which it makes a year.
TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.(?P<fraction>[0-9]+))?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?)?"
)
MILLISECONDS = 3  # digits of a fraction; zeros may follow
# As JSON, pandas and SQL write them.
BOOLEANS = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
EXPONENTS = range(-130, 126)  # from 1E-130 to 9.99E+125; boto3 itself lets 1E-150 and 1E+126 pass
MAX_DEPTH = 32  # of lists and maps in each other
MAX_NAME_BYTES = 64 * 1024 - 1


class BadRowError(ValueError):
    """A row cannot be stored; the text is the reason, without what stands in the row."""


class Number(str):
    """A number of JSON, as its text has it."""

    __slots__ = ()


def string_of(value: object, column: str) -> str:
    """Return a text as it is, or raise BadRowError."""
    if type(value) is not str:
        raise BadRowError(f"{column} is not a text")
    return _utf8(value, column)


def timestamp_of(value: object, column: str = "timestamp") -> datetime:
    """Return the time in UTC, in whole milliseconds, or raise BadRowError; without zone it is UTC already.

    Times finer than that are refused, not cut: two of them could become one key, and one row be lost.
    """
    text = value if isinstance(value, str) else ""
    written = TIMESTAMP.fullmatch(text)
    if not written:
        raise BadRowError(f"{column} is not such as 2026-01-02T15:04:05.123Z")
    if (fraction := written["fraction"]) and fraction[MILLISECONDS:].strip("0"):
        raise BadRowError(f"{column} is finer than milliseconds")
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRowError(f"{column} is on no day of the years 0001 to 9999") from error


def decimal_of(value: object, column: str, is_signed: bool = True) -> Decimal:
    """Return a number exactly as written, or raise BadRowError.

    Args:
        value: Its digits.
        column: The column's name.
        is_signed: Whether it may be negative.
    """
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise BadRowError(f"{column} is not a number")
    return _storable(value, column, is_signed)


def integer_of(value: object, column: str, is_signed: bool = True) -> Decimal:
    """Return a whole number, or raise BadRowError; as `decimal_of`."""
    if not isinstance(value, str) or not INTEGER.fullmatch(value):
        raise BadRowError(f"{column} is not an integer")
    return _storable(value, column, is_signed)


def boolean_of(value: object, column: str) -> bool:
    """Return what is true or false, or raise BadRowError."""
    found = value if isinstance(value, bool) else BOOLEANS.get(value) if type(value) is str else None
    if found is None:
        raise BadRowError(f"{column} is not true or false")
    return found


def json_text_of(text: str, column: str) -> object:
    """Return what a JSON text has, as `read_json`, or raise BadRowError."""
    try:
        return read_json(text)
    except ValueError as error:
        raise BadRowError(f"{column} is not JSON: {error}") from error


def held(value: object, column: str, depth: int = 1) -> object:
    """Return what JSON has as DynamoDB holds it, or raise BadRowError.

    Objects are maps, arrays lists, numbers have all their digits, null is NULL.

    Args:
        value: As `read_json` gives it.
        column: The column's name.
        depth: How deep it lies in others.
    """
    if depth > MAX_DEPTH + 1:
        raise BadRowError(f"{column} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        return {_name(name, column): held(each, column, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [held(each, column, depth + 1) for each in value]
    if isinstance(value, Number):
        return decimal_of(value, column)
    return _utf8(value, column) if isinstance(value, str) else value


def read_json(text: str) -> object:
    """Read JSON and lose nothing: numbers as `Number`, and no name twice in one object.

    Raises:
        ValueError: It is none, says a name twice, or is nested too deeply.
    """
    try:
        return _JSON.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        # Without what stands there, and where in the row it is.
        raise ValueError(f"{error.msg}, at character {error.pos + 1}") from error


def _no_name_twice(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no numbers of JSON")


_JSON = json.JSONDecoder(
    object_pairs_hook=_no_name_twice, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)


def _name(name: str, column: str) -> str:
    """Return a name in a map, if DynamoDB takes it."""
    if not 0 < len(_utf8(name, column).encode()) <= MAX_NAME_BYTES:
        raise BadRowError(f"{column} has a name that is empty or longer than 64 KB")
    return name


def _utf8(text: str, column: str) -> str:
    """Return a text that UTF-8 can hold; JSON can write half a character."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise BadRowError(f"{column} has half a character, which is no text")
    return text


def _storable(text: str, column: str, is_signed: bool) -> Decimal:
    """Return a number that DynamoDB holds digit by digit, or raise BadRowError."""
    number = Decimal(text)
    if number.is_signed() and not is_signed:
        raise BadRowError(f"{column} is negative")
    if number.adjusted() not in EXPONENTS:
        raise BadRowError(f"{column} is beyond 1E-130 to 9.99E+125")
    try:
        # The same number, though a zero has no sign in DynamoDB.
        return DYNAMODB_CONTEXT.create_decimal(number or number.copy_abs())
    except DecimalException as error:
        raise BadRowError(f"{column} has more digits than DynamoDB's 38") from error


# What a column's type makes of a value: as DynamoDB holds it.
TYPES: dict[str, Callable[[object, str], object]] = {
    "string": string_of,
    "integer": integer_of,
    "integer>=0": partial(integer_of, is_signed=False),
    "decimal": decimal_of,
    "decimal>=0": partial(decimal_of, is_signed=False),
    "boolean": boolean_of,
    "timestamp": lambda value, column: iso8601(timestamp_of(value, column)),
    "json": held,
}
