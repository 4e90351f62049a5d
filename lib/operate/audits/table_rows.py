"""The rows of a file of *ingest* as its text says they are, and which of them *consume* has rejected.

The rules are those of docs/table-files.md, read here a second time: see `table_shape`.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lib.operate.audits.table_shape import MAX_NAME_BYTES, NoItemError, Shape, Value, read_json

# A longer one is no row; without a limit, a file without newlines fills the memory.
MAX_LINE_CHARACTERS = 2**20
BLANKS = " \t"
LARGE_BYTES = 390 * 1024  # an item may have 400 KB, its key's and its file's names included
GZIP = b"\x1f\x8b"


class NotOfTableError(ValueError):
    """The file is none of this table: nothing of it can be in there."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it shall be in the table.

    Attributes:
        line: Number of the line where it begins.
        is_rejected: Whether *consume* has rejected it.
        item: Its attributes' values; empty if it can be no item.
    """

    line: int
    is_rejected: bool
    item: dict[str, Value] = field(default_factory=dict)

    @property
    def can_be_stored(self) -> bool:
        """Whether it is as documented."""
        return bool(self.item)

    @property
    def place(self) -> tuple[Value, ...]:
        """Its key in the table."""
        return place_of(self.item)

    @property
    def expires(self) -> Decimal | None:
        """When it expires by what it says itself, in seconds since 1970; None if it does not say."""
        return self.item["expires"][1] if "expires" in self.item else None


def place_of(item: Mapping[str, Value]) -> tuple[Value, ...]:
    """Return the key of an item."""
    return tuple(item[name] for name in ("PK", "SK") if name in item)


def rows_of(body: io.RawIOBase, rejected_lines: Iterator[int], shape: Shape) -> Iterator[Row]:
    """Yield the rows of a file, those included that can be no items.

    Args:
        body: The file's bytes, plain or compressed.
        rejected_lines: Numbers of the lines where rejected rows begin, ascending.
        shape: What the table is.

    Raises:
        NotOfTableError: If it is no file of the table, which may turn out in the middle of it.
    """
    plain = io.BufferedReader(body)
    content: io.BufferedReader[Any] = plain
    if plain.peek(len(GZIP)).startswith(GZIP):
        content = io.BufferedReader(gzip.GzipFile(fileobj=plain))
    read = _named_in_csv if shape.file_format == "csv" else _named_in_json
    rejected = next(rejected_lines, None)
    for line, text, named in read(content, shape):
        while rejected is not None and rejected < line:
            rejected = next(rejected_lines, None)
        is_rejected = line == rejected
        # Whether one is just too large, *consume* knows.
        is_unclear = is_rejected and len(text.encode("utf-8", "surrogatepass")) > LARGE_BYTES
        try:
            yield Row(line, is_rejected, {} if is_unclear or named is None else shape.item(named))
        except NoItemError:
            yield Row(line, is_rejected)


def rejected_lines(body: io.RawIOBase) -> Iterator[int]:
    """Yield the line numbers in the file that *consume* writes about the rows it rejects.

    Read by hand: what was rejected may be longer than Python's limit for a field, which holds for the whole
    process.
    """
    with io.TextIOWrapper(io.BufferedReader(body), encoding="utf-8", newline="") as text:
        next(text, "")
        is_open = False  # a quote, in which the row goes on over the end of the line
        for line in text:
            if not is_open:
                yield int(line.partition(",")[0])
            is_open ^= line.count('"') % 2 == 1


def _named_in_csv(
    content: "io.BufferedReader[Any]", shape: Shape
) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Yield each row's line, its text or about that, and its values by their names; None if it has none."""
    rows = _csv_rows(content)
    _, header = next(rows, (0, []))
    columns = [name.strip(BLANKS) for name in header]
    is_too_long = any(len(name.encode()) > MAX_NAME_BYTES for name in columns)
    if not set(shape.columns) <= set(columns) or _has_twice(columns) or is_too_long:
        raise NotOfTableError("no file of this table, by its header")
    strips = [shape.strips(name) for name in columns]
    for line, fields in rows:
        named = None
        if len(fields) == len(columns):
            values = [
                text.strip(BLANKS) if strip else text for text, strip in zip(fields, strips, strict=True)
            ]
            named = dict(zip(columns, values, strict=True))
        yield line, "".join([*columns, *fields]), named


def _named_in_json(
    content: "io.BufferedReader[Any]", shape: Shape
) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """As `_named_in_csv`, of JSON lines."""
    is_first = True
    for line, text in enumerate(_lines(content), 1):
        if not text.strip():
            continue
        try:
            named = read_json(text)
        except NoItemError:
            named = None
        if is_first and not isinstance(named, dict):
            raise NotOfTableError("no file of this table, by its first line")
        is_first = False
        yield line, text, named if isinstance(named, dict) and not _has_twice([*named]) else None


def _has_twice(names: list[str]) -> bool:
    named = [name.lower() for name in names if name]
    return len(set(named)) < len(named)


def _csv_rows(content: "io.BufferedReader[Any]") -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line where each row begins, and its fields; blank lines are no rows."""
    reader = csv.reader(_lines(content), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = [""]  # *consume* has rejected it, or has not seen the file
        if fields and (len(fields) > 1 or fields[0].strip() or fields == [""]):
            yield line, fields


def _lines(content: "io.BufferedReader[Any]") -> Iterator[str]:
    text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    while True:
        try:
            line = text.readline(MAX_LINE_CHARACTERS + 1)
        except UnicodeDecodeError as error:
            raise NotOfTableError("not UTF-8") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise NotOfTableError("its gzip is damaged") from error
        if len(line) > MAX_LINE_CHARACTERS:
            raise NotOfTableError("a line without end")
        if not line:
            return
        yield line
