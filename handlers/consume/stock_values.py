"""What the columns of a row mean, or why they cannot be stored."""

import re
from datetime import UTC, datetime
from decimal import Decimal, DecimalException

from boto3.dynamodb.types import DYNAMODB_CONTEXT

# Not what Decimal() and int() take besides: underscores, Infinity, digits of other scripts.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
FINER_THAN_MS = re.compile(r"[.,]\d{3}\d*[1-9]", re.ASCII)

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
EXPONENTS = range(-130, 126)  # from 1E-130 to 9.99E+125; boto3 itself lets 1E-150 and 1E+126 pass
MAX_TICKER_BYTES = 2048  # of a partition key


class BadRowError(ValueError):
    """A row cannot be stored; the text is the reason, without what stands in the row."""


def ticker_of(text: str) -> str:
    """Return the ticker, or raise BadRowError."""
    if not text:
        raise BadRowError("ticker is empty")
    if len(text.encode()) > MAX_TICKER_BYTES:
        raise BadRowError(f"ticker is longer than {MAX_TICKER_BYTES} bytes")
    return text


def timestamp_of(text: str) -> datetime:
    """Return the time in UTC, in whole milliseconds, or raise BadRowError; without zone it is UTC already.

    Times finer than that are refused, not cut: two of them could become one key, and one row be lost.
    """
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRowError("timestamp is not ISO 8601") from error
    if FINER_THAN_MS.search(text):
        raise BadRowError("timestamp is finer than milliseconds")
    return time


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
