"""What a row of a file is in the table, or why it is none."""

import time
from dataclasses import dataclass

from common.times import iso8601
from csv_rows import PoisonFileError, Row
from stock_values import BadRowError, price_of, ticker_of, timestamp_of, volume_of

REQUIRED = ("ticker", "timestamp", "price", "volume")
# What an item has besides; columns of these names are left out.
RESERVED = {*REQUIRED, "PK", "SK", "source_key", "expires"}
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_ITEM_BYTES = 400 * 1024
MAX_NAME_BYTES = 64 * 1024 - 1
MOST_BYTES_A_CHARACTER = 4
BLANKS = " \t"  # what may stand around a name or a value
DAY_S = 86_400


@dataclass(frozen=True)
class ItemMaker:
    """Makes items of the rows of one file.

    Attributes:
        columns: As its header has them.
        source_key: The file's key.
        time_to_live_days: So many days from now an item expires; 0: never.
    """

    columns: tuple[str, ...]
    source_key: str
    time_to_live_days: int = 0

    @classmethod
    def from_header(cls, header: Row | None, source_key: str, time_to_live_days: int = 0) -> "ItemMaker":
        """Return the maker for a file with this first row; raise PoisonFileError if it is no header."""
        if header is None:
            raise PoisonFileError("empty: not even a header")
        columns = tuple(name.strip(BLANKS) for name in header.fields)
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise PoisonFileError(f"the header lacks {', '.join(missing)}")
        # Athena, which reads what is exported, knows no upper case.
        named = [name.lower() for name in columns if name]
        if len(set(named)) < len(named):
            raise PoisonFileError("the header names a column twice, upper or lower case")
        if any(len(name.encode()) > MAX_NAME_BYTES for name in columns):
            raise PoisonFileError("the header has a name longer than 64 KB")
        return cls(columns, source_key, time_to_live_days)

    def item(self, row: Row) -> dict:
        """Return the item that a row is.

        Args:
            row: Of the file.

        Returns:
            PK, SK, price, volume, source_key, `expires` in seconds since 1970 if items expire, and the
            further columns as strings. A column without a name, or with one of RESERVED, is left out.

        Raises:
            BadRowError: It cannot be stored.
        """
        if row.problem:
            raise BadRowError(row.problem)
        if len(row.fields) != len(self.columns):
            raise BadRowError(f"{len(row.fields)} columns, not {len(self.columns)}")
        values = dict(zip(self.columns, row.fields, strict=True))
        ticker, timestamp, price, volume = (values[name].strip(BLANKS) for name in REQUIRED)
        item = {name: value for name, value in values.items() if name and name not in RESERVED} | {
            "PK": ticker_of(ticker),
            "SK": iso8601(timestamp_of(timestamp)),
            "price": price_of(price),
            "volume": volume_of(volume),
            "source_key": self.source_key,
        }
        if self.time_to_live_days:
            item["expires"] = int(time.time()) + self.time_to_live_days * DAY_S
        # Most rows are so short that there is nothing to count.
        characters = len(row.text) + sum(map(len, self.columns)) + len(self.source_key)
        return item if characters * MOST_BYTES_A_CHARACTER < MAX_ITEM_BYTES // 2 else _checked(item)


def _checked(item: dict) -> dict:
    """Return the item if DynamoDB takes one of its size."""
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in item.items())
    if size > MAX_ITEM_BYTES:
        raise BadRowError(f"larger than {MAX_ITEM_BYTES // 1024} KB")
    return item
