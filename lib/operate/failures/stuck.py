"""What is stuck: work that was not done, why, and what to do about it. Looking changes nothing."""

from collections.abc import Sequence

import pandas as pd

from lib.base.errors import NotDeployedError
from lib.base.reasons import REASONS
from lib.base.waits import progress
from lib.engine.waiting import Waiting
from lib.operate.failures.explain import Explained, explain
from lib.operate.failures.letters import taken
from lib.operate.pipelines import DeadLetters, Deployed, Pipeline, deployed, survey
from lib.parameters import Parameters
from lib.target import Target

LOOK_MOST = 1000  # messages of one queue that a look takes in
COLUMNS = ["pipeline", "queue", "reason", "key", "event", "error", "sent", "receives", "id"]


def chosen(target: Target, parameters: Parameters, name: str = "") -> Deployed:
    """Return the pipelines to look at.

    Args:
        target: The AWS to look at.
        parameters: They say which pipelines there may be, and where.
        name: Of one of them; empty for all of which a queue exists, with those of their queues that exist.

    Returns:
        The pipelines, in the order in which they are read; and what is left out, with the reason.

    Raises:
        RunbookError: If the one is not deployed, or none is.
    """
    if name:
        return Deployed([deployed(target, parameters, name)])
    seen = survey(target, parameters)
    order = [*parameters.pipelines(), *sorted(each.name for each in [*seen, *seen.partial])]
    found = sorted([*seen, *seen.partial], key=lambda pipeline: order.index(pipeline.name))
    seen[:] = [pipeline for pipeline in found if pipeline.dead_letters]
    if not seen:
        raise NotDeployedError(
            f"no pipeline is deployed as env {parameters.env!r}. "
            f"Deploy one first: runbook run {parameters.pipelines()[0]}"
        )
    return seen


def stuck(target: Target, *looked_at: Pipeline, most: int = LOOK_MOST) -> pd.DataFrame:
    """Look at every message of work that was not done; they stay where they are.

    Args:
        target: The AWS to look at.
        looked_at: The pipelines, as `chosen` gives them.
        most: How many messages of one queue at most.

    Returns:
        One row a message, the oldest first: pipeline, queue, `reason`, the first object's `key`, the `event`,
        the `error` in short, when it was `sent` first, how often it was received, and its id.
    """
    rows = []
    for pipeline in progress("Look", looked_at, unit="pipeline"):
        for letters in pipeline.dead_letters:
            with taken(Waiting.of(target, letters.queue), most) as hand:
                explained = explain(target, pipeline, letters, hand.letters)
            rows += [_row(pipeline, letters, each) for each in explained]
    found = pd.DataFrame(rows, columns=COLUMNS).astype({"sent": "datetime64[ns, UTC]"})
    return found.sort_values("sent", ignore_index=True, kind="stable")


def dead(target: Target, pipeline: Pipeline, most: int = LOOK_MOST) -> set[str]:
    """Return the keys of the objects whose events failed for good; the messages stay where they are.

    Args:
        target: The AWS to look at.
        pipeline: Whose.
        most: As for `stuck`.
    """
    keys: set[str] = set()
    for letters in pipeline.dead_letters:
        waiting = Waiting.of(target, letters.queue)
        if letters.kind == "holding" or not waiting.depth():
            continue
        with taken(waiting, most) as hand:
            keys |= {one.key for letter in hand.letters for one in letter.objects}
    return keys


def _row(pipeline: Pipeline, letters: DeadLetters, each: Explained) -> tuple:
    letter = each.letter
    event = letter.objects[0].event if letter.objects else ""
    facts = (each.reason, each.key, event, each.error, letter.sent, letter.receives, letter.id)
    return pipeline.name, letters.queue.what, *facts


def queues(target: Target, looked_at: Sequence[Pipeline], found: pd.DataFrame) -> pd.DataFrame:
    """Return what is in each queue.

    Args:
        target: The AWS to look at.
        looked_at: As for `stuck`.
        found: What `stuck` has seen.

    Returns:
        One row a queue: pipeline, queue, `holds` (what), `messages` by SQS's count, which may be a minute
        old, those of them that are `hidden` because somebody has them in hand, and the `oldest` one's time.
    """
    oldest = found.groupby(["pipeline", "queue"])["sent"].min()
    rows = []
    for pipeline in looked_at:
        for letters in pipeline.dead_letters:
            visible, hidden = Waiting.of(target, letters.queue).depths()
            rows.append((pipeline.name, letters.queue.what, letters.kind, visible + hidden, hidden))
    table = pd.DataFrame(rows, columns=["pipeline", "queue", "holds", "messages", "hidden"])
    return table.join(oldest.dt.floor("s").rename("oldest"), on=["pipeline", "queue"])


def by_reason(found: pd.DataFrame) -> pd.DataFrame:
    """Group what is stuck.

    Args:
        found: As `stuck` returns it.

    Returns:
        One row for each pipeline, queue and reason: how many `messages`, the `oldest`, a `sample` (the oldest
        one's key, or how long it is if it has none), its error, and `what to do`.
    """
    groups = found.groupby(["pipeline", "queue", "reason"], sort=True)
    table = groups.agg(
        messages=("id", "size"), oldest=("sent", "min"), sample=("key", "first"), error=("error", "first")
    ).reset_index()
    table["oldest"] = table["oldest"].dt.floor("s")
    return table.assign(**{"what to do": table["reason"].map(REASONS)})
