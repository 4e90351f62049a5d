"""Redriving: what is stuck goes back to whom it was for. First sent, then deleted, so that nothing is lost.

What is cut off in between comes twice, which the functions do not mind.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from lib.errors import ParameterError, RunbookError
from lib.failures import reasons
from lib.failures.brake import brake_of
from lib.failures.explain import Explained, explain
from lib.failures.letters import Letter, taken
from lib.pipelines import DeadLetters, FunctionName, Pipeline
from lib.retry import wait_until
from lib.target import Target
from lib.threads import in_threads
from lib.watch import Waiting

ACT_MOST = 10_000  # messages of one queue that are taken in hand at a time
# A task moves some hundred messages a second; it may run for 36 hours:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
MOVE_S, MOVE_POLL_S = 3600, 1
NOT_SENT = "not sent"  # how a queue was dealt with whose work must not be done by the parameters


@dataclass(frozen=True)
class Choice:
    """Which messages.

    Attributes:
        reason: Only those that are stuck for this; empty for all but those that the brake holds.
        key_prefix: Only those whose first object's key begins so; empty for all.
    """

    reason: str = ""
    key_prefix: str = ""

    def __post_init__(self):
        """Refuse what cannot be chosen.

        Raises:
            ParameterError: If there is no such reason, or only some of the brake's messages are chosen.
        """
        if self.reason and self.reason not in reasons.REASONS:
            raise ParameterError(
                f"reason: there is no {self.reason!r}; there are: {', '.join(reasons.REASONS)}"
            )
        if self.reason == reasons.HELD and self.key_prefix:
            raise ParameterError("key_prefix: what the brake holds is released or discarded as a whole")

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.reason and not self.key_prefix

    def takes(self, each: Explained) -> bool:
        """Return whether a message is chosen."""
        return self.reason in ("", each.reason) and each.key.startswith(self.key_prefix)

    def queues(self, looked_at: Sequence[Pipeline]) -> Iterator[tuple[Pipeline, DeadLetters]]:
        """Yield the queues that may hold such messages; the brake's only if it is asked for by its reason."""
        for pipeline in looked_at:
            for letters in pipeline.dead_letters:
                if (letters.kind == "holding") == (self.reason == reasons.HELD):
                    yield pipeline, letters

    def __str__(self) -> str:
        said = (self.reason and f"reason {self.reason!r}", self.key_prefix and f"keys {self.key_prefix!r}…")
        return " and ".join(filter(None, said)) or "any reason"


def redrive(
    target: Target, looked_at: Sequence[Pipeline], choice: Choice, most: int = ACT_MOST
) -> pd.DataFrame:
    """Send stuck messages back to the queue or function that they were for.

    All of a queue's dead letters are moved by SQS itself. Chosen ones, and the records that Lambda keeps of
    failed invocations, are sent one by one, and deleted once they are accepted.

    Args:
        target: The AWS to work on.
        looked_at: The pipelines, as `stuck.chosen` gives them.
        choice: Which messages.
        most: Of how many messages of a queue to choose; run it again for the rest.

    Returns:
        One row for each queue: pipeline, queue, `how`, how many `messages`, and how many were chosen but
        `left` since there is nothing in them that could be sent. Of a queue whose work must not be done by
        the parameters all are left, and `how` says why.

    Raises:
        RunbookError: If there is nothing to redrive, or a task of SQS's failed.
        WaitError: If such a task still runs after an hour; run it again to wait on.
        ClientError: If AWS refused a message; it and those after it are still there.
    """
    rows = []
    for pipeline, letters in tqdm(list(choice.queues(looked_at)), desc="Redrive", leave=False, delay=1):
        if why := pipeline.why_not_again(letters):
            done = f"{NOT_SENT}: {why}", 0, Waiting.of(target, letters.queue).depth()
        elif letters.kind == "holding":
            done = "released", len(brake_of(target, letters.queue).release(most)), 0
        elif letters.kind == "dead letters" and choice.is_everything:
            done = "moved by SQS", move_all(target, letters), 0
        else:
            done = "sent one by one", *_send_chosen(target, pipeline, letters, choice, most)
        if any(done[1:]):
            rows.append((pipeline.name, letters.queue.what, *done))
    if not rows:
        raise RunbookError(nothing_to("redrive", target, looked_at, choice))
    return pd.DataFrame(rows, columns=["pipeline", "queue", "how", "messages", "left"])


def not_sent(done: pd.DataFrame) -> dict[str, str]:
    """Return what was left where it is since its work must not be done by the parameters.

    Args:
        done: As `redrive` returns it, or any other table of what was done.

    Returns:
        Pipeline, queue and how many messages, to the reason.
    """
    rows = done[done["how"].str.startswith(NOT_SENT)].itertuples() if "how" in done else ()
    return {f"{row.pipeline}: {row.left} messages in {row.queue}": row.how for row in rows}


def nothing_to(do: str, target: Target, looked_at: Sequence[Pipeline], choice: Choice) -> str:
    """Return what to say if no message was chosen."""
    waiting = [Waiting.of(target, letters.queue) for _, letters in choice.queues(looked_at)]
    there = sum(each.depth() for each in waiting)
    return (
        f"nothing to {do}: of {choice} there is no message in the {len(waiting)} queues of "
        f"{', '.join(pipeline.name for pipeline in looked_at)}. {there} others are there, or hidden for some "
        "minutes because somebody has them in hand"
    )


def _send_chosen(
    target: Target, pipeline: Pipeline, letters: DeadLetters, choice: Choice, most: int
) -> tuple[int, int]:
    """Send messages back one by one, and return how many were sent and how many could not be."""
    with taken(Waiting.of(target, letters.queue), most) as hand:
        chosen = [each for each in explain(target, pipeline, letters, hand.letters) if choice.takes(each)]
        to_send = [each.letter for each in chosen if can_be_sent(letters, each.letter)]

        def send_on(letter: Letter) -> None:
            send(target, letters, letter)
            hand.delete(letter)

        for _ in in_threads(send_on, to_send):
            pass
    return len(to_send), len(chosen) - len(to_send)


def can_be_sent(letters: DeadLetters, letter: Letter) -> bool:
    """Return whether there is something in a message to send again."""
    return letters.kind == "dead letters" or letter.payload is not None


def send(target: Target, letters: DeadLetters, letter: Letter) -> None:
    """Send a message to whom it was for, as it was, with its attributes.

    Args:
        target: The AWS to work on.
        letters: The queue it was in.
        letter: The message.

    Raises:
        ClientError: If it was not accepted.
    """
    origin = letters.origin
    if isinstance(origin, FunctionName):
        client, payload = target.client("lambda", origin.region), json.dumps(letter.payload)
        client.invoke(FunctionName=origin.name, InvocationType="Event", Payload=payload)
        return
    client = target.client(origin.service, origin.region)
    client.send_message(
        QueueUrl=origin.output(client), MessageBody=letter.body, MessageAttributes=letter.attributes
    )


def move_all(target: Target, letters: DeadLetters, sleep: Callable[[float], None] = time.sleep) -> int:
    """Let SQS move all dead letters back to their queue, and wait for it.

    A task that runs already, since a redrive was cut off, is waited for instead: there can be only one.

    Args:
        target: The AWS to work on.
        letters: The queue of dead letters.
        sleep: Waits between two looks.

    Returns:
        How many were moved.

    Raises:
        RunbookError: If the task failed; what it has not moved is still there.
        WaitError: If it still runs after MOVE_S.
    """
    client, source = target.client("sqs", letters.queue.region), {"SourceArn": letters.queue.arn}
    if not Waiting.of(target, letters.queue).depth():
        return 0
    before = _newest_task(client, source)
    if before.get("Status") != "RUNNING":
        client.start_message_move_task(**source, DestinationArn=letters.origin.arn)
    else:
        before = {}

    def is_done(task: dict) -> bool:
        return task.get("StartedTimestamp") != before.get("StartedTimestamp") and task["Status"] != "RUNNING"

    task = wait_until(
        lambda: _newest_task(client, source),
        is_done,
        MOVE_S,
        MOVE_POLL_S,
        sleep,
        f"{letters.queue}: SQS still moves messages after {MOVE_S} s; run it again to wait on",
    )
    if task["Status"] != "COMPLETED":
        why = task.get("FailureReason", "")
        raise RunbookError(
            f"{letters.queue}: SQS's task that moves the messages is {task['Status']} {why}; what it has not "
            "moved is still there. Redrive it by its reason, then they are sent one by one"
        )
    return task["ApproximateNumberOfMessagesMoved"]


def _newest_task(client, source: dict) -> dict:
    return next(iter(client.list_message_move_tasks(**source)["Results"]), {})
