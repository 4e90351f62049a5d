"""JSON lines, Parquet, and what is compressed by gzip: made CSV, so that each has the same summary.

Every value becomes the text that it has in its file, digit by digit; of Parquet, which has no texts, the
shortest that comes back. So the types of columns are decided by what is in them, as those of a CSV.
"""

import csv
import errno
import gzip
import json
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

from duckdb_engine import connect
from profile_sql import literal
from rejection import RejectedError

GZIP, JSON_LINES, PARQUET = ".gz", ".jsonl", ".parquet"
MAX_LINE_CHARACTERS = 2_000_000  # as in DuckDB's CSV
BLOCK_BYTES = 2**20
FULL_REASON = (
    "The file, or what is in it as text, does not fit on the function's disk: raise function_disk_mb."
)
# What summaries say of a file whose format says how it is written.
BY_FORMAT = {
    "encoding": "utf-8",
    "encoding_found_by": "format",
    "encoding_alternatives": [],
    "damaged_bytes": 0,
    "first_damaged_line": None,
    "delimiter": "",
}
NESTED = ("STRUCT", "MAP", "UNION", "VARIANT")


class Number(str):
    """A number of JSON, as its text has it."""

    __slots__ = ()


def make_csv(path: Path, key: str) -> dict:
    """Make a file CSV, in its place, if its key says that it is none.

    Args:
        path: The file, in a folder of its own.
        key: Its key.

    Returns:
        What a summary says of how it is written; empty for CSV, which has to be looked at.

    Raises:
        RejectedError: It is not what its key says, or does not fit on the disk.
    """
    try:
        if key.endswith(GZIP):
            _unpack(path)
        name = key.removesuffix(GZIP)
        if name.endswith(JSON_LINES):
            _from_json_lines(path)
        elif name.endswith(PARQUET):
            _from_parquet(path)
        else:
            return {}
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise RejectedError(FULL_REASON) from error
    return BY_FORMAT


def _unpack(path: Path) -> None:
    unpacked = path.with_suffix(".unpacked")
    try:
        with gzip.open(path) as packed, unpacked.open("wb") as file:
            shutil.copyfileobj(packed, file, BLOCK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RejectedError("The file is not whole, or not compressed by gzip.") from error
    unpacked.replace(path)
    if not path.stat().st_size:
        raise RejectedError("The file is empty.")


def _from_json_lines(path: Path) -> None:
    """Write the objects as rows: first their names are collected, then their values."""
    names: dict[str, None] = {}
    for found in _objects(path):
        names.update(dict.fromkeys(found))
    if not names:
        raise RejectedError("The file has no object with a name in it.")
    rows = path.with_suffix(".rows")
    with rows.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for found in _objects(path):
            writer.writerow(_text(found.get(name)) for name in names)
    rows.replace(path)


def _objects(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        number = 0
        while line := _line(file, number + 1):
            number += 1
            if line.strip():
                yield _object(line, number)


def _line(file, number: int) -> str:
    try:
        line = file.readline(MAX_LINE_CHARACTERS + 1)
        line.encode()
    except UnicodeDecodeError as error:
        raise RejectedError(f"The file is not UTF-8, at line {number} or soon after.", number) from error
    if len(line) > MAX_LINE_CHARACTERS:
        raise RejectedError(f"Line {number} is longer than {MAX_LINE_CHARACTERS:,} characters.", number)
    return line


def _object(line: str, number: int) -> dict:
    try:
        found = _JSON.decode(line)
        if not isinstance(found, dict):
            raise ValueError
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RejectedError(f"Line {number} has half a character, which is no text.", number) from error
    except (ValueError, RecursionError) as error:
        raise RejectedError(f"Line {number} is no JSON object with each name once.", number) from error
    return found


def _once(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_constant(_: str) -> None:
    raise ValueError


_JSON = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)


def _text(value: object) -> str:
    """Return a value as text: null is none, and what is nested is JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _as_json(value)


def _as_json(value: object) -> str:
    if isinstance(value, Number):
        return value
    if isinstance(value, dict):
        inner = (f"{json.dumps(n, ensure_ascii=False)}: {_as_json(each)}" for n, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _from_parquet(path: Path) -> None:
    import duckdb

    rows, source = path.with_suffix(".rows"), f"read_parquet({literal(str(path))})"
    try:
        with connect(path.parent) as connection:
            described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            texts = ", ".join(_as_text(name, kind) for name, kind, *_ in described)
            connection.execute("SET preserve_insertion_order = true")
            connection.execute(
                f"COPY (SELECT {texts} FROM {source}) TO {literal(str(rows))}"
                " (FORMAT csv, HEADER, DELIMITER ',', QUOTE '\"', ESCAPE '\"', FORCE_QUOTE *, NULLSTR '')"
            )
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        if "No space left" in str(error):
            raise RejectedError(FULL_REASON) from error
        raise RejectedError("The file is no Parquet file, or not whole.") from error
    rows.replace(path)


def _as_text(name: str, kind: str) -> str:
    """Return SQL for a column's text: times in UTC, as Athena shows them, and what is nested as JSON."""
    column = value = '"' + name.replace('"', '""') + '"'
    if kind == "TIMESTAMP WITH TIME ZONE":
        value = f"make_timestamp(epoch_us({column}))"
    elif kind.endswith("]") or kind.startswith(NESTED):
        value = f"to_json({column})"
    return f"CAST({value} AS VARCHAR) AS {column}"
