"""What a row of *ingest* must be in its table, by what its function is told: read here a second time.

Not with *consume*'s code and not with the library functions that it uses, since what both took for another
value no comparison would show. Values are as DynamoDB writes them: a type and what is of that type, numbers
exact.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Value = tuple[str, Any]  # such as ("N", Decimal("1.50"))
DAY = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
HOUR = re.compile("([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?")
NUMBER = re.compile("([+-]?)([0-9]*)(?:[.]([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?")
COLUMN = re.compile(r"\{([^{}]+)\}")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_DIGITS, LEAST_EXPONENT, MOST_EXPONENT = 38, -130, 125
LEAST_PLACE = -165  # of the last digit that boto3 sends: 38 digits from 1E-128 on
MAX_KEY_BYTES = {"PK": 2048, "SK": 1024}
MAX_NAME_BYTES, MAX_DEPTH = 64 * 1024 - 1, 32
OWN = ("PK", "SK", "source_key", "expires")
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NoItemError(ValueError):
    """A row can be no item."""


class Digits(str):
    """A number of JSON, as its text has it."""

    __slots__ = ()


@dataclass(frozen=True)
class Shape:
    """What a table is.

    Attributes:
        file_format: Of its files: `csv` or `json lines`.
        columns: Names to types.
        keys: The key attributes, each with the texts and, at odd places, columns that it is made of.
        empty_values: `reject`, `omit` or `null`.
        time_to_live_column: From whose times items expire; empty for none.
        time_to_live_days: After how many days; 0 for never, or for that very time.
    """

    file_format: str
    columns: Mapping[str, str]
    keys: Mapping[str, list[str]]
    empty_values: str
    time_to_live_column: str
    time_to_live_days: int = 0

    @classmethod
    def read(cls, text: str, time_to_live_days: int = 0) -> "Shape":
        """Return what a text says that a function has as its variable TABLE_DESCRIPTION."""
        said = json.loads(text)
        templates = {"PK": said["hash_key"], "SK": said["range_key"]}
        keys = {name: COLUMN.split(template) for name, template in templates.items() if template}
        said = {
            name: said[name] for name in ("file_format", "columns", "empty_values", "time_to_live_column")
        }
        return cls(**said, keys=keys, time_to_live_days=time_to_live_days)

    def item(self, named: Mapping[str, Any]) -> dict[str, Value]:
        """Return what a row must be.

        Args:
            named: What its columns say: texts of CSV; or what JSON has, numbers as `Digits`.

        Returns:
            Attributes to values, without `source_key`; with `expires` if that is told by a column.

        Raises:
            NoItemError: If it can be none.
        """
        in_keys = {column for parts in self.keys.values() for column in parts[1::2]}
        values = {
            name: value
            for name, kind in self.columns.items()
            if (value := self._value(named.get(name), kind, is_key=name in in_keys)) is not None
        }
        alone = {parts[1] for parts in self.keys.values() if len(parts) == 3 and not any(parts[::2])}
        others = {n: v for n, v in named.items() if n and n not in OWN and n not in self.columns}
        item = {name: _held(value) for name, value in others.items()}
        item |= {name: value for name, value in values.items() if name not in alone}
        item |= {name: self._key(name, parts, values) for name, parts in self.keys.items()}
        if (column := self.time_to_live_column) and values.get(column, ("NULL", True))[0] == "S":
            moment = datetime.fromisoformat(values[column][1]) + timedelta(days=self.time_to_live_days)
            item["expires"] = ("N", Decimal(-((EPOCH - moment) // timedelta(seconds=1))))
        return item

    def strips(self, column: str) -> bool:
        """Return whether blanks around a column's text in CSV do not count."""
        in_keys = any(column in parts[1::2] for parts in self.keys.values())
        return column in self.columns and (in_keys or self.columns[column] != "string")

    def _value(self, found: Any, kind: str, is_key: bool) -> Value | None:
        """Return the value of a described column; None if the item does not have it."""
        is_text = isinstance(found, str) and not isinstance(found, Digits)
        if kind == "json" and found and is_text and self.file_format == "csv":
            found = read_json(found)
        if found is None or found == "":
            if is_key or self.empty_values == "reject":
                raise NoItemError
            return ("NULL", True) if self.empty_values == "null" else None
        if kind == "json":
            return _held(found)
        if kind == "boolean":
            if found is True or (is_text and found in TRUE):
                return "BOOL", True
            if found is False or (is_text and found in FALSE):
                return "BOOL", False
            raise NoItemError
        if kind == "string":
            if not is_text:
                raise NoItemError
            return "S", _whole(found)
        value: Any
        if kind == "timestamp":
            value = sort_key(found) if is_text else None
            return "S", _or_none(value)
        if not isinstance(found, str):
            raise NoItemError
        name, _, least = kind.partition(">=")
        return "N", _or_none(number(found, is_whole=name == "integer", is_signed=not least))

    def _key(self, name: str, parts: list[str], values: Mapping[str, Value]) -> Value:
        if len(parts) == 3 and not parts[0] and not parts[2] and values[parts[1]][0] == "N":
            return values[parts[1]]
        made, rest = parts[0], [*zip(parts[1::2], parts[2::2], strict=True)]
        for place, (column, behind) in enumerate(rest, 1):
            text = _plain(values[column])
            is_last = place == len(rest)
            if (
                not text
                or not text.isprintable()
                or (not is_last and (text + behind).find(behind) != len(text))
            ):
                raise NoItemError
            made += text + behind
        if len(made.encode()) > MAX_KEY_BYTES[name]:
            raise NoItemError
        return "S", made


def read_json(text: str) -> Any:
    """Return what a JSON text has, numbers as `Digits`.

    Raises:
        NoItemError: If it is none, or says a name twice in an object.
    """
    try:
        return json.loads(
            text, parse_int=Digits, parse_float=Digits, parse_constant=_or_none, object_pairs_hook=_once
        )
    except (json.JSONDecodeError, RecursionError):
        raise NoItemError from None


def held(stored: Mapping[str, Any]) -> Value:
    """Return a value that DynamoDB gives, such as {"N": "1.50"}, numbers exact."""
    ((kind, value),) = stored.items()
    if kind == "N":
        return kind, Decimal(value)
    if kind == "M":
        return kind, {name: held(each) for name, each in value.items()}
    return kind, [held(each) for each in value] if kind == "L" else value


def sort_key(text: str) -> str | None:
    """Return the text that a time becomes, computed from its digits; None if it is none."""
    day, hour = DAY.fullmatch(text[:10]), HOUR.fullmatch(text[11:])
    if not day or (len(text) > 10 and (text[10] not in " T" or not hour)):
        return None
    hours, minutes, seconds, fraction, zone = hour.groups() if hour else ("0", "0", None, None, None)
    milliseconds, finer = (fraction or "")[:3].ljust(3, "0"), (fraction or "")[3:]
    offset = _offset(zone or "Z")
    if finer.strip("0") or offset is None:
        return None
    try:
        year, month, of_month = map(int, day.groups())
        time = datetime(year, month, of_month, int(hours), int(minutes), int(seconds or 0), tzinfo=UTC)
        time -= offset
    except (ValueError, OverflowError):
        return None
    date = f"{time.year:04}-{time.month:02}-{time.day:02}"
    return f"{date}T{time.hour:02}:{time.minute:02}:{time.second:02}.{milliseconds}Z"


def number(text: str, is_whole: bool = False, is_signed: bool = True) -> Decimal | None:
    """Return a number from its digits; None if it is none that DynamoDB keeps digit by digit."""
    written = NUMBER.fullmatch(text)
    if not written or (written[1] == "-" and not is_signed) or not (written[2] or written[3]):
        return None
    if is_whole and (written[3] is not None or written[4] is not None):
        return None
    digits, decimals = f"{written[2]}{written[3] or ''}", len(written[3] or "")
    place = int(written[4] or 0) - decimals  # of the last digit, as a power of ten
    digits = digits.lstrip("0") or "0"
    fits = LEAST_EXPONENT <= place + len(digits) - 1 <= MOST_EXPONENT and place >= LEAST_PLACE
    if len(digits) > MAX_DIGITS or not fits:
        return None
    sign = int(written[1] == "-" and digits != "0")
    return Decimal((sign, tuple(map(int, digits)), place))


def _offset(zone: str) -> timedelta | None:
    """Return how far a zone is ahead of UTC; None if there is none so far."""
    if zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:])
    ahead = timedelta(hours=hours, minutes=minutes)
    return None if hours > 23 or minutes > 59 else ahead if zone[0] == "+" else -ahead


def _held(value: Any, depth: int = 0) -> Value:
    """Return what JSON has as DynamoDB writes it."""
    if depth > MAX_DEPTH:
        raise NoItemError
    if value is None:
        return "NULL", True
    if isinstance(value, bool):
        return "BOOL", value
    if isinstance(value, Digits):
        return "N", _or_none(number(value))
    if isinstance(value, str):
        return "S", _whole(value)
    if isinstance(value, list):
        return "L", [_held(each, depth + 1) for each in value]
    if any(not 0 < len(_whole(name).encode()) <= MAX_NAME_BYTES for name in value):
        raise NoItemError
    return "M", {name: _held(each, depth + 1) for name, each in value.items()}


def _plain(value: Value) -> str:
    """Return a value as it stands in a key of several columns."""
    kind, found = value
    if kind == "N":
        digits = f"{found:f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(found).lower() if kind == "BOOL" else found


def _whole(text: str) -> str:
    """Return a text that is one in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoItemError from None
    return text


def _or_none(value: Any) -> Any:
    """Return a value that is there, of a constant of JSON's there is none."""
    if value is None or value in ("NaN", "Infinity", "-Infinity"):
        raise NoItemError
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise NoItemError
    return dict(pairs)
