"""Why messages are stuck: found in them, in the functions' logs, and in what is now."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from botocore.exceptions import ClientError

from lib.base.own_fault import Fault, or_fault, own_fault
from lib.base.reasons import (
    ACCESS_DENIED,
    HELD,
    NO_TRACE,
    NOT_AN_EVENT,
    NOT_INVOKED,
    SOURCE_GONE,
    in_short,
    of_error,
    of_log_line,
)
from lib.operate import log_events
from lib.operate.failures.letters import Letter
from lib.operate.pipelines import DeadLetters, Pipeline
from lib.resources.logs import log_group_name
from lib.s3.objects import Place
from lib.target import Target

LOG_S = 60  # for how long a function's log is read


@dataclass(frozen=True)
class Explained:
    """A message and why it is where it is.

    Attributes:
        letter: The message.
        reason: One of `reasons.REASONS`.
        error: The error behind it in short; empty if there is none.
    """

    letter: Letter
    reason: str
    error: str = ""

    @property
    def key(self) -> str:
        """The key of the first object that it speaks of; empty if there is none."""
        return self.letter.objects[0].key if self.letter.objects else ""


def explain(
    target: Target, pipeline: Pipeline, letters: DeadLetters, in_hand: Sequence[Letter]
) -> list[Explained]:
    """Find out why messages are stuck: from what is in them, from the functions' logs, from what is now.

    Args:
        target: The AWS to look at.
        pipeline: Whose messages.
        letters: Their queue.
        in_hand: The messages.

    Returns:
        The messages with their reasons, in the same order.
    """
    if letters.kind == "holding":
        return [Explained(letter, HELD if letter.objects else NOT_AN_EVENT) for letter in in_hand]
    since = min((letter.failed_since for letter in in_hand if letter.objects), default=None)
    logged = failures(target, pipeline, since) if since is not None else {}

    def why(letter: Letter) -> Explained:
        return _by_itself(letters, letter) or _by_log(letter, logged) or _by_now(target, pipeline, letter)

    return [_or_without_reason(why)(letter) for letter in in_hand]


def _or_without_reason(why: Callable[[Letter], Explained]) -> Callable[[Letter], Explained]:
    """Return a function that explains a message, also one that cannot be for a fault of its own."""

    def explained(letter: Letter) -> Explained:
        found = or_fault(why)(letter)
        return Explained(letter, NO_TRACE, found.reason) if isinstance(found, Fault) else found

    return explained


def _by_itself(letters: DeadLetters, letter: Letter) -> Explained | None:
    """Explain by what the message says."""
    is_record = letters.kind == "failures"
    if (is_record and letter.payload is None) or (not is_record and not letter.objects):
        return Explained(letter, NOT_AN_EVENT)
    if is_record and letter.condition != "RetriesExhausted":
        return Explained(letter, NOT_INVOKED, letter.condition)
    return None


def _by_log(letter: Letter, logged: dict[str, str]) -> Explained | None:
    """Explain by what the function has logged of the objects, or else by what it said in the end.

    That is only how many of an event's objects have failed, so the log comes first.
    """
    texts = (logged[each.key] for each in letter.objects if each.key in logged)
    text = next(texts, letter.error)
    return Explained(letter, of_error(text), in_short(text)) if text else None


def _by_now(target: Target, pipeline: Pipeline, letter: Letter) -> Explained:
    """Explain by what has become of the object since."""
    first = letter.objects[0] if letter.objects else None
    if not first or not pipeline.source or first.bucket != pipeline.source.name:
        return Explained(letter, NO_TRACE)
    if not first.event.startswith("ObjectCreated:"):
        return Explained(letter, NO_TRACE)
    source = Place.of(target, pipeline.source)
    try:
        return Explained(letter, SOURCE_GONE if source.head(first.key) is None else NO_TRACE)
    except ClientError as error:
        why = own_fault(error)
        is_denied = of_error(str(error)) == ACCESS_DENIED
        return Explained(letter, ACCESS_DENIED if is_denied else NO_TRACE, why)


def failures(
    target: Target, pipeline: Pipeline, since: pd.Timestamp, clock: Callable[[], float] = time.monotonic
) -> dict[str, str]:
    """Return what the pipeline's functions have logged of objects on which they failed.

    Args:
        target: The AWS to look at.
        pipeline: Whose functions.
        since: From when on.
        clock: Tells the seconds; after LOG_S a log is read no further.

    Returns:
        Key to the last error, as `reasons.of_error` takes it.
    """
    lines: list[dict] = []
    for function in pipeline.functions:
        deadline, client = clock() + LOG_S, target.client("logs", function.region)
        for line in log_events.lines(client, log_group_name(function.name), since, "ERROR"):
            if line.get("level") != "ERROR":
                continue
            if clock() >= deadline:
                break
            lines.append(line)
    lines.sort(key=lambda line: str(line.get("timestamp", "")))
    return {line["key"]: of_log_line(line) for line in lines}
