"""A brake on deletes, for the operator: look at it, release it, or discard what it holds.

A function pulls it which is told of a queue with the role `holding`; handlers/delete/brake.py says what is in
its table.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from lib.base.errors import ItemError, NotDeployedError, ParameterError
from lib.base.json_text import json_object
from lib.base.own_fault import Fault, or_fault
from lib.base.waits import Wait
from lib.engine.waiting import SETTLE_S, Waiting
from lib.operate.as_deployed import tells_of
from lib.operate.failures.letters import Letter
from lib.operate.pipelines import FunctionName
from lib.resources.dynamodb import Table
from lib.resources.lambda_ import functions
from lib.resources.sqs import Queue
from lib.target import Target

TABLE = "brake"  # what the table is called in which it counts
BATCH = 10  # messages one receive can give
# How long nobody else gets a message that was received: an invocation is accepted within seconds.
HIDDEN_S = 60
# Only a receive that waits asks all of SQS's servers, so that "nothing" means that nothing is there:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT_S = 1


def brake_of(target: Target, holding: Queue, minutes: int = 0) -> "Brake":
    """Return the brake that is deployed with a queue.

    Args:
        target: Where.
        holding: What it holds.
        minutes: How many minutes it counts; 0 to ask its function, which must be there for that.

    Raises:
        NotDeployedError: If its function is asked and not there.
    """
    found = functions(target.client("lambda", holding.region), holding.scope)
    arn, variables = next(((a, told) for a, told in found.items() if tells_of(told, holding)), ("", {}))
    if not arn and not minutes:
        raise NotDeployedError(
            f"no function is told of {holding}, so that nothing is known of its brake. Deploy it first: "
            f"runbook run {holding.scope.pipeline}"
        )
    table = Table(TABLE, holding.region, partition_key="id")
    table.scope = holding.scope
    function = FunctionName(arn.rpartition(":")[2], holding.region, variables)
    return Brake(target, table, holding, function, minutes or int(variables["BRAKE_MINUTES"]))


@dataclass(frozen=True)
class Brake:
    """The brake that is pulled by too many deletes.

    Attributes:
        target: Where it is deployed.
        table: Its state.
        queue: What it holds: the events of deletes that were not done.
        function: The one that pulls it; without a name if it is gone.
        minutes: How many minutes it counts.
        clock: Tells the seconds since the epoch.
    """

    target: Target
    table: Table
    queue: Queue
    function: FunctionName
    minutes: int
    clock: Callable[[], float] = time.time

    def state(self) -> pd.DataFrame:
        """Return one row: whether it is `pulled`, `since` when, `deletes` in the window, events `held`.

        `since` is empty while it is not pulled. What SQS says of `held` may be a minute old.
        """
        brake, held = self._item("brake"), self._waiting().depth()
        since = brake["stopped_at"]["S"] if brake else ""
        counted = [int(self._item(key).get("deletes", {"N": "0"})["N"]) for key in self._counters()]
        row = {"pulled": "yes" if brake else "no", "since": since, "deletes": sum(counted), "held": held}
        return pd.DataFrame([row])

    def release(self, limit: int = 10_000) -> pd.DataFrame:
        """Let deletes go on, and have those done that were held.

        The brake goes first, so that the queue gets no more while it is emptied; counting begins anew. If it
        is pulled again meanwhile, what is still held waits for another decision. A message leaves the queue
        only after Lambda has accepted it, so that a release which was cut off is simply run again. A held
        delete looks at the primary bucket when it is done: a key that exists again is not deleted.

        Args:
            limit: How many events at most; run it again for the rest.

        Returns:
            One row an event: key, and what was done: `released`, or why it is left in the queue.
        """
        self._remove(*self._counters(), "brake")
        return self._take_all(limit, self._invoke, stops=lambda: bool(self._item("brake")), done="released")

    def discard(
        self,
        reason: str,
        limit: int = 10_000,
        timeout_s: float = SETTLE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> pd.DataFrame:
        """Forget what is held, then let new deletes go on; the DR bucket keeps what they would have deleted.

        The brake goes last and only if nothing is held any more, so that no delete slips through before: what
        a release that was cut off has in hand comes back a minute later. The reason is kept in the brake's
        table, with the time and the caller.

        Args:
            reason: Why, for those who find objects in the DR bucket that the primary does not have.
            limit: How many events at most; run it again for the rest.
            timeout_s: How long to wait until SQS says that nothing is held, in seconds.
            sleep: Waits between two looks.

        Returns:
            One row an event that was discarded: key, empty if it was none of S3, and what was done.

        Raises:
            ParameterError: If no reason is given.
        """
        if not reason.strip():
            raise ParameterError("reason: say why the deletes are discarded; nothing was done")
        self._write_down(reason)
        discarded = self._take_all(limit, None, stops=lambda: False, done="discarded")
        if len(discarded) >= limit:
            return discarded
        if held := self._waiting().settle(timeout_s, sleep):
            print(f"Still held: {held:,}, so the brake stays as it is. Discard again in {HIDDEN_S} s")
            return discarded
        self._remove(*self._counters(), "brake")
        return discarded

    def _take_all(
        self, limit: int, action: Callable[[list[dict]], None] | None, stops: Callable[[], bool], done: str
    ) -> pd.DataFrame:
        """Do something with what is held and take it off the queue, batch by batch."""
        waiting, rows, left = self._waiting(), [], dict[str, str]()

        def act(messages: list[dict]) -> None:
            if action:
                action([record for message in messages for record in _records(message)])
            for message in messages:
                handle = message["ReceiptHandle"]
                waiting.client.delete_message(QueueUrl=waiting.url, ReceiptHandle=handle)

        with Wait(done.capitalize(), total=waiting.depth(), unit="event") as progress:
            for received in self._batches(waiting, limit, stops):
                messages = [message for message in received if message["MessageId"] not in left]
                if not messages:  # nothing is held but what was left before
                    break
                # All at once, or, if one of them is in the way of the others, one by one.
                is_done = not isinstance(or_fault(act)(messages), Fault)
                for message in messages:
                    outcome = None if is_done else or_fault(act)([message])
                    if isinstance(outcome, Fault):
                        left[message["MessageId"]] = outcome.reason
                    else:
                        rows += [(key, done) for key in _keys(message)]
                progress.update(len(messages))
        for message_id, reason in left.items():
            print(f"left in the queue: message {message_id}: {reason}")
            rows.append(("", f"left: {reason}"))
        return pd.DataFrame(rows, columns=["key", "done"]).astype(object)

    def _batches(self, waiting: Waiting, limit: int, stops: Callable[[], bool]) -> Iterator[list[dict]]:
        """Yield messages until the queue is empty, the limit is reached, or it is to stop."""
        while limit > 0 and not stops():
            messages = waiting.client.receive_message(
                QueueUrl=waiting.url,
                MaxNumberOfMessages=min(BATCH, limit),
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=WAIT_S,
            ).get("Messages", [])
            if not messages:
                return
            limit -= len(messages)
            yield messages

    def _invoke(self, records: list[dict]) -> None:
        """Have events done by the function, past the brake; raises if Lambda does not accept them."""
        self.target.client("lambda", self.function.region).invoke(
            FunctionName=self.function.name,
            InvocationType="Event",
            Payload=json.dumps({"released": True, "Records": records}),
        )

    def _counters(self) -> list[str]:
        """Return the counters' keys of those minutes that the function sums up now."""
        minute = int(self.clock()) // 60
        return [f"minute#{each}" for each in range(minute - self.minutes, minute + 2)]

    def _item(self, identifier: str) -> dict:
        """Return an item of the brake's table, empty if there is none."""
        key = {"id": {"S": identifier}}
        answer = self._dynamodb().get_item(TableName=self.table.name, Key=key, ConsistentRead=True)
        return answer.get("Item", {})

    def _remove(self, *identifiers: str) -> None:
        """Remove items of the brake's table, in this order; none is missed."""
        for identifier in identifiers:
            self._dynamodb().delete_item(TableName=self.table.name, Key={"id": {"S": identifier}})

    def _write_down(self, reason: str) -> None:
        """Keep who discarded when and why."""
        now = pd.Timestamp(self.clock(), unit="s", tz="UTC").isoformat(timespec="milliseconds")
        facts = {"id": f"discarded#{now}", "reason": reason, "by": self.target.caller}
        item = {name: {"S": value} for name, value in facts.items()}
        self._dynamodb().put_item(TableName=self.table.name, Item=item)

    def _dynamodb(self):
        return self.target.client(self.table.service, self.table.region)

    def _waiting(self) -> Waiting:
        return Waiting.of(self.target, self.queue)


def _records(message: dict) -> list[dict]:
    """Return the records of an event that is held."""
    if not Letter.of(message).objects:
        raise ItemError("it is no event of S3, so that nobody can do it")
    return json_object(message["Body"])["Records"]


def _keys(message: dict) -> list[str]:
    """Return the keys that a message speaks of; an empty one if it speaks of none."""
    return [each.key for each in Letter.of(message).objects] or [""]
