"""DuckDB, which reads files of any size in bounded memory."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from column_types import BIGINT, DATE, NULL_VALUES, TIMESTAMP, Column
from csv_dialect import Dialect
from csv_text import LINE_END, PIECE_BYTES
from profile_sql import MAX_VALUE_CHARACTERS as CUT
from profile_sql import Functions, literal, null_if_token, with_values
from rejection import RejectedError
from table_queries import TableQueries

if TYPE_CHECKING:
    import duckdb

# Of a file with more columns a table of cells is made: planning a query for so many takes longer.
WIDE_COLUMNS = 100
# Of a table, which is not read anew: what tells all values of a column apart takes memory.
EXACT_COLUMNS_AT_ONCE = 25
# Up to here everything is exact: even if each value differs, they all fit into memory.
EXACT_UP_TO_BYTES = 8 * 2**20
EXACT = Functions(
    surplus="0",  # it raises an error
    casts_forgive=True,
    length="strlen({c})",
    matches="regexp_full_match({c}, {p})",
    distinct="count(DISTINCT {v})",
    quartiles="quantile_cont({v}, [0.25, 0.5, 0.75])",
    # Characters are counted only where bytes do not tell.
    shortened=f"CASE WHEN strlen({{c}}) > {CUT} THEN substr({{c}}, 1, {CUT}) ELSE {{c}} END",
    candidates="NULL",
    are_exact=True,
    columns_at_once=EXACT_COLUMNS_AT_ONCE,
)
APPROXIMATE = Functions(
    surplus=EXACT.surplus,
    casts_forgive=True,
    length=EXACT.length,
    matches=EXACT.matches,
    distinct="approx_count_distinct({v})",
    quartiles="approx_quantile({v}, [0.25, 0.5, 0.75])",
    shortened=EXACT.shortened,
    candidates="approx_top_k({c}, 10)",
    are_exact=False,
    columns_at_once=WIDE_COLUMNS,
)
LONGEST_TOKEN = max(len(token.encode()) for token in NULL_VALUES)
FIRST_TOKEN = min(token for token in NULL_VALUES if token)  # in the order of bytes, as DuckDB's
NO_TOKENS = (BIGINT, DATE, TIMESTAMP)  # types of which no token for null is
# What no value is, since files with NUL are rejected.
NO_TEXT = "\0"
# Of Lambda's memory, for Python, boto3, DuckDB's code, and what DuckDB does not count: states of aggregates.
RESERVED_MB = 300
LEAST_MB = 128
# What reading a file takes: DuckDB keeps what it has read until its limit, though it is read once.
READING_MB = 160


class DuckDbEngine(TableQueries):
    """Reads one CSV file by DuckDB, once or twice. A context manager; close it before its folder is removed.

    A small file is read into a table at once. A large one is read for all that its columns are measured by;
    again, into a table of these, only if columns were not what they seemed.
    """

    def __init__(self, path: Path, dialect: Dialect, functions: Functions):
        """Open it.

        Args:
            path: The file, in UTF-8. What does not fit into memory goes into its folder.
            dialect: How it is written.
            functions: EXACT or APPROXIMATE.
        """
        self.functions = functions
        self.connection = connect(path.parent)
        self._path = path
        self._dialect = dialect
        self._is_kept = False
        self._limit_mb = min(READING_MB, memory_limit_mb())
        limit_memory(self.connection, self._limit_mb)

    def __enter__(self) -> "DuckDbEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def relation(self, columns: Sequence[Column]) -> str:
        """Return what to select these columns from: all values are text, and as many in each line."""
        texts = ", ".join(column.text for column in columns)
        return f"(SELECT {texts} FROM kept) AS source" if self._is_kept else self._texts(columns)

    def valued(self, columns: Sequence[Column]) -> str:
        """Return what to select these columns' texts and values from; most texts need no look for tokens.

        A text that is a whole number or a time is no token for null; only the others are looked at.
        """
        certain = [column for column in columns if column.type in NO_TOKENS]
        if self._is_kept or not certain:
            return super().valued(columns)
        others = [column for column in columns if column not in certain]
        texts = ", ".join(_without_token(column, f"{column.value} IS NOT NULL") for column in certain)
        relation = with_values(columns, self._texts(others, certain), self.functions)
        return f"(SELECT * REPLACE ({texts}) FROM {relation}) AS without_tokens"

    def keep(self, columns: Sequence[Column]) -> None:
        """Read these columns into a table; what does not fit into memory goes into the file's folder."""
        if not self._is_kept and columns:
            self._use_all_memory()
            self.rows(f"CREATE TABLE kept AS SELECT * FROM {self._texts(columns)}")
            self._is_kept = True

    def _texts(self, columns: Sequence[Column], as_they_are: Sequence[Column] = ()) -> str:
        cleaned = [_without_token(column, _is_no_token(column.text)) for column in columns]
        texts = ", ".join([*cleaned, *(column.text for column in as_they_are)])
        return f"(SELECT {texts} FROM {self.file()}) AS source"

    def file(self) -> str:
        """Return what to select the texts of all columns from, as they are in the file."""
        return csv_file(self._path, self._dialect)

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            RejectedError: The file is not in this dialect.
            duckdb.Error: Anything else, such as no memory or no disk.
        """
        import duckdb

        try:
            return self.connection.execute(sql, parameters).fetchall()
        except duckdb.OutOfMemoryException:
            if not self._use_all_memory():
                raise
            return self.rows(sql, *parameters)
        except duckdb.InvalidInputException as error:
            if "CSV" not in str(error):
                raise
            raise rejection(str(error)) from error

    def _use_all_memory(self) -> bool:
        """Let DuckDB use what the function has; returns whether that is more than before."""
        before, self._limit_mb = self._limit_mb, memory_limit_mb()
        limit_memory(self.connection, self._limit_mb)
        return self._limit_mb > before


def _without_token(column: Column, is_none: str) -> str:
    """Return a column's text, null if it is a token for null; of most it is soon found that it is none."""
    return f"CASE WHEN {is_none} THEN {column.text} ELSE {null_if_token(column.text)} END AS {column.text}"


def _is_no_token(text: str) -> str:
    """Return what is soon found of most texts: that they are longer than any token, or begin as none does."""
    return f"strlen({text}) > {LONGEST_TOKEN} OR {text} > '' AND {text} < {literal(FIRST_TOKEN)}"


def csv_file(path: Path, dialect: Dialect) -> str:
    """Return what to select the texts c0, c1, … of a CSV file from, as they are in it."""
    names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(dialect.names)))
    # DuckDB drops what is too much in a line if it is one of the tokens for null: no text is one. A blank
    # line is a null where there is one column, and nothing where there are more.
    no_text = "" if len(dialect.names) == 1 else NO_TEXT
    quote = literal(dialect.quote)
    # Not in parallel, which one thread is not anyway: where DuckDB divides a file it guesses where a record
    # begins, and may take a line within quotes for one. See `guarded`.
    return (
        f"(SELECT * FROM read_csv({literal(str(path))}, auto_detect = false,"
        f" skip = {dialect.lines_before}, header = true, columns = {{{names}}},"
        f" delim = {literal(dialect.delimiter)}, quote = {quote}, escape = {quote},"
        f" nullstr = [{literal(no_text)}], strict_mode = true, parallel = false)) AS file"
    )


@contextmanager
def guarded(path: Path, quote: str) -> Iterator[None]:
    """Let DuckDB find a quote that is not closed: meanwhile the file has a line more, of a quote and an x.

    DuckDB 2.0.0, not in parallel, drops a record in silence whose quote is not closed where the file ends. So
    it drops this one; but after a quote that is open before, it is one that ends within a value: an error.

    Args:
        path: The file, in UTF-8.
        quote: Of its dialect.
    """
    size = path.stat().st_size
    with path.open("r+b") as file:
        first = LINE_END.search(file.read(PIECE_BYTES))
        file.seek(max(0, size - 1))
        last = file.read(1)
        line_end = b"" if last in (b"\n", b"\r") else first[0] if first else b"\n"
        file.write(line_end + quote.encode() + b"x")
    try:
        yield
    finally:
        os.truncate(path, size)


def rejection(message: str) -> RejectedError:
    """Return DuckDB's error about a CSV file in one sentence, without the content that DuckDB cites.

    Lines of another length are not skipped or filled up: nobody knows which of their values is missing or too
    many, so that columns would be described by values of their neighbours.
    """
    found = re.search(r"CSV Error on Line: (\d+)", message)
    line = int(found[1]) if found else None
    where = f"Line {line}" if line else "A line"
    if fields := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message):
        return RejectedError(f"{where} has {fields[2]} fields, the header has {fields[1]}.", line)
    if "unterminated quote" in message:
        return RejectedError(f"{where} has a quote that is not closed, or not doubled within quotes.", line)
    if "Maximum line size" in message:
        return RejectedError(f"{where} is longer than 2,000,000 bytes.", line)
    return RejectedError(f"{where} is not CSV as RFC 4180 defines it.", line)


def connect(folder: Path) -> "duckdb.DuckDBPyConnection":
    """Return a connection that keeps to the function's memory, and else uses this folder.

    One thread, so that the same file always gives the same digits: sums and estimates depend on the order.
    """
    import duckdb  # here, since most of what wakes the function up needs the log only

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_limit_mb()}MB",
            "temp_directory": str(folder),
            "threads": 1,
            "autoinstall_known_extensions": False,
        },
    )
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SELECT setseed(0.5)")
    # DuckDB 2.0.0 would make TRY_CAST fail where it reads the file.
    connection.execute("SET disabled_optimizers = 'type_pushdown'")
    return connection


def limit_memory(connection: "duckdb.DuckDBPyConnection", mb: int) -> None:
    """Let DuckDB use so much memory for data, in MB."""
    connection.execute(f"SET memory_limit = '{mb}MB'")


def memory_limit_mb() -> int:
    """Return how much memory DuckDB may use for data, in MB."""
    if limit := os.environ.get("MEMORY_LIMIT_MB"):
        return int(limit)
    return max(LEAST_MB, int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")) - RESERVED_MB)
