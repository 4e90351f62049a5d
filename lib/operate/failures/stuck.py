"""What is stuck: work that was not done, why, and what to do about it. Looking changes nothing."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd

from lib.base.reasons import REASONS
from lib.base.shown import counted
from lib.base.threads import WORKERS
from lib.base.waits import progress
from lib.engine.waiting import Waiting
from lib.operate.failures.explain import Explained, explain
from lib.operate.failures.letters import taken
from lib.operate.pipelines import DeadLetters, Deployed, Pipeline, deployed, none_deployed, survey
from lib.parameters import Parameters
from lib.target import Target

LOOK_MOST = 1000  # messages of one queue that a look takes in
COLUMNS = ["pipeline", "queue", "reason", "key", "event", "error", "sent", "receives", "id"]


@dataclass(frozen=True)
class Hidden:
    """Messages that nobody can see right now, since somebody has received them.

    Nothing tells when each was received, or for how long whoever received it asked.

    Attributes:
        messages: How many, by SQS's count, which may be a minute old.
        timeout_s: The longest visibility timeout of their queues, in seconds.
    """

    messages: int
    timeout_s: int = 0

    def __str__(self) -> str:
        if not self.messages:
            return ""
        return (
            f"{counted(self.messages, 'message')} {'is' if self.messages == 1 else 'are'} hidden right now: "
            "somebody has received what can be seen again once that one gives it back, or its visibility "
            f"timeout is over: {self.timeout_s} s after it was received if no other was asked for, "
            "12 hours at the most"
        )


def hidden(target: Target, looked_at: Sequence[Pipeline]) -> Hidden:
    """Return what is hidden in the queues of work that was not done.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html

    Args:
        target: The AWS to look at.
        looked_at: As for `stuck`.
    """
    return hidden_in([Waiting.of(target, each.queue) for one in looked_at for each in one.dead_letters])


def hidden_in(queues: Sequence[Waiting]) -> Hidden:
    """Return what is hidden in some queues.

    Args:
        queues: Which.
    """
    counts = [(each, each.depths()[1]) for each in queues]
    timeouts = [each.visibility_timeout_s() for each, count in counts if count]
    return Hidden(sum(count for _, count in counts), max(timeouts, default=0))


def said(messages: int, unseen: Hidden) -> str:
    """Return in words whether anything is stuck.

    Args:
        messages: How many can be seen.
        unseen: What is hidden besides.
    """
    if not messages:
        return f"nothing is stuck that can be seen; {unseen}" if unseen.messages else "nothing is stuck"
    stuck = f"{counted(messages, 'message')} {'is' if messages == 1 else 'are'} stuck"
    return f"{stuck}; {unseen}" if unseen.messages else stuck


@dataclass(frozen=True)
class Account:
    """What has become of the messages that were seen, once some were dealt with.

    Attributes:
        seen: How many were seen before.
        gone: How many were dealt with.
        still: How many of them are seen still.
        others: How many are seen that were not before.
        before: What was hidden before.
        after: What is hidden now.
    """

    seen: int
    gone: int
    still: int
    others: int
    before: Hidden
    after: Hidden

    @property
    def is_whole(self) -> bool:
        """Whether none is missing: what cannot be seen any more may be hidden now, and was not before."""
        hidden_before = max(0, self.before.messages - self.others)
        return self.gone + self.still + max(0, self.after.messages - hidden_before) >= self.seen

    def __str__(self) -> str:
        parts = (f"{self.seen} were there; {self.gone} dealt with, {self.still} still there", str(self.after))
        return "; ".join(filter(None, parts))


def account(
    target: Target,
    looked_at: Sequence[Pipeline],
    found: pd.DataFrame,
    gone: int,
    left: pd.DataFrame,
    before: Hidden,
) -> Account:
    """Return what has become of the messages that were seen.

    Args:
        target: The AWS to look at.
        looked_at: As for `stuck`.
        found: What was seen before.
        gone: How many messages were dealt with.
        left: What is seen now.
        before: What was hidden before.
    """
    still = int(left["id"].isin(found["id"]).sum())
    after = hidden(target, looked_at)
    return Account(len(found), int(gone), still, len(left) - still, before, after)


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
        raise none_deployed(parameters, seen)
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

    def look(where: tuple[Pipeline, DeadLetters]) -> list[tuple]:
        pipeline, letters = where
        with taken(Waiting.of(target, letters.queue), most) as hand:
            explained = explain(target, pipeline, letters, hand.letters)
        return [_row(pipeline, letters, each) for each in explained]

    # At the same time: that a queue is empty is known only when none has come for a while.
    queues = [(pipeline, letters) for pipeline in looked_at for letters in pipeline.dead_letters]
    with ThreadPoolExecutor(WORKERS) as threads:
        looks = progress("Look", threads.map(look, queues), total=len(queues), unit="queue")
        rows = [row for seen in looks for row in seen]
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
