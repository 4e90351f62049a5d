"""The rows of a file of *ingest* as its text says they are, and which of them *consume* has rejected.

The rules are those of docs/stock-files.md, read here a second time: not with *consume*'s code and not with
the library functions that it uses, since what both took for another value no comparison would show.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

# A longer one is no row; without a limit, a file without newlines fills the memory.
MAX_LINE_CHARACTERS = 2**20
NEEDED = ("ticker", "timestamp", "price", "volume")
BLANKS = " \t"
DAY = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
HOUR = re.compile("([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?")
NUMBER = re.compile("([+-]?)([0-9]*)(?:[.]([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_DIGITS, LEAST_EXPONENT, MOST_EXPONENT = 38, -130, 125
LEAST_PLACE = -165  # of the last digit that boto3 sends: 38 digits from 1E-128 on
MAX_TICKER_BYTES, MAX_NAME_BYTES = 2048, 64 * 1024 - 1
LARGE_BYTES = 390 * 1024  # an item may have 400 KB, its key's and its file's names included


class NotStocksError(ValueError):
    """The file is no CSV of stock prices: nothing of it can be in the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it shall be in the table.

    Attributes:
        line: Number of the line where it begins.
        is_rejected: Whether *consume* has rejected it.
        ticker: Its partition key; empty if it can be no item.
        timestamp: Its sort key: UTC, milliseconds.
        price: As written.
        volume: As written.
    """

    line: int
    is_rejected: bool
    ticker: str = ""
    timestamp: str = ""
    price: Decimal = Decimal()
    volume: Decimal = Decimal()

    @property
    def can_be_stored(self) -> bool:
        """Whether it is as documented."""
        return bool(self.ticker)

    @property
    def place(self) -> tuple[str, str]:
        """Its key in the table."""
        return self.ticker, self.timestamp

    @property
    def time(self) -> datetime:
        """Its timestamp as a time."""
        return datetime.fromisoformat(self.timestamp)


def rows_of(body: io.RawIOBase, rejected_lines: Iterator[int]) -> Iterator[Row]:
    """Yield the rows of a file, those included that can be no items.

    Args:
        body: The file's bytes.
        rejected_lines: Numbers of the lines where rejected rows begin, ascending.

    Raises:
        NotStocksError: If it is no CSV of stock prices, which may turn out in the middle of it.
    """
    rows = _rows(body)
    _, header = next(rows, (0, []))
    columns = [name.strip(BLANKS) for name in header]
    named = [name.lower() for name in columns if name]
    is_too_long = any(len(name.encode()) > MAX_NAME_BYTES for name in columns)
    if not set(NEEDED) <= set(columns) or len(set(named)) < len(named) or is_too_long:
        raise NotStocksError("no CSV of stock prices")
    rejected = next(rejected_lines, None)
    for line, fields in rows:
        while rejected is not None and rejected < line:
            rejected = next(rejected_lines, None)
        values = _values(columns, fields)
        if line == rejected and _is_large(columns, fields):
            values = None  # whether it is just too large, *consume* knows
        yield Row(line, line == rejected, *values) if values else Row(line, line == rejected)


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


def _rows(body: io.RawIOBase) -> Iterator[tuple[int, list[str]]]:
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


def _values(columns: list[str], fields: list[str]) -> tuple[str, str, Decimal, Decimal] | None:
    """Return ticker, timestamp, price and volume of a row; None if it can be no item."""
    if len(fields) != len(columns):
        return None
    named = dict(zip(columns, fields, strict=True))
    ticker, timestamp, price, volume = (named[name].strip(BLANKS) for name in NEEDED)
    if not 0 < len(ticker.encode()) <= MAX_TICKER_BYTES or not ticker.isprintable():
        return None
    time, usd, count = _sort_key(timestamp), _number(price), _number(volume, is_whole=True)
    return None if time is None or usd is None or count is None else (ticker, time, usd, count)


def _is_large(columns: list[str], fields: list[str]) -> bool:
    """Say whether a row is about as large as an item can be, or larger."""
    return sum(len(text.encode()) for text in (*columns, *fields)) > LARGE_BYTES


def _sort_key(text: str) -> str | None:
    """Return the key that a timestamp becomes, computed from its digits; None if it is none."""
    day, hour = DAY.fullmatch(text[:10]), HOUR.fullmatch(text[11:])
    if not day or (len(text) > 10 and (text[10] not in " T" or not hour)):
        return None
    hours, minutes, seconds, fraction, zone = hour.groups() if hour else ("0", "0", None, None, None)
    milliseconds, finer = (fraction or "")[:3].ljust(3, "0"), (fraction or "")[3:]
    offset = _offset(zone or "Z")
    if finer.strip("0") or offset is None:
        return None
    try:
        year, month, of_month = map(int, day.groups())
        time = datetime(year, month, of_month, int(hours), int(minutes), int(seconds or 0), tzinfo=UTC)
        time -= offset
    except (ValueError, OverflowError):
        return None
    date = f"{time.year:04}-{time.month:02}-{time.day:02}"
    return f"{date}T{time.hour:02}:{time.minute:02}:{time.second:02}.{milliseconds}Z"


def _offset(zone: str) -> timedelta | None:
    """Return how far a zone is ahead of UTC; None if there is none so far."""
    if zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:])
    ahead = timedelta(hours=hours, minutes=minutes)
    return None if hours > 23 or minutes > 59 else ahead if zone[0] == "+" else -ahead


def _number(text: str, is_whole: bool = False) -> Decimal | None:
    """Return a number from its digits; None if it is none that DynamoDB keeps digit by digit."""
    written = NUMBER.fullmatch(text)
    if not written or written[1] == "-" or not (written[2] or written[3]):
        return None
    if is_whole and (written[3] is not None or written[4] is not None):
        return None
    digits, decimals = f"{written[2]}{written[3] or ''}", len(written[3] or "")
    place = int(written[4] or 0) - decimals  # of the last digit, as a power of ten
    digits = digits.lstrip("0") or "0"
    fits = LEAST_EXPONENT <= place + len(digits) - 1 <= MOST_EXPONENT and place >= LEAST_PLACE
    if len(digits) > MAX_DIGITS or not fits:
        return None
    return Decimal((0, tuple(map(int, digits)), place))
