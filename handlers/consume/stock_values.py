"""What the columns of a row mean, or why they cannot be stored. The rules are in docs/stock-files.md."""

import re
from datetime import UTC, datetime
from decimal import Decimal, DecimalException

from boto3.dynamodb.types import DYNAMODB_CONTEXT

# Not what Decimal() and int() take besides: underscores, Infinity, digits of other scripts.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
# Not what datetime.fromisoformat() takes besides: any separator, weeks, numbers of which it makes a year.
TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.(?P<fraction>[0-9]+))?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?)?"
)
MILLISECONDS = 3  # digits of a fraction; zeros may follow

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
EXPONENTS = range(-130, 126)  # from 1E-130 to 9.99E+125; boto3 itself lets 1E-150 and 1E+126 pass
MAX_TICKER_BYTES = 2048  # of a partition key


class BadRowError(ValueError):
    """A row cannot be stored; the text is the reason, without what stands in the row."""


def ticker_of(text: str) -> str:
    """Return the ticker as written, or raise BadRowError."""
    if not text:
        raise BadRowError("ticker is empty")
    if not text.isprintable():
        raise BadRowError("ticker has a character that cannot be seen")
    if len(text.encode()) > MAX_TICKER_BYTES:
        raise BadRowError(f"ticker is longer than {MAX_TICKER_BYTES} bytes")
    return text


def timestamp_of(text: str) -> datetime:
    """Return the time in UTC, in whole milliseconds, or raise BadRowError; without zone it is UTC already.

    Times finer than that are refused, not cut: two of them could become one key, and one row be lost.
    """
    written = TIMESTAMP.fullmatch(text)
    if not written:
        raise BadRowError("timestamp is not such as 2026-01-02T15:04:05.123Z")
    if (fraction := written["fraction"]) and fraction[MILLISECONDS:].strip("0"):
        raise BadRowError("timestamp is finer than milliseconds")
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRowError("timestamp is on no day of the years 0001 to 9999") from error


def price_of(text: str) -> Decimal:
    """Return the price exactly as written, or raise BadRowError."""
    if not NUMBER.fullmatch(text):
        raise BadRowError("price is not a number")
    return _storable(text, "price")


def volume_of(text: str) -> Decimal:
    """Return the volume, a whole number, or raise BadRowError."""
    if not INTEGER.fullmatch(text):
        raise BadRowError("volume is not an integer")
    return _storable(text, "volume")


def _storable(text: str, column: str) -> Decimal:
    """Return a number from zero on that DynamoDB holds digit by digit, or raise BadRowError."""
    number = Decimal(text)
    if number.is_signed():
        raise BadRowError(f"{column} is negative")
    if number.adjusted() not in EXPONENTS:
        raise BadRowError(f"{column} is beyond 1E-130 to 9.99E+125")
    try:
        return DYNAMODB_CONTEXT.create_decimal(number)
    except DecimalException as error:
        raise BadRowError(f"{column} has more digits than DynamoDB's 38") from error
