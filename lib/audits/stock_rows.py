"""The rows of a file of *ingest*, as items of the table; what *consume* has rejected left out.

The rules are those of handlers/consume, which says row by row what it rejects: those lines are believed, not
judged again.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from lib.times import iso8601

MAX_LINE_CHARACTERS = (
    2**20
)  # a longer one is no row; without a limit, a file without newlines fills the memory
# What was rejected may be a field of that size; Python's own limit, for all of the process, is smaller.
csv.field_size_limit(2 * MAX_LINE_CHARACTERS)
NEEDED = ("ticker", "timestamp", "price", "volume")


class NotStocksError(ValueError):
    """The file is no CSV of stock prices: nothing of it can be in the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it shall be in the table.

    Attributes:
        ticker: Its partition key.
        timestamp: Its sort key: UTC, milliseconds.
        price: As written.
        volume: As written.
    """

    ticker: str
    timestamp: str
    price: Decimal
    volume: Decimal

    @property
    def time(self) -> datetime:
        """Its timestamp as a time."""
        return datetime.fromisoformat(self.timestamp)


def good_rows(body: io.IOBase, rejected_lines: Iterator[int]) -> Iterator[Row]:
    """Yield the rows of a file that shall be in the table.

    Args:
        body: The file's bytes.
        rejected_lines: Numbers of the lines where rejected rows begin, ascending.

    Raises:
        NotStocksError: If it is no CSV of stock prices, which may turn out in the middle of it.
    """
    rows = _rows(body)
    _, header = next(rows, (0, []))
    columns = [name.strip() for name in header]
    if not set(NEEDED) <= set(columns):
        raise NotStocksError("no CSV of stock prices")
    rejected = next(rejected_lines, None)
    for line, fields in rows:
        while rejected is not None and rejected < line:
            rejected = next(rejected_lines, None)
        if line != rejected:
            yield _row(dict(zip(columns, fields, strict=False)), line)


def rejected_lines(body: io.IOBase) -> Iterator[int]:
    """Yield the line numbers in the file that *consume* writes about the rows it rejects."""
    with io.TextIOWrapper(io.BufferedReader(body), encoding="utf-8", newline="") as text:
        yield from (int(row["line"]) for row in csv.DictReader(text))


def _rows(body: io.IOBase) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line where each row begins, and its fields; blank lines are no rows."""
    text = io.TextIOWrapper(io.BufferedReader(body), encoding="utf-8-sig", newline="")
    reader = csv.reader(_lines(text), strict=True)
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


def _lines(text: io.TextIOBase) -> Iterator[str]:
    while True:
        try:
            line = text.readline(MAX_LINE_CHARACTERS + 1)
        except UnicodeDecodeError as error:
            raise NotStocksError("not UTF-8") from error
        if len(line) > MAX_LINE_CHARACTERS:
            raise NotStocksError("a line without end")
        if not line:
            return
        yield line


def _row(values: dict[str, str], line: int) -> Row:
    try:
        time = datetime.fromisoformat(values["timestamp"].strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        return Row(
            values["ticker"].strip(),
            iso8601(time),
            Decimal(values["price"].strip()),
            Decimal(values["volume"].strip()),
        )
    except (KeyError, ValueError, ArithmeticError) as error:
        raise NotStocksError(f"line {line} can be no item, but is not rejected") from error
