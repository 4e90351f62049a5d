"""Redriving: what is stuck goes back to whom it was for. First sent, then deleted, so that nothing is lost.

What is cut off in between comes twice, which the functions do not mind.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from lib.base import reasons
from lib.base.errors import ItemError, ParameterError, RunbookError
from lib.base.own_fault import Fault, by_reason, or_fault, such_as
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.base.threads import in_threads
from lib.base.waits import progress
from lib.engine.waiting import Waiting
from lib.operate.failures.brake import brake_of
from lib.operate.failures.explain import Explained, explain
from lib.operate.failures.letters import Letter, taken
from lib.operate.failures.stuck import hidden_in
from lib.operate.pipelines import DeadLetters, FunctionName, Pipeline
from lib.resources.sqs import Queue
from lib.target import Target

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

    def queues(
        self, looked_at: Sequence[Pipeline], aside: bool = False
    ) -> Iterator[tuple[Pipeline, DeadLetters]]:
        """Yield the queues that may hold such messages; the brake's only if it is asked for by its reason.

        Args:
            looked_at: The pipelines.
            aside: Whether messages are to be put aside: then what is no event may be among those of the
                brake, too, which are sent back as a whole.
        """
        for pipeline in looked_at:
            for letters in pipeline.dead_letters:
                is_holding = letters.kind == "holding"
                if is_holding == (self.reason == reasons.HELD) or (
                    is_holding and aside and self.reason == reasons.NOT_AN_EVENT
                ):
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
        `left`, each of them printed with its reason: nothing is in it that could be sent, or it was refused.
        Of a queue whose work must not be done by the parameters all are left, and `how` says why.

    Raises:
        RunbookError: If there is nothing to redrive; or if a queue could not be emptied, after all others
            were: a task of SQS's failed, one still runs after an hour, or AWS refused a call. Run it again.
    """
    rows, errors = [], {}
    for pipeline, letters in progress("Redrive", list(choice.queues(looked_at)), unit="queue"):
        try:
            done = _redrive(target, pipeline, letters, choice, most)
        except (RunbookError, ClientError, BotoCoreError) as error:
            errors[f"{pipeline.name} {letters.queue.what}"] = error
            continue
        if any(done[1:]):
            rows.append((pipeline.name, letters.queue.what, *done))
    require_all(rows, errors)
    if not rows:
        raise RunbookError(nothing_to("redrive", target, looked_at, choice))
    return pd.DataFrame(rows, columns=["pipeline", "queue", "how", "messages", "left"])


def _redrive(
    target: Target, pipeline: Pipeline, letters: DeadLetters, choice: Choice, most: int
) -> tuple[str, int, int]:
    """Redrive one queue; return how, how many messages, and how many are left."""
    if why := pipeline.why_not_again(letters):
        return f"{NOT_SENT}: {why}", 0, Waiting.of(target, letters.queue).depth()
    if letters.kind == "holding":
        released = brake_of(target, letters.queue).release(most)
        left = int((released["done"] != "released").sum())
        return "released", len(released) - left, left
    if letters.kind == "dead letters" and choice.is_everything:
        return "moved by SQS", move_all(target, letters), 0
    return "sent one by one", *_send_chosen(target, pipeline, letters, choice, most)


def require_all(done: Sequence[object], errors: Mapping[str, Exception]) -> None:
    """Raise if some queues could not be worked on, after the others were.

    Args:
        done: What was done with the others.
        errors: Names of queues, and what ended the work on each.

    Raises:
        RunbookError: If there are such; it names each.
    """
    if errors:
        told = "; ".join(f"{name}: {error}" for name, error in errors.items())
        others = f"; done before: {done}" if done else ""
        raise RunbookError(
            f"{told}{others}. Their messages are still there, or were dealt with. Run it again"
        )


def still_there(done: pd.DataFrame) -> dict[str, str]:
    """Return what was chosen and left where it is, and why.

    Args:
        done: Rows of `pipeline`, `queue`, how many messages are `left`, and perhaps `how`, as of `redrive`.

    Returns:
        Pipeline, queue and how many messages, to the reason.
    """
    reasons = {}
    for row in done[done["left"] > 0].to_dict("records"):
        how = row.get("how", "")
        why = how if how.startswith(NOT_SENT) else "each for a fault of its own, which is printed above"
        reasons[f"{row['pipeline']}: {counted(row['left'], 'message')} in {row['queue']}"] = why
    return reasons


def nothing_to(do: str, target: Target, looked_at: Sequence[Pipeline], choice: Choice) -> str:
    """Return what to say if no message was chosen."""
    found = choice.queues(looked_at, aside=do == "quarantine")
    waiting = [Waiting.of(target, letters.queue) for _, letters in found]
    others = sum(each.depths()[0] for each in waiting)
    unseen = str(hidden_in(waiting))
    return (
        f"nothing to {do}: of {choice} there is no message to be seen in the "
        f"{counted(len(waiting), 'queue')} of {', '.join(pipeline.name for pipeline in looked_at)}. "
        f"{counted(others, 'other')} {'is' if others == 1 else 'are'} there{unseen and '; '}{unseen}"
    )


def _send_chosen(
    target: Target, pipeline: Pipeline, letters: DeadLetters, choice: Choice, most: int
) -> tuple[int, int]:
    """Send messages back one by one, and return how many were sent and how many could not be."""
    with taken(Waiting.of(target, letters.queue), most) as hand:
        chosen = [each for each in explain(target, pipeline, letters, hand.letters) if choice.takes(each)]

        def send_on(letter: Letter) -> None:
            send(target, letters, letter)
            hand.delete(letter)

        outcomes = list(in_threads(or_fault(send_on), [each.letter for each in chosen]))
    faults = [each for each in outcomes if isinstance(each, Fault)]
    tell_left(pipeline, letters, faults)
    return len(outcomes) - len(faults), len(faults)


def tell_left(pipeline: Pipeline, letters: DeadLetters, faults: Sequence[Fault[Letter]]) -> None:
    """Print which messages are left where they are, a line a reason.

    Args:
        pipeline: Whose.
        letters: Their queue.
        faults: They, and why.
    """
    for reason, count, message_id in by_reason((fault.item.id, fault.reason) for fault in faults):
        message = such_as(count, "messages", message_id)
        print(f"{pipeline.name} {letters.queue.what}: left there: {message}: {reason}")


def send(target: Target, letters: DeadLetters, letter: Letter) -> None:
    """Send a message to whom it was for, as it was, with its attributes.

    Args:
        target: The AWS to work on.
        letters: The queue it was in.
        letter: The message.

    Raises:
        ItemError: If there is nothing in it to send again.
        ClientError: If it was not accepted.
    """
    if letters.kind != "dead letters" and letter.payload is None:
        raise ItemError("there is nothing in it that could be sent again")
    origin = _origin(letters, letter)
    if isinstance(origin, FunctionName):
        client, payload = target.client("lambda", origin.region), json.dumps(letter.payload)
        client.invoke(FunctionName=origin.name, InvocationType="Event", Payload=payload)
        return
    client = target.client(origin.service, origin.region)
    client.send_message(
        QueueUrl=origin.output(client), MessageBody=letter.body, MessageAttributes=letter.attributes
    )


def _origin(letters: DeadLetters, letter: Letter) -> Queue | FunctionName:
    """Return whom a message was for; where several share the queue, it says which of them.

    Raises:
        ItemError: If it does not.
    """
    if not letters.others:
        return letters.origin
    sharing = (letters.origin, *letters.others)
    for each in sharing:
        if each.name == letter.origin:
            return each
    names = ", ".join(each.name for each in sharing)
    raise ItemError(f"it does not say for which of {names} it was")


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
        # Without a destination each goes back to the queue that it came from:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
        origin = None if letters.others else letters.origin
        destination = {"DestinationArn": origin.arn} if isinstance(origin, Queue) else {}
        client.start_message_move_task(**source, **destination)
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
        what="SQS moves the messages",
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
