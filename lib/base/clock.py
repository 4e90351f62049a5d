"""The clock of this machine, beside AWS's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

# A call takes a second or two, and the header has whole seconds. AWS refuses a signature after five minutes,
# S3 after fifteen: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
TOLERATED_S = 30


def difference(answer: Mapping[str, Any], now: datetime | None = None) -> str:
    """Return in words by how much this machine's clock differs from that of whoever answered.

    Args:
        answer: Of a call by boto3, also one that was refused.
        now: What this machine's clock says; by default now.

    Returns:
        Such as "this machine's clock is 95 s behind AWS's"; empty if it is right, or nothing tells.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        theirs = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return ""
    behind_s = (theirs - (now or datetime.now(UTC))).total_seconds()
    if abs(behind_s) <= TOLERATED_S:
        return ""
    return f"this machine's clock is {abs(behind_s):.0f} s {'behind' if behind_s > 0 else 'ahead of'} AWS's"
