"""One minute of stock ticks, the same for the same minute, whenever and wherever it is computed.

Only integers are computed with, so that no rounding differs between machines. `random.Random` of a text is
seeded by the text's SHA-512, not by Python's hash: https://docs.python.org/3/library/random.html#random.seed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

MINUTE_MS = 60_000
DOLLAR = 10_000  # prices are whole ten-thousandths of a dollar
DAY_MINUTES = 1440


@dataclass(frozen=True, order=True)
class Tick:
    """One trade.

    Attributes:
        time: When, in UTC, in whole milliseconds.
        ticker: Of which share.
        price: In ten-thousandths of a dollar.
        volume: Number of shares.
    """

    time: datetime
    ticker: str
    price: int
    volume: int


def ticks_of_minute(minute: datetime, tickers: Sequence[str], count: int) -> list[Tick]:
    """Return the ticks of one minute.

    Args:
        minute: The minute's beginning, in UTC.
        tickers: Different from each other; each gets its share of the ticks.
        count: How many ticks in all.

    Returns:
        Ticks by time. No two have the same ticker and time, nor have any two of two minutes.

    Raises:
        ValueError: There are more ticks than milliseconds for them.
    """
    if count > len(tickers) * MINUTE_MS:
        raise ValueError(
            f"{count:,} rows do not fit in one minute of {len(tickers)} tickers: each has one row a "
            f"millisecond, {MINUTE_MS:,} at the most. Set FILES or ROWS lower, or name more TICKERS"
        )
    each, more = divmod(count, len(tickers))
    return sorted(
        tick
        for position, ticker in enumerate(tickers)
        for tick in _walk(minute, ticker, each + (position < more))
    )


def price_text(price: int) -> str:
    """Return a price in dollars with two to four decimal places."""
    dollars, rest = divmod(price, DOLLAR)
    decimals = f"{rest:04d}"
    return f"{dollars}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def _walk(minute: datetime, ticker: str, count: int) -> list[Tick]:
    """Return a random walk of one ticker's price over a minute, at different milliseconds."""
    random = Random(f"{ticker} {minute.isoformat()}")
    price, step = _opening(minute, ticker)
    ticks = []
    for millisecond in sorted(random.sample(range(MINUTE_MS), count)):
        price = max(1, price + random.randint(-step, step))
        time = minute + timedelta(milliseconds=millisecond)
        ticks.append(Tick(time, ticker, price, random.randint(1, 5000)))
    return ticks


def _opening(minute: datetime, ticker: str) -> tuple[int, int]:
    """Return the price with which a ticker begins a minute, and by how much it moves at the most.

    Over a day the price goes 2 % up and down around the ticker's base, so that each minute begins about where
    the one before has ended.
    """
    random = Random(ticker)
    base, shift = random.randint(20 * DOLLAR, 500 * DOLLAR), random.randrange(DAY_MINUTES)
    of_day = (minute.hour * 60 + minute.minute + shift) % DAY_MINUTES
    height = abs(DAY_MINUTES // 2 - of_day) - DAY_MINUTES // 4  # from -360 to 360
    return base + base * height // 18_000, base // 5_000
