"""What a row of a file is in the table, or why it is none."""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from column_values import MAX_NAME_BYTES, TYPES, BadRowError, held, json_text_of
from csv_rows import PoisonFileError, Row
from table_description import TableDescription

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_ITEM_BYTES = 400 * 1024
MOST_BYTES_A_CHARACTER = 4
# A list or map takes 3 bytes, and each element one more; a number 21 at most.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
NESTED_BYTES, ELEMENT_BYTES = 3, 1
BLANKS = " \t"  # what may stand around a name or a value
DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ItemMaker:
    """Makes items of the rows of one file.

    Attributes:
        description: What the table is.
        columns: As the file's header has them; empty if each row names its own.
        source_key: The file's key.
        time_to_live_days: So many days from now, or from the time in a column, an item expires; 0: never, or
            at that time.
    """

    description: TableDescription
    columns: tuple[str, ...]
    source_key: str
    time_to_live_days: int = 0

    @classmethod
    def from_header(
        cls, description: TableDescription, header: Row | None, source_key: str, time_to_live_days: int = 0
    ) -> "ItemMaker":
        """Return the maker for a CSV file with this first row; raise PoisonFileError if it is no header."""
        if header is None:
            raise PoisonFileError("empty: not even a header")
        columns = tuple(name.strip(BLANKS) for name in header.fields)
        missing = [name for name in description.columns if name not in columns]
        if missing:
            raise PoisonFileError(f"the header lacks {', '.join(missing)}")
        if _has_twice(columns):
            raise PoisonFileError("the header names a column twice, upper or lower case")
        if any(len(name.encode()) > MAX_NAME_BYTES for name in columns):
            raise PoisonFileError("the header has a name longer than 64 KB")
        return cls(description, columns, source_key, time_to_live_days)

    def item(self, row: Row) -> dict:
        """Return the item that a row is.

        Args:
            row: Of the file.

        Returns:
            PK, SK if there is a range key, source_key, `expires` in seconds since 1970 if items expire, and
            the columns, but for one that is a key. Those that are not described are as they are: of CSV as
            text. A column without a name, or with one that an item has for itself, is left out.

        Raises:
            BadRowError: It cannot be stored.
        """
        if row.problem:
            raise BadRowError(row.problem)
        description, values = self.description, self._named(row)
        described = self._described(values)
        keys = {name: key.value(described) for name, key in description.keys.items()}
        left_out, stand_for = description.described_or_own, description.columns_that_are_keys
        item = {name: value for name, value in values.items() if name not in left_out}
        if type(row.fields) is dict:
            item = {name: held(value, name) for name, value in item.items()}
        item |= {name: value for name, value in described.items() if name not in stand_for}
        item |= keys
        item |= {"source_key": self.source_key, **self._expires(described)}
        # Most rows are so short that there is nothing to count.
        characters = len(row.text) + self._characters_of_each
        return item if characters * MOST_BYTES_A_CHARACTER < MAX_ITEM_BYTES // 4 else _checked(item)

    @cached_property
    def _characters_of_each(self) -> int:
        return sum(map(len, self.columns)) + len(self.source_key)

    def _named(self, row: Row) -> Mapping[str, object]:
        """Return the values of a row by the names of their columns."""
        if isinstance(row.fields, dict):
            if _has_twice(row.fields):
                raise BadRowError("it names a column twice, upper or lower case")
            return row.fields
        if len(row.fields) != len(self.columns):
            raise BadRowError(f"{len(row.fields)} columns, not {len(self.columns)}")
        texts = dict(zip(self.columns, row.fields, strict=True))
        for name in self.description.stripped:
            texts[name] = texts[name].strip(BLANKS)
        parsed = {n: json_text_of(texts[n], n) for n in self.description.json_columns if texts[n]}
        return {**texts, **parsed} if parsed else texts

    def _described(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the described columns as DynamoDB holds them; what is empty as the description says."""
        keys, empty_values, found = self.description.key_columns, self.description.empty_values, {}
        for name, kind in self.description.columns.items():
            value = values.get(name)
            if value:
                found[name] = TYPES[kind](value, name)
            elif (value is None or value == "") and name not in keys and empty_values != "reject":
                if empty_values == "null":
                    found[name] = None
            elif value is None or (value == "" and kind in ("string", "json")):
                raise BadRowError(f"{name} is empty")
            else:  # of other empty texts the type says what it wants instead
                found[name] = TYPES[kind](value, name)
        return found

    def _expires(self, described: Mapping[str, object]) -> dict[str, int]:
        """Return when an item expires, by its attribute's name; empty for never."""
        days, column = self.time_to_live_days, self.description.time_to_live_column
        if not column:
            return {"expires": int(time.time()) + days * DAY_S} if days else {}
        text = described.get(column)
        if not isinstance(text, str):  # it is empty, or it is a key
            return {}
        moment = datetime.fromisoformat(text)
        seconds = math.ceil((moment - EPOCH) / timedelta(seconds=1))
        return {"expires": seconds + days * DAY_S}


def _has_twice(names: Iterable[str]) -> bool:
    """Tell whether names are the same to Athena, which reads what is exported, and knows no upper case."""
    named = [name.lower() for name in names if name]
    return len(set(named)) < len(named)


def _checked(item: dict) -> dict:
    """Return the item if DynamoDB takes one of its size."""
    if _bytes_of(item) - NESTED_BYTES > MAX_ITEM_BYTES:
        raise BadRowError(f"larger than {MAX_ITEM_BYTES // 1024} KB")
    return item


def _bytes_of(value: object) -> int:
    """Return how large a value is in DynamoDB, or a little more: a number has one byte for two digits."""
    if isinstance(value, dict):
        return NESTED_BYTES + sum(len(n.encode()) + _bytes_of(v) for n, v in value.items())
    if isinstance(value, list):
        return NESTED_BYTES + sum(ELEMENT_BYTES + _bytes_of(each) for each in value)
    return len(str(value).encode())
