"""Which rows of a file have been stored, so that two rows of one key do not replace each other in silence."""

import sqlite3
from decimal import Decimal

from stock_values import BadRowError

# What is the key, a number, or the same for all rows of a file: the rest are further columns.
NOT_FURTHER = {"PK", "SK", "price", "volume", "source_key", "expires"}
IN_MEMORY = 50_000  # rows, of some 500 bytes; those before them are on disk, where a look takes longer

Key = tuple[str, str]
Values = tuple[Decimal, Decimal, int]  # price, volume, and the hash of the further columns
TABLE = (
    "CREATE TABLE seen (ticker, time, line, price, volume, further, PRIMARY KEY (ticker, time)) WITHOUT ROWID"
)


class SeenRows:
    """Remembers the rows of one file of any size, in bounded memory."""

    def __init__(self) -> None:
        self._newest: dict[Key, tuple[int, Values]] = {}
        # A database of our own in a temporary file, gone when it is closed; empty for most files.
        # https://www.sqlite.org/inmemorydb.html#temp_db
        self._older = sqlite3.connect("")
        self._older.execute("PRAGMA journal_mode = OFF")
        self._older.execute(TABLE)
        self._are_older = False

    def __enter__(self) -> "SeenRows":
        return self

    def __exit__(self, *_) -> None:
        self._older.close()

    def add(self, item: dict, line: int) -> None:
        """Remember a row.

        Args:
            item: What it is in the table.
            line: Where it begins.

        Raises:
            BadRowError: A row before it has the same key and other values; one with the same values may come.
        """
        key = item["PK"], item["SK"]
        further = hash(tuple([value for name, value in item.items() if name not in NOT_FURTHER]))
        values = item["price"], item["volume"], further
        first = self._newest.get(key) or (self._find_older(key) if self._are_older else None)
        if first is None:
            self._newest[key] = line, values
            if len(self._newest) == IN_MEMORY:
                self._put_away()
        elif first[1] != values:
            raise BadRowError(f"ticker and timestamp are those of line {first[0]}, with other values")

    def _find_older(self, key: Key) -> tuple[int, Values] | None:
        where = "SELECT line, price, volume, further FROM seen WHERE ticker = ? AND time = ?"
        for line, price, volume, further in self._older.execute(where, key):
            return line, (Decimal(price), Decimal(volume), further)
        return None

    def _put_away(self) -> None:
        rows = (
            (*key, line, str(price), str(volume), further)
            for key, (line, (price, volume, further)) in self._newest.items()
        )
        self._older.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._newest, self._are_older = {}, True
