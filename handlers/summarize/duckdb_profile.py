"""The profile of a CSV that one function can hold: made UTF-8, whatever it is in, and queried by DuckDB."""

from pathlib import Path

from column_types import VARCHAR, Column
from csv_dialect import Dialect, sniff
from csv_sample import samples
from csv_text import (
    SAMPLE_BYTES,
    encoding_of_file,
    has_marks,
    remove_end_mark,
    rewrite,
    sample_text,
    unify_line_ends,
)
from duckdb_cells import DuckDbCells
from duckdb_engine import APPROXIMATE, EXACT, EXACT_UP_TO_BYTES, WIDE_COLUMNS, DuckDbEngine, guarded
from profiling import profile
from rejection import RejectedError


def profile_file(path: Path) -> tuple[dict, int, list[dict]]:
    """Profile a CSV file.

    Args:
        path: The file, in a folder of its own; it is rewritten if it is not UTF-8.

    Returns:
        Encoding, how that is known, and delimiter; the number of rows; a profile of each column.

    Raises:
        RejectedError: It cannot be summarized.
        duckdb.Error: DuckDB failed for another reason.
    """
    encoding = encoding_of_file(path)
    if encoding.name != "utf-8" or encoding.damaged_bytes or has_marks(path):
        rewrite(path, encoding)
    remove_end_mark(path)
    dialect = _dialect(path)
    if dialect.lines_before:
        # Where these end otherwise than others, DuckDB skips all lines, and says nothing.
        unify_line_ends(path, dialect.delimiter, dialect.quote)
    try:
        rows, columns = _profile_utf8(path, dialect)
    except RejectedError:
        # DuckDB wants one kind of line end in a file.
        if not _has_carriage_returns(path):
            raise
        unify_line_ends(path, dialect.delimiter, dialect.quote)
        dialect = _dialect(path)
        rows, columns = _profile_utf8(path, dialect)
    return {**encoding.described(), "delimiter": dialect.delimiter}, rows, columns


def _dialect(path: Path) -> Dialect:
    with path.open("rb") as file:
        text = sample_text(file.read(SAMPLE_BYTES))
    return sniff(text, is_whole=path.stat().st_size <= SAMPLE_BYTES)


def _profile_utf8(path: Path, dialect: Dialect) -> tuple[int, list[dict]]:
    functions = EXACT if path.stat().st_size <= EXACT_UP_TO_BYTES else APPROXIMATE
    is_wide = len(dialect.names) > WIDE_COLUMNS
    engine_of = DuckDbCells if is_wide else DuckDbEngine
    with guarded(path, dialect.quote), engine_of(path, dialect, functions) as engine:
        if functions is EXACT:
            engine.keep([Column(number, name, VARCHAR) for number, name in enumerate(dialect.names)])
        has_sample = functions is APPROXIMATE and not is_wide and not dialect.has_quoted_newlines
        return profile(engine, dialect, samples(path, dialect) if has_sample else ())


def _has_carriage_returns(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\r" in piece for piece in iter(lambda: file.read(SAMPLE_BYTES), b""))
