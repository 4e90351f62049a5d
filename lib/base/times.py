"""Times as text, as the handlers write them (handlers/common/times.py)."""

from datetime import UTC, datetime


def iso8601(time: datetime) -> str:
    """Return a time in UTC, such as 2026-01-02T15:04:05.123Z: always as long, so that text sorts by time."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
