"""What the table of a file is: its columns and their types, its keys, what is empty and when it expires."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from column_values import BadRowError

COLUMN = re.compile(r"\{([^{}]+)\}")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
HASH_KEY_BYTES, RANGE_KEY_BYTES = 2048, 1024
# What an item has besides its columns; columns of these names are left out.
OWN = ("PK", "SK", "source_key", "expires")


@dataclass(frozen=True)
class Key:
    """A key of the table, made of columns.

    Attributes:
        texts: What stands before, between and behind the columns; one more than those.
        columns: Their names.
        is_number: Whether it is one column of numbers, and so a number; else it is a text.
        most_bytes: How long it may be.
    """

    texts: tuple[str, ...]
    columns: tuple[str, ...]
    is_number: bool
    most_bytes: int

    @classmethod
    def of(cls, template: str, types: dict[str, str], most_bytes: int) -> "Key":
        """Return the key that a template says, such as `{ticker}` or `{country}#{city}`."""
        parts = COLUMN.split(template)
        columns = tuple(parts[1::2])
        is_alone = len(columns) == 1 and not any(parts[::2])
        is_number = is_alone and types[columns[0]].startswith(("integer", "decimal"))
        return cls(tuple(parts[::2]), columns, is_number, most_bytes)

    @property
    def stands_for(self) -> str:
        """The column that the key is; empty if it is made of more than that."""
        return self.columns[0] if len(self.columns) == 1 and not any(self.texts) else ""

    def value(self, values: dict) -> str | Decimal:
        """Return the key of a row.

        Args:
            values: By the names of its columns, as DynamoDB holds them.

        Raises:
            BadRowError: One is empty or cannot be seen, or another row's values would give the same key.
        """
        if self.is_number:
            return values[self.columns[0]].normalize()
        found = self.texts[0]
        for column, behind in zip(self.columns, self.texts[1:], strict=True):
            text = _text(values[column])
            if not text:
                raise BadRowError(f"{column} is empty")
            if not text.isprintable():
                raise BadRowError(f"{column} has a character that cannot be seen")
            # So that one key cannot be that of two rows: `a#b` and `c`, `a` and `b#c`.
            if behind and column != self.columns[-1] and (text + behind).index(behind) < len(text):
                raise BadRowError(f"{column} has the text that follows it in the key")
            found += text + behind
        if len(found.encode()) > self.most_bytes:
            what = self.stands_for or f"the key of {' and '.join(self.columns)}"
            raise BadRowError(f"{what} is longer than {self.most_bytes} bytes")
        return found


@dataclass(frozen=True)
class TableDescription:
    """What a table is.

    Attributes:
        file_format: Of its files: `csv` or `json lines`.
        columns: Names to types, those of TYPES.
        hash_key: What finds an item.
        range_key: What sorts items of one hash key; None if there is one item of each.
        empty_values: What is done with a value that is empty: `reject` its row, `omit` it, or store it as
            `null`.
        time_to_live_column: The column of times from which items expire; empty: from when they are stored.
    """

    file_format: str
    columns: dict[str, str]
    hash_key: Key
    range_key: Key | None
    empty_values: str
    time_to_live_column: str

    @classmethod
    def read(cls, text: str) -> "TableDescription":
        """Return what the variable TABLE_DESCRIPTION says, which lib/parameters has written and checked."""
        said = json.loads(text)
        columns, range_key = said["columns"], said["range_key"]
        return cls(
            said["file_format"],
            columns,
            Key.of(said["hash_key"], columns, HASH_KEY_BYTES),
            Key.of(range_key, columns, RANGE_KEY_BYTES) if range_key else None,
            said["empty_values"],
            said["time_to_live_column"],
        )

    @cached_property
    def keys(self) -> dict[str, Key]:
        """The table's keys by their attributes' names."""
        return {"PK": self.hash_key} | ({"SK": self.range_key} if self.range_key else {})

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The columns that the keys are made of, each once."""
        return tuple(dict.fromkeys(name for key in self.keys.values() for name in key.columns))

    @cached_property
    def columns_that_are_keys(self) -> frozenset[str]:
        """The columns that are a key by themselves, and are not stored a second time."""
        return frozenset(filter(None, (key.stands_for for key in self.keys.values())))

    @cached_property
    def described_or_own(self) -> frozenset[str]:
        """The names of columns that are no further ones."""
        return frozenset((*OWN, *self.columns, ""))

    @cached_property
    def stripped(self) -> tuple[str, ...]:
        """The columns of CSV around whose values blanks do not count."""
        return tuple(n for n, kind in self.columns.items() if kind != "string" or n in self.key_columns)

    @cached_property
    def json_columns(self) -> tuple[str, ...]:
        """The columns of CSV whose texts are JSON."""
        return tuple(name for name, kind in self.columns.items() if kind == "json")


def _text(value: object) -> str:
    """Return a value in a key: the same text for the same value, however it was written."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
