"""What an audit found wrong, sent into the pipeline's own entrance."""

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from lib.base.own_fault import Fault, by_reason, or_fault, such_as
from lib.base.retry import wait_until
from lib.base.waits import Wait, progress
from lib.operate.audits.findings import EXTRA, MISSING, SAME, UNJUDGED, Finding
from lib.operate.entrances import ObjectEvent, sending
from lib.operate.pipelines import Pipeline
from lib.s3.objects import Place
from lib.target import Target

POLL_S = 0.5
GIVEN_UP_S = 10  # from one look at what was given up to the next
EVENTS_AT_A_TIME = 100
REPAIRED = "Repaired"  # what comes after ObjectCreated: and ObjectRemoved: in these events


def is_mendable(pipeline: Pipeline, finding: Finding) -> bool:
    """Say whether the pipeline would do something about a difference; an extra one only if it deletes."""
    is_difference = finding.state != UNJUDGED and not finding.by_design
    return is_difference and (finding.state != EXTRA or pipeline.follows_deletes)


def send_all(target: Target, pipeline: Pipeline, differences: Iterable[Finding]) -> int:
    """Send an event for each difference that the pipeline can mend, a hundred at a time.

    One that cannot be looked at for a fault of its own is named and left out.

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
    source, sent, faults = Place.of(target, pipeline.source_bucket), 0, list[Fault[Finding]]()
    todo = progress("Repair", differences, unit="object")
    event_of = or_fault(partial(_event, source))
    events = (event_of(finding) for finding in todo if is_mendable(pipeline, finding))
    entrances = {"ObjectCreated:": pipeline.created, "ObjectRemoved:": pipeline.removed}
    with ExitStack() as ready:
        send = {
            kind: ready.enter_context(sending(target, entrance, pipeline.source_bucket))
            for kind, entrance in entrances.items()
            if entrance
        }
        while batch := list(islice(events, EVENTS_AT_A_TIME)):
            faults += [each for each in batch if isinstance(each, Fault)]
            for kind in send:
                of_kind = [
                    each for each in batch if isinstance(each, ObjectEvent) and each.name.startswith(kind)
                ]
                send[kind](of_kind)
                sent += len(of_kind)
    for reason, count, key in by_reason((fault.item.key, fault.reason) for fault in faults):
        print(f"{pipeline.name}: not sent: {such_as(count, 'differences', key)}: {reason}")
    return sent


def wait(
    keys: list[str],
    look: Callable[[str], Finding],
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    given_up: Callable[[], Collection[str]] = tuple,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until keys are mended, or the time is up; the audit after it tells which are not.

    A key that the pipeline has given up is not waited for longer than GIVEN_UP_S, since what made it fail may
    be over: its event is a dead letter, or in quarantine.

    Args:
        keys: Which.
        look: Judges one; a key that cannot be judged for a fault of its own is not waited for.
        timeout_s: How long, in seconds.
        sleep: Waits between two looks.
        given_up: Tells which keys of whatever objects these are by now.
        clock: Tells the seconds.
    """
    left = list(keys)
    hopeless, next_look = set[str](), clock() + GIVEN_UP_S
    with Wait("Mended", total=len(keys), unit="object", timeout_s=timeout_s) as progress:

        def are_mended() -> bool:
            nonlocal next_look
            if clock() >= next_look:
                hopeless.update(given_up())
                next_look = clock() + GIVEN_UP_S
            left.sort(key=hopeless.__contains__)  # so that these are looked at last
            looks = ((key, or_fault(look)(key)) for key in left)
            left[:] = [key for key, seen in looks if not isinstance(seen, Fault) and seen.state != SAME]
            progress.update(len(keys) - len(left) - progress.n)
            hopeless.intersection_update(left)
            return len(hopeless) == len(left)

        wait_until(are_mended, bool, timeout_s, POLL_S, sleep)
    if hopeless:
        what = such_as(len(hopeless), "objects", min(hopeless))
        print(f"not waited for: {what}, whose earlier events failed for good: `runbook redrive` says why")


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
