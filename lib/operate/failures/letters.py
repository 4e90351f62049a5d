"""The messages of work that was not done: what is in one, and how they are taken from their queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus

import pandas as pd

from lib.base.json_text import json_object
from lib.engine.waiting import Waiting

BATCH = 10  # messages one receive can give, and one batch can hold
# Only a receive that waits asks all of SQS's servers, so that "nothing" means that nothing is there:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT_S = 1
# How long messages that were taken are hidden from others: a minute, and one second for every twenty of them.
# Whoever is killed with messages in hand leaves them hidden for so long, and not longer.
HIDDEN_S, MESSAGES_PER_S = 60, 20
# How long Lambda may have tried, six hours, and an hour for the attempts themselves:
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
KEPT = pd.Timedelta("7h")


@dataclass(frozen=True)
class ObjectRecord:
    """What a message says of one object.

    Attributes:
        bucket: Its bucket's name.
        key: Its key, decoded.
        event: What happened, such as `ObjectCreated:Put`.
    """

    bucket: str
    key: str
    event: str


@dataclass(frozen=True)
class Letter:
    """A message of work that was not done.

    Attributes:
        body: Its text.
        attributes: What its sender has attached, as SQS gives and takes it.
        message: As SQS gave it.
    """

    body: str
    attributes: dict[str, dict] = field(default_factory=dict)
    message: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, message: dict) -> "Letter":
        """Return a message that was received, with all its attributes."""
        return cls(message["Body"], message.get("MessageAttributes", {}), message)

    @property
    def id(self) -> str:
        """SQS's id of it."""
        return self.message["MessageId"]

    @property
    def sent(self) -> pd.Timestamp:
        """When it was first sent: on its way to a dead-letter queue a message keeps that time.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
        """
        return pd.Timestamp(int(self.message["Attributes"]["SentTimestamp"]), unit="ms", tz="UTC")

    @property
    def failed_since(self) -> pd.Timestamp:
        """When the function may first have failed on it; Lambda sends its record after the last attempt."""
        return self.sent - KEPT if self.payload is not None else self.sent

    @property
    def receives(self) -> int:
        """How often it was received, our own looks included."""
        return int(self.message["Attributes"]["ApproximateReceiveCount"])

    @cached_property
    def content(self) -> dict:
        """The JSON object that its text is, or an empty one."""
        return json_object(self.body)

    @property
    def payload(self) -> object:
        """What the function was invoked with, if this is the record that Lambda keeps of a failure, or None.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        return self.content.get("requestPayload") if "requestContext" in self.content else None

    @property
    def condition(self) -> str:
        """Why Lambda gave up, such as `RetriesExhausted`; empty if this is no such record."""
        match self.content:
            case {"requestContext": {"condition": str(condition)}}:
                return condition
        return ""

    @property
    def origin(self) -> str:
        """The name of the queue or function that it was for, if it says so; empty if it does not.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
        """
        match self.content:
            case {"requestContext": {"functionArn": str(arn)}}:
                return arn.split(":")[6]
        return self.message.get("Attributes", {}).get("DeadLetterQueueSourceArn", "").rpartition(":")[2]

    @property
    def error(self) -> str:
        """What the function said in the end, its error's name and text; empty if Lambda does not tell."""
        said = self.content.get("responsePayload")
        if not isinstance(said, dict) or not said:
            return ""
        return f"{said.get('errorType', 'error')}: {said.get('errorMessage', '')}"

    @cached_property
    def objects(self) -> list[ObjectRecord]:
        """The objects that it speaks of; none if one of its records cannot be read."""
        try:
            return list(_records(self.payload or self.content))
        except (KeyError, TypeError, AttributeError):
            return []


def _records(content: Any) -> Iterator[ObjectRecord]:
    """Yield the records of an S3 event, bare or in an envelope of SNS, as the functions read them."""
    if content.get("Type") == "Notification":
        yield from _records(json_object(content["Message"]))
        return
    for record in content["Records"]:
        match record:  # the functions want region and time, too
            case {
                "awsRegion": str(),
                "eventTime": str(),
                "eventName": str(event),
                "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}},
            }:
                yield ObjectRecord(bucket, unquote_plus(key), event)
            case _:
                raise TypeError("not a record of S3")


@dataclass
class Taken:
    """Messages in hand: nobody else gets them meanwhile.

    Attributes:
        waiting: Their queue.
    """

    waiting: Waiting
    _by_id: dict[str, Letter] = field(default_factory=dict)

    @property
    def letters(self) -> list[Letter]:
        """They, as far as they are not deleted."""
        return list(self._by_id.values())

    def delete(self, letter: Letter) -> None:
        """Delete one for good, after something else has it."""
        handle = letter.message["ReceiptHandle"]
        self.waiting.client.delete_message(QueueUrl=self.waiting.url, ReceiptHandle=handle)
        del self._by_id[letter.id]


@contextmanager
def taken(waiting: Waiting, most: int) -> Iterator[Taken]:
    """Take messages in hand; those that are not deleted are given back at the end, whatever happens.

    Each comes once. They are received once more by it, which does no harm: queues of dead letters have no
    redrive policy of their own.

    Args:
        waiting: Their queue.
        most: How many at most; SQS lets 120,000 be in hand at a time.
            https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html

    Yields:
        The messages.
    """
    found: dict[str, Letter] = {}
    hand = Taken(waiting, found)
    try:
        is_more = True
        while is_more and len(found) < most:
            received = {letter.id: letter for letter in _receive(waiting, most, len(found))}
            is_more = not received.keys() <= found.keys()  # else nothing is left, or all of it comes again
            found |= received
        yield hand
    finally:
        _give_back(hand)


def _receive(waiting: Waiting, most: int, found: int) -> list[Letter]:
    answer = waiting.client.receive_message(
        QueueUrl=waiting.url,
        MaxNumberOfMessages=min(BATCH, most - found),
        VisibilityTimeout=HIDDEN_S + most // MESSAGES_PER_S,
        WaitTimeSeconds=WAIT_S,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return [Letter.of(message) for message in answer.get("Messages", [])]


def _give_back(hand: Taken) -> None:
    """Let others see the messages at once; one that is refused is in nobody's hand any more."""
    handles = [letter.message["ReceiptHandle"] for letter in hand.letters]
    for first in range(0, len(handles), BATCH):
        batch = enumerate(handles[first : first + BATCH])
        entries = [{"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0} for n, handle in batch]
        hand.waiting.client.change_message_visibility_batch(QueueUrl=hand.waiting.url, Entries=entries)
