"""Making the summary of a key tell of what the key is now.

An event only says *look at this key*. Why it converges, whatever the order, number and overlap of deliveries:
see replicate's `replication.py`. After each write the source is looked at again: who wrote last has seen that
the source was still what is described, or writes again. Here a delivery cannot see what is written already,
since the role may not read it, so it writes always.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from botocore.exceptions import ClientError
from common.objects import ObjectState, Place, is_listed
from object_keys import Prefixes, fits
from reading import current
from rejection import RejectedError

LOOKS = 5  # at the source, before a delivery gives up on a key that changes as fast as it is summarized

Profiler = Callable[[Place, ObjectState], dict]


class SourceKeepsChangingError(Exception):
    """The source was overwritten during each summary."""


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        key: Where.
        body: One JSON object on one line, as Athena wants it.
        reason: Why the file was rejected; None if it was summarized.
        seconds: How long the upload took.
    """

    key: str
    body: bytes
    reason: str | None = None
    seconds: float = 0


def summarize(
    source: Place, prefixes: Prefixes, profile: Profiler, on_written: Callable[[Written], None]
) -> bool:
    """Write what the source is now: its summary, or why there is none.

    Args:
        source: The CSV.
        prefixes: Where to write.
        profile: Returns the parts of the summary that need the content; raises RejectedError.
        on_written: Called after each write.

    Returns:
        Whether there is a source; if there is none, nothing is written.

    Raises:
        SourceKeepsChangingError: The source was another at each of LOOKS looks.
        Exception: S3 or an engine failed; to be tried again.
    """
    written = None
    for _ in range(LOOKS):
        state = current(source)
        if state is None or state == written:
            return state is not None
        try:
            outcome = describe(source, state, prefixes, profile)
        except ClientError:
            if current(source) == state:
                raise
            continue  # what was to be read is no longer there
        started = time.perf_counter()
        write(source, prefixes, outcome)
        on_written(replace(outcome, seconds=time.perf_counter() - started))
        written = state
    raise SourceKeepsChangingError(f"s3://{source.bucket}/{source.key}: another at each of {LOOKS} looks")


def describe(source: Place, state: ObjectState, prefixes: Prefixes, profile: Profiler) -> Written:
    """Return what is to be written about one version of the source."""
    about = {
        "bucket": source.bucket,
        "key": source.key,
        "version_id": state.head.get("VersionId"),
        "etag": state.etag.strip('"'),
        "size_bytes": state.size,
        "last_modified": state.head["LastModified"].astimezone(UTC).isoformat(timespec="seconds"),
        "summarized_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    summary_key = prefixes.summary(source.key)
    try:
        if not fits(summary_key):
            raise RejectedError(
                "The key is so long that the key of its summary would be longer than S3 allows."
            )
        return Written(summary_key, _line(about | profile(source, state)))
    except RejectedError as error:
        body = _line(about | {"reason": error.reason, "line": error.line})
        return Written(prefixes.rejection(source.key), body, error.reason)


def write(source: Place, prefixes: Prefixes, outcome: Written) -> None:
    """Write it, and remove its opposite of an earlier version, if there is one."""
    target = replace(source, key=outcome.key)
    source.client.put_object(**target.name, Body=outcome.body, ContentType="application/json")
    other_key = prefixes.summary(source.key) if outcome.reason else prefixes.rejection(source.key)
    opposite = replace(source, key=other_key)
    # Looked for before, since deleting nothing leaves a delete marker too.
    if fits(other_key) and is_listed(opposite):
        source.client.delete_object(**opposite.name)


def _line(content: dict) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode() + b"\n"
