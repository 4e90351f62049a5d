"""Times as text."""

import re
from datetime import UTC, datetime

TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def iso8601(time: datetime) -> str:
    """Return a time in UTC, such as 2026-01-02T15:04:05.123Z: always as long, so that text sorts by time."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of(text: str) -> datetime:
    """Return a time as AWS writes it; fromisoformat alone would take far more, also without a zone.

    Raises:
        ValueError: It is none.
    """
    if not TIME.fullmatch(text):
        raise ValueError(f"not a time such as 2026-01-02T15:04:05.123Z: {text[:40]!r}")
    return datetime.fromisoformat(text)
