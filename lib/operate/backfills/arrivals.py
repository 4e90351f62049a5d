"""Watching what becomes of a backfill: whether all that was sent is in place."""

import time
from collections import deque
from collections.abc import Callable

import pandas as pd

from lib.base.own_fault import by_reason, such_as
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.engine.checklist import Checklist
from lib.engine.waiting import Waiting
from lib.operate.audits.audit import audit
from lib.operate.audits.comparisons import why_not
from lib.operate.audits.findings import EXTRA, UNJUDGED
from lib.operate.backfills.backfill import selection
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.sqs import Queue
from lib.s3.listing import Range
from lib.target import Target

POLL_S = 1
RESTS_S = 60  # so long at least there are as many messages in a queue before they are waited for no more


def missing(target: Target, parameters: Parameters) -> pd.DataFrame:
    """Return those of the objects to be backfilled that the destination has not, or not as they are.

    Args:
        target: The AWS to look at.
        parameters: `backfill` says which pipeline and objects.

    Returns:
        One row an object, by key: key, state, detail, as an audit tells them. It judges objects of any age;
        of one that cannot be judged for a fault of its own the detail says why, and so of all if no audit
        can judge the pipeline.
    """
    pipeline, selected = selection(target, parameters)
    if why := why_not(pipeline):
        unknown = [(entry.key, UNJUDGED, why) for entry in selected.objects(target, Range())]
        return pd.DataFrame(unknown, columns=["key", "state", "detail"])
    at_once = parameters.audit.model_copy(update={"grace_s": 0})
    found = audit(target, parameters.model_copy(update={"audit": at_once}), parameters.backfill.pipeline)
    # All of them: the audit is of the whole pipeline, and its table shows the first ones only.
    begins = selected.key_prefix
    differing = {f.key: f for f in found.findings if f.state != EXTRA and f.key.startswith(begins)}
    selected_keys = (entry.key for entry in selected.objects(target, Range()))
    rows = [(key, differing[key].state, differing[key].detail) for key in selected_keys if key in differing]
    return pd.DataFrame(rows, columns=["key", "state", "detail"])


def until_in_place(
    target: Target,
    parameters: Parameters,
    sleep: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Wait until no event waits in the queue, or the same number for a while, then until nothing is missing.

    A message that somebody sent by hand, which no function can read, is tried again for half an hour. And one
    that is being worked on is in the queue until its function is done with it: a while is at least as long as
    the queue hides it.

    Args:
        target: The AWS to look at.
        parameters: `backfill` says which pipeline and objects; each wait ends after its `watch_timeout_s`.
        sleep: Waits between two looks.

    Returns:
        What is missing then, as `missing` tells it: no rows if all is in place.
    """
    timeout_s = parameters.backfill.watch_timeout_s
    pipeline, _ = selection(target, parameters)
    left = 0
    if entrance := _entrance(target, pipeline):  # asking its depth is one call, an audit is many
        left = _until_it_rests(entrance, timeout_s, sleep)
    return wait_until(
        lambda: missing(target, parameters),
        lambda found: (found["state"] == UNJUDGED).all(),  # what cannot be judged is not waited for
        timeout_s,
        RESTS_S if left else POLL_S,  # what is left is worked on slowly, or never
        sleep,
        what="Until all is in place",
    )


def _until_it_rests(queue: Waiting, timeout_s: float, sleep: Callable[[float], None]) -> int:
    """Return about how many messages are in the queue then."""
    rests_s = max(RESTS_S, queue.visibility_timeout_s())
    depths: deque[int] = deque(maxlen=rests_s // POLL_S)

    def rests() -> bool:
        depths.append(queue.depth())
        return not depths[-1] or (len(depths) == depths.maxlen and len(set(depths)) == 1)

    wait_until(rests, bool, timeout_s, POLL_S, sleep, what="No event waits")
    if depths[-1]:
        since = f"as many as {len(depths) * POLL_S} s ago" if len(set(depths)) == 1 else "still"
        print(f"{counted(depths[-1], 'message')} in the queue, {since}; the objects are looked at instead")
    return depths[-1]


def enter(checklist: Checklist, left: pd.DataFrame) -> None:
    """Enter what is missing into a checklist, and what could not be judged as left out.

    Args:
        checklist: Which.
        left: As `until_in_place` returns it.
    """
    unjudged = left[left["state"] == UNJUDGED]
    not_there = len(left) - len(unjudged)
    which = "every object that could be judged" if len(unjudged) else "every object"
    checklist.check(f"{which} is in place", not not_there, f"{not_there} are not")
    for reason, count, key in by_reason(zip(unjudged["key"], unjudged["detail"], strict=True)):
        checklist.leave_out(f"{such_as(count, 'objects', key)}, not judged", reason)


def waiting(target: Target, pipeline: Pipeline) -> int:
    """Return about how many events wait in the pipeline's own queue; 0 if it has none.

    Args:
        target: The AWS to look at.
        pipeline: Whose.
    """
    entrance = _entrance(target, pipeline)
    return entrance.depth() if entrance else 0


def still_waiting(target: Target, pipeline: Pipeline, sleep: Callable[[float], None] = time.sleep) -> int:
    """Return about how many events wait in the pipeline's own queue after all was done; 0 if it has none.

    What SQS says may be a minute old, so a number is asked for again for so long.

    Args:
        target: The AWS to look at.
        pipeline: Whose.
        sleep: Waits between two looks.
    """
    entrance = _entrance(target, pipeline)
    return entrance.settle(sleep=sleep) if entrance else 0


def _entrance(target: Target, pipeline: Pipeline) -> Waiting | None:
    return Waiting.of(target, pipeline.created) if isinstance(pipeline.created, Queue) else None


def dead(target: Target, pipeline: Pipeline) -> int:
    """Return about how many messages are in the pipeline's queues of work that was not done.

    Args:
        target: The AWS to look at.
        pipeline: Whose.
    """
    return sum(Waiting.of(target, letters.queue).depth() for letters in pipeline.dead_letters)
