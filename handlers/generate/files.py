"""The files of one run: their keys and bytes."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from common.times import iso8601, time_of
from ticks import Tick, price_text, ticks_of_minute

COLUMNS = ("ticker", "timestamp", "price", "volume")
# With keys of 1,024 bytes, which is S3's limit, their list stays below Lambda's 6 MB for an answer.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_FILES = 5_000


@dataclass(frozen=True)
class Settings:
    """What a run writes.

    Attributes:
        tickers: Whose ticks, each once.
        files: How many files.
        rows: Rows of each file.
    """

    tickers: tuple[str, ...]
    files: int
    rows: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings in TICKERS, FILES and ROWS; a ValueError tells what is wrong with them."""
        # Not a set: its order differs from process to process.
        tickers = dict.fromkeys(name.strip() for name in environment["TICKERS"].split(",") if name.strip())
        if not tickers or not "".join(tickers).isprintable():
            raise ValueError("TICKERS is no list of tickers with commas, such as AAPL,MSFT")
        return cls(tuple(tickers), _number(environment, "FILES", MAX_FILES), _number(environment, "ROWS"))


def scheduled_time(event: object) -> datetime:
    """Return when a run was due, in UTC.

    Args:
        event: EventBridge's scheduled event, or any dict with its `time`, such as "2026-01-02T15:04:00Z".
            https://docs.aws.amazon.com/eventbridge/latest/ref/events-structure.html

    Raises:
        ValueError: It has no time, or one that cannot be read or has no time zone.
    """
    text = event.get("time") if isinstance(event, dict) else None
    if not isinstance(text, str):
        raise ValueError('The event has no "time"; give one such as {"time": "2026-01-02T15:04:00Z"}')
    try:
        return time_of(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f'Not a time such as "2026-01-02T15:04:00Z": {text[:40]!r} ({error})') from error


def files_of_run(time: datetime, prefix: str, settings: Settings) -> dict[str, bytes]:
    """Return the files of the run of a minute.

    Args:
        time: When the run was due, in UTC. Seconds do not matter: a minute has one run, with one set of
            files. So runs at any two times write either the same files or no row in common.
        prefix: What the keys begin with.
        settings: What to write.

    Returns:
        Bytes by key, such as `stocks/dt=2026-01-02/150400-07.csv`.

    Raises:
        ValueError: The rows do not fit in a minute.
    """
    minute = time.replace(second=0, microsecond=0)
    ticks = ticks_of_minute(minute, settings.tickers, settings.files * settings.rows)
    return {
        key(minute, prefix, number): _csv(ticks[number * settings.rows : (number + 1) * settings.rows])
        for number in range(settings.files)
    }


def key(minute: datetime, prefix: str, number: int) -> str:
    """Return the key of a run's file."""
    return f"{prefix}dt={minute.date().isoformat()}/{minute:%H%M%S}-{number:02d}.csv"


def _csv(ticks: Iterable[Tick]) -> bytes:
    """Return ticks as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_fields(tick) for tick in ticks)
    return text.getvalue().encode()


def _fields(tick: Tick) -> Sequence[object]:
    """Return a tick's columns."""
    return tick.ticker, iso8601(tick.time), price_text(tick.price), tick.volume


def _number(environment: Mapping[str, str], name: str, most: int | None = None) -> int:
    """Return a variable as a number from 1 on."""
    text = environment[name]
    if not (text.isdecimal() and int(text) > 0 and (most is None or int(text) <= most)):
        limit = f" to {most:,}" if most else " on"
        raise ValueError(f"{name} is {text!r}; it is a whole number from 1{limit}")
    return int(text)
