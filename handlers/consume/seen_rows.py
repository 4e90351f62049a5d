"""Which rows of a file have been stored, so that two rows of one key do not replace each other in silence."""

import sqlite3

from column_values import BadRowError
from table_description import OWN, TableDescription

IN_MEMORY = 50_000  # rows, of some 500 bytes; those before them are on disk, where a look takes longer

Key = tuple[str, str]
TABLE = (
    "CREATE TABLE seen (hash_key, range_key, line, digest, PRIMARY KEY (hash_key, range_key)) WITHOUT ROWID"
)


class SeenRows:
    """Remembers the rows of one file of any size, in bounded memory."""

    def __init__(self, description: TableDescription):
        columns = description.key_columns
        self._key = f"{' and '.join(columns)} {'are those' if len(columns) > 1 else 'is that'}"
        self._newest: dict[Key, tuple[int, int]] = {}
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

    def add(self, item: dict, line: int) -> bool:
        """Remember a row.

        Args:
            item: What it is in the table.
            line: Where it begins.

        Returns:
            Whether it is the first of its key; one with the same values may come again.

        Raises:
            BadRowError: A row before it has the same key and other values.
        """
        key = str(item["PK"]), str(item.get("SK", ""))
        digest = hash(frozenset((name, _hashable(value)) for name, value in item.items() if name not in OWN))
        first = self._newest.get(key) or (self._find_older(key) if self._are_older else None)
        if first is None:
            self._newest[key] = line, digest
            if len(self._newest) == IN_MEMORY:
                self._put_away()
        elif first[1] != digest:
            raise BadRowError(f"{self._key} of line {first[0]}, with other values")
        return first is None

    def _find_older(self, key: Key) -> tuple[int, int] | None:
        where = "SELECT line, digest FROM seen WHERE hash_key = ? AND range_key = ?"
        return self._older.execute(where, key).fetchone()

    def _put_away(self) -> None:
        rows = ((*key, line, digest) for key, (line, digest) in self._newest.items())
        self._older.executemany("INSERT INTO seen VALUES (?, ?, ?, ?)", rows)
        self._newest, self._are_older = {}, True


def _hashable(value: object) -> object:
    """Return what is equal for equal values: numbers are, however they are written; true is not 1."""
    if isinstance(value, dict):
        return frozenset((name, _hashable(each)) for name, each in value.items())
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    return (bool, value) if isinstance(value, bool) else value
