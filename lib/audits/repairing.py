"""What an audit found wrong, sent into the pipeline's own entrance."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from tqdm import tqdm

from lib.audits.findings import EXTRA, MISSING, SAME, Finding
from lib.entrances import ObjectEvent, send
from lib.objects import Place
from lib.pipelines import Pipeline
from lib.target import Target

POLL_S = 0.5
EVENTS_AT_A_TIME = 100
REPAIRED = "Repaired"  # what comes after ObjectCreated: and ObjectRemoved: in these events


def is_mendable(pipeline: Pipeline, finding: Finding) -> bool:
    """Say whether the pipeline would do something about a difference; an extra one only if it deletes."""
    return not finding.by_design and (finding.state != EXTRA or pipeline.removed is not None)


def send_all(target: Target, pipeline: Pipeline, differences: Iterable[Finding]) -> int:
    """Send an event for each difference that the pipeline can mend, a hundred at a time.

    Args:
        target: The AWS to work on.
        pipeline: Whose.
        differences: Any number.

    Returns:
        How many were sent.

    Raises:
        RunbookError: If a queue did not accept all.
        ClientError: If AWS refuses a call.
    """
    source, sent = Place.of(target, pipeline.source), 0
    todo = tqdm(differences, desc="Repair", unit="object", leave=False, delay=1)
    events = (_event(source, finding) for finding in todo if is_mendable(pipeline, finding))
    while batch := list(islice(events, EVENTS_AT_A_TIME)):
        for entrance, kind in ((pipeline.created, "ObjectCreated:"), (pipeline.removed, "ObjectRemoved:")):
            of_kind = [event for event in batch if event.name.startswith(kind)]
            if entrance and of_kind:
                send(target, entrance, pipeline.source, of_kind)
                sent += len(of_kind)
    return sent


def wait(
    keys: list[str],
    look: Callable[[str], Finding],
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until keys are mended, or the time is up; the audit after it tells which are not.

    Args:
        keys: Which.
        look: Judges one.
        timeout_s: How long, in seconds.
        sleep: Waits between two looks.
        clock: Tells the seconds.
    """
    deadline = clock() + timeout_s
    with tqdm(total=len(keys), desc="Mended", unit="object", leave=False, delay=1) as progress:
        while keys and clock() < deadline:
            left = [key for key in keys if look(key).state != SAME]
            progress.update(len(keys) - len(left))
            keys = left
            if keys:
                sleep(POLL_S)


def _event(source: Place, finding: Finding) -> ObjectEvent:
    """Return what is said of a key, by what the source has of it now."""
    head, now = source.head(finding.key), datetime.now(UTC)
    if head is None:
        return ObjectEvent(f"ObjectRemoved:{REPAIRED}", finding.key, now)
    # A time that a row is known by is the same if this is done twice; a stale row needs a newer one.
    when = head["LastModified"] if finding.state == MISSING else now
    facts = {"bytes": head["ContentLength"], "etag": head["ETag"].strip('"')}
    name = f"ObjectCreated:{REPAIRED}"
    return ObjectEvent(name, finding.key, when, version_id=head.get("VersionId"), **facts)
