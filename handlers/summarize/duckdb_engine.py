"""DuckDB, which profiles files of any size in bounded memory."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from column_types import NULL_VALUES, Column
from csv_dialect import Dialect, sniff
from csv_text import SAMPLE_BYTES, encoding_of_file, rewrite, sample_text
from profile_sql import MAX_VALUE_CHARACTERS as CUT
from profile_sql import Functions, literal, literals
from profiling import profile
from rejection import RejectedError

if TYPE_CHECKING:
    import duckdb

# Up to here everything is exact: even if each value differs, they all fit into memory.
EXACT_UP_TO_BYTES = 8 * 2**20
EXACT = Functions(
    casts_forgive=True,
    matches="regexp_full_match({c}, {p})",
    distinct="count(DISTINCT {v})",
    quartiles="quantile_cont({v}, [0.25, 0.5, 0.75])",
    # Characters are counted only where bytes do not tell.
    shortened=f"CASE WHEN strlen({{c}}) > {CUT} THEN substr({{c}}, 1, {CUT}) ELSE {{c}} END",
    candidates="NULL",
    are_exact=True,
    columns_at_once=25,
)
APPROXIMATE = Functions(
    casts_forgive=True,
    matches=EXACT.matches,
    distinct="approx_count_distinct({v})",
    quartiles="approx_quantile({v}, [0.25, 0.5, 0.75])",
    shortened=EXACT.shortened,
    candidates="approx_top_k({c}, 10)",
    are_exact=False,
    columns_at_once=25,
)
# Of Lambda's memory, for Python, boto3, DuckDB's code, and what DuckDB does not count: states of aggregates.
RESERVED_MB = 300
LEAST_MB = 128


class DuckDbEngine:
    """Reads one CSV file by DuckDB. A context manager; close it before its folder is removed."""

    def __init__(self, path: Path, dialect: Dialect, functions: Functions):
        """Open it.

        Args:
            path: The file, in UTF-8. What does not fit into memory goes into its folder.
            dialect: How it is written.
            functions: EXACT or APPROXIMATE.
        """
        self.functions = functions
        self._path = path
        self._dialect = dialect
        self._connection = connect(path.parent)

    def __enter__(self) -> "DuckDbEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def relation(self, columns: Sequence[Column]) -> str:
        """Return what to select these columns from: all values are text, and as many in each line."""
        names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self._dialect.names)))
        return (
            f"read_csv({literal(str(self._path))}, auto_detect = false, header = true, columns = {{{names}}},"
            f" delim = {literal(self._dialect.delimiter)}, quote = {literal(self._dialect.quote)},"
            f" escape = {literal(self._dialect.quote)}, nullstr = [{literals(NULL_VALUES)}],"
            " strict_mode = true)"
        )

    def rows(self, sql: str) -> list[Sequence]:
        """Return the rows of a query.

        Raises:
            RejectedError: The file is not in this dialect.
            duckdb.Error: Anything else, such as no memory or no disk.
        """
        import duckdb

        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.InvalidInputException as error:
            if "CSV" not in str(error):
                raise
            raise rejection(str(error)) from error


def profile_file(path: Path) -> tuple[dict, int, list[dict]]:
    """Profile a CSV file.

    Args:
        path: The file, in a folder of its own; it is rewritten if it is not UTF-8.

    Returns:
        Encoding and delimiter; the number of rows; a profile of each column.

    Raises:
        RejectedError: It cannot be summarized.
        duckdb.Error: DuckDB failed for another reason.
    """
    encoding = encoding_of_file(path)
    if encoding != "utf-8":
        rewrite(path, encoding)
    try:
        rows, columns, dialect = _profile_utf8(path)
    except RejectedError:
        # DuckDB wants one kind of line end in a file.
        if encoding != "utf-8" or not _has_carriage_returns(path):
            raise
        rewrite(path, "utf-8-sig")
        rows, columns, dialect = _profile_utf8(path)
    return {"encoding": encoding, "delimiter": dialect.delimiter}, rows, columns


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

    config = {"memory_limit": f"{memory_limit_mb()}MB", "temp_directory": str(folder), "threads": 1}
    connection = duckdb.connect(":memory:", config=config | {"autoinstall_known_extensions": False})
    connection.execute("SET preserve_insertion_order = false")
    # DuckDB 2.0.0 would make TRY_CAST fail where it reads the file.
    connection.execute("SET disabled_optimizers = 'type_pushdown'")
    return connection


def memory_limit_mb() -> int:
    """Return how much memory DuckDB may use for data, in MB."""
    if limit := os.environ.get("MEMORY_LIMIT_MB"):
        return int(limit)
    return max(LEAST_MB, int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")) - RESERVED_MB)


def _profile_utf8(path: Path) -> tuple[int, list[dict], Dialect]:
    size = path.stat().st_size
    with path.open("rb") as file:
        text = sample_text(file.read(SAMPLE_BYTES), "utf-8")
    dialect = sniff(text, is_whole=size <= SAMPLE_BYTES)
    with DuckDbEngine(path, dialect, EXACT if size <= EXACT_UP_TO_BYTES else APPROXIMATE) as engine:
        return *profile(engine, dialect), dialect


def _has_carriage_returns(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\r" in piece for piece in iter(lambda: file.read(SAMPLE_BYTES), b""))
