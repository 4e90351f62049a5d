"""DuckDB over a wide CSV: a row for each cell, so that all columns of one type are one query."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from column_types import VARCHAR, Column
from csv_dialect import Dialect
from duckdb_engine import DuckDbEngine, memory_limit_mb
from profile_sql import Functions, most_frequent, null_if_token, shortened
from table_queries import Expressions

# A column's vector in DuckDB has 2,048 texts of 16 bytes, which are held twice: as a column, and in a list.
VECTOR_BYTES = 2 * 2048 * 16
# Of DuckDB's memory, for those.
SHARE = 4
WANTED = "(SELECT unnest(?::INTEGER[]) AS number, unnest(?::VARCHAR[]) AS center) AS wanted"
CANDIDATES = "(SELECT unnest(?::INTEGER[]) AS number, unnest(?::VARCHAR[]) AS value) AS candidates"
# States of aggregates, of which DuckDB does not count all, are held for so many columns at a time.
COLUMNS_AT_ONCE = 4096


@dataclass(frozen=True)
class Alike(Column):
    """What stands for all columns of a type: their texts and centers come from the row."""

    @property
    def text(self) -> str:
        """SQL for the cell's text."""
        return "text"

    @property
    def center_text(self) -> str:
        """SQL for the center of the cell's column, as text."""
        return "center"


class DuckDbCells(DuckDbEngine):
    """Reads a wide CSV file into a table of cells (number of the column, text), and asks only that."""

    def __init__(self, path: Path, dialect: Dialect, functions: Functions):
        """Open it, and read it; as `DuckDbEngine`.

        Raises:
            RejectedError: The file is not in this dialect.
            duckdb.Error: Anything else, such as no memory or no disk.
        """
        super().__init__(path, dialect, functions)
        try:
            self._read([Column(number, name, VARCHAR) for number, name in enumerate(dialect.names)])
        except BaseException:
            self.connection.close()
            raise

    def aggregates(
        self, columns: Sequence[Column], expressions: Expressions
    ) -> Iterator[tuple[int, int, Column, Sequence]]:
        """Yield what `TableQueries.aggregates` yields, in another order of columns."""
        by_number = {column.number: column for column in columns}
        for alike, some in _alike(columns):
            selected = ", ".join(["number", self.functions.surplus, *expressions(alike)])
            # LEFT JOIN, since a file may have no rows.
            for number, surplus, *values in self.rows(
                f"SELECT {selected} FROM {WANTED} LEFT JOIN cells USING (number) GROUP BY number",
                *_wanted(some),
            ):
                yield self._rows, int(surplus), by_number[number], values

    def top_values(
        self, columns: Sequence[Column], candidates: dict[int, list[str] | None]
    ) -> Iterator[tuple[int, str, int]]:
        """Yield what `TableQueries.top_values` yields."""
        for alike, some in _alike(columns):
            texts = [(column.number, text) for column in some for text in candidates[column.number] or ()]
            all_count = candidates[some[0].number] is None
            only = "" if all_count else f" SEMI JOIN {CANDIDATES} USING (number, value)"
            counts = (
                "SELECT number, value, count(*) AS n FROM"
                f" (SELECT number, {shortened(alike, self.functions)} AS value"
                f" FROM cells JOIN {WANTED} USING (number)){only} GROUP BY number, value"
            )
            among = () if all_count else ([number for number, _ in texts], [text for _, text in texts])
            yield from self.rows(most_frequent(counts), *_wanted(some), *among)

    def _read(self, columns: Sequence[Column]) -> None:
        """Make the table, with as many columns in one reading as fit into memory."""
        self.rows("CREATE TABLE cells (number INTEGER, text VARCHAR)")
        at_once = max(1, memory_limit_mb() * 2**20 // SHARE // VECTOR_BYTES)
        for start in range(0, len(columns), at_once):
            some = columns[start : start + at_once]
            numbers = f"unnest(range({some[0].number}, {some[-1].number + 1}))"
            texts = f"unnest([{', '.join(column.text for column in some)}])"
            cells = f"SELECT {numbers} AS number, {texts} AS text FROM {self.file()}"
            self.rows(f"INSERT INTO cells SELECT number, {null_if_token('text')} FROM ({cells})")
        self._rows = self.rows("SELECT count(*) FROM cells WHERE number = 0")[0][0]


def _alike(columns: Sequence[Column]) -> Iterator[tuple[Alike, Sequence[Column]]]:
    """Yield columns of which the same expressions tell, and what stands for them."""
    groups = defaultdict(list)
    for column in columns:
        groups[column.type, column.repeats, column.center is None].append(column)
    for group in groups.values():
        for start in range(0, len(group), COLUMNS_AT_ONCE):
            some = group[start : start + COLUMNS_AT_ONCE]
            yield Alike(**vars(some[0])), some


def _wanted(columns: Sequence[Column]) -> tuple[list[int], list[str | None]]:
    """Return the parameters of WANTED."""
    centers = [None if column.center is None else f"{column.center:f}" for column in columns]
    return [column.number for column in columns], centers
