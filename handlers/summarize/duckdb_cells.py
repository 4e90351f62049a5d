"""DuckDB over a wide CSV: a row for each cell, so that all columns of one type are one query."""

import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from column_types import VARCHAR, Column
from csv_dialect import Dialect
from csv_text import rewrite_outside_quotes, skip_lines
from duckdb_engine import DuckDbEngine, csv_file
from profile_sql import Functions, literal, most_frequent, null_if_token, shortened, with_values
from rejection import RejectedError
from table_queries import Expressions

# What stands after the last cell of each record, in a line of its own, as a cell does.
END = "\x01"
BLANK_LINES = re.compile(b"\n\n+")
WANTED = "(SELECT unnest(?::INTEGER[]) AS number, unnest(?::VARCHAR[]) AS center) AS wanted"
CANDIDATES = "(SELECT unnest(?::INTEGER[]) AS number, unnest(?::VARCHAR[]) AS value) AS candidates"
# States of aggregates, of which DuckDB does not count all, are held for so many columns at a time.
COLUMNS_AT_ONCE = 4096


class MisreadError(Exception):
    """The cells of a file that is in its dialect do not make records: an error of ours."""


@dataclass(frozen=True)
class Alike(Column):
    """What stands for all columns of a type: their texts, values and centers come from the row."""

    @property
    def text(self) -> str:
        """SQL for the cell's text."""
        return "text"

    @property
    def value(self) -> str:
        """SQL for the cell's value."""
        return self.text if self.type is VARCHAR else "value"

    @property
    def center_text(self) -> str:
        """SQL for the center of the cell's column, as text."""
        return "center"


class DuckDbCells(DuckDbEngine):
    """Reads a wide CSV file into a table of cells (number of the column, text), and asks only that.

    A file is first written anew with a line for each cell, which DuckDB reads in one go: a reading of so many
    columns would take memory, and planning time, for each.
    """

    def __init__(self, path: Path, dialect: Dialect, functions: Functions):
        """Open it, and read it; as `DuckDbEngine`.

        Raises:
            RejectedError: The file is not in this dialect.
            duckdb.Error: Anything else, such as no memory or no disk.
        """
        super().__init__(path, dialect, functions)
        try:
            self._read(path, dialect)
        except BaseException:
            self.connection.close()
            raise

    def keep(self, columns: Sequence[Column]) -> None:
        """Do nothing: all cells are in a table."""

    def aggregates(
        self, columns: Sequence[Column], expressions: Expressions
    ) -> Iterator[tuple[int, int, Column, Sequence]]:
        """Yield what `TableQueries.aggregates` yields, in another order of columns."""
        by_number = {column.number: column for column in columns}
        for alike, some in _alike(columns):
            selected = ", ".join(["number", self.functions.surplus, *expressions(alike)])
            # LEFT JOIN, since a file may have no rows.
            relation = with_values([alike], f"{WANTED} LEFT JOIN cells USING (number)", self.functions)
            for number, surplus, *values in self.rows(
                f"SELECT {selected} FROM {relation} GROUP BY number", *_wanted(some)
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

    def _read(self, path: Path, dialect: Dialect) -> None:
        """Make the table."""
        cells, of_record = path.with_suffix(".cells"), len(dialect.names) + 1
        _write_cells(path, cells, dialect)
        self._use_all_memory()  # for a table, as `keep`
        self.rows("CREATE TABLE cells (number INTEGER, text VARCHAR)")
        one_column = replace(dialect, names=["cell"], lines_before=0)
        try:
            self.connection.execute("SET preserve_insertion_order = true")
            self.rows(
                f"INSERT INTO cells SELECT place % {of_record}, {null_if_token('c0')}"
                f" FROM (SELECT row_number() OVER () - 1 AS place, c0 FROM {csv_file(cells, one_column)})"
                f" WHERE place >= {of_record}"  # without the header
            )
            self.connection.execute("SET preserve_insertion_order = false")
        except RejectedError:
            self._judge()
            raise
        finally:
            cells.unlink(missing_ok=True)
        # Each record has as many cells as the header if each of so many lines is its end, and no other is.
        ((lines, self._rows, misplaced),) = self.rows(
            f"SELECT count(*), count(*) FILTER (ends AND is_last), count(*) FILTER (ends <> is_last) FROM"
            f" (SELECT text IS NOT DISTINCT FROM {literal(END)} AS ends,"
            f" number = {of_record - 1} AS is_last FROM cells)"
        )
        if misplaced or lines != self._rows * of_record:
            self._judge()
            raise MisreadError(f"{lines} cells of {self._rows} records do not make {of_record - 1} columns")

    def _judge(self) -> None:
        """Raise RejectedError with the line, as DuckDB counts them, if the file is not in this dialect."""
        self.rows(f"SELECT count(*) FROM {self.file()}")


def _write_cells(path: Path, cells: Path, dialect: Dialect) -> None:
    """Write a file with a line for each cell, and one for each end of a record, after a header."""
    delimiter, end = dialect.delimiter.encode(), f"\n{END}\n".encode()

    def as_lines(part: bytes, before: bytes) -> bytes:
        if before == b"\n":
            part = part.lstrip(b"\n")  # blank lines are no records
        return BLANK_LINES.sub(b"\n", part).replace(b"\n", end).replace(delimiter, b"\n")

    with path.open("rb") as old, cells.open("wb") as new:
        new.write(b"cell\n")
        skip_lines(old, dialect.lines_before)
        rewrite_outside_quotes(old, new, dialect.delimiter, dialect.quote, as_lines)
        old.seek(-1, io.SEEK_END)
        if old.read() not in b"\r\n":
            new.write(end)


def _alike(columns: Sequence[Column]) -> Iterator[tuple[Alike, Sequence[Column]]]:
    """Yield columns of which the same expressions tell, and what stands for them."""
    groups = defaultdict(list)
    for column in columns:
        groups[column.type, column.repeats, column.center is None].append(column)
    for group in groups.values():
        for start in range(0, len(group), COLUMNS_AT_ONCE):
            some = group[start : start + COLUMNS_AT_ONCE]
            yield Alike(**vars(some[0]) | {"decimals": None}), some  # which differ


def _wanted(columns: Sequence[Column]) -> tuple[list[int], list[str | None]]:
    """Return the parameters of WANTED."""
    centers = [None if column.center is None else f"{column.center:f}" for column in columns]
    return [column.number for column in columns], centers
