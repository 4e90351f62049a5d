"""Large files in pieces: where they are cut, and the messages that name one.

A message is an event as S3 sends it, about the file, so that whoever looks at what is stuck, redrives or
audits sees a file; what is to be done with which part of it stands in the event's name. It names the version,
too: all pieces are of one version.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from common.events import ObjectEvent
from common.hand_over import s3_event
from common.objects import ObjectState
from csv_rows import BEGINNING, Position, Row

# What one invocation can store, or nearly; and of which bytes it is remembered which keys were there.
PIECE_BYTES, PIECE_ROWS = 16 * 2**20, 100_000
# Beyond that a compressed file is taken for a large one; how much is in it nobody knows before.
COMPRESSED_BYTES = 2**20
# How often work may be handed on in a row. Lambda stops a function whose messages come back to it some 16
# times: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
MOST_STEPS = 14
BATCH = 10  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
PART = re.compile(
    r"ObjectCreated:(?P<kind>Rest|Piece) from byte (?P<byte>\d+) to (?P<end>\d+|the end), line (?P<line>\d+)"
    r", stored to (?P<stored>\d+), step (?P<step>\d+)"
)
ANEW = "ObjectCreated:Anew"


class TooManyStepsError(Exception):
    """A part of a file was handed on as often as Lambda allows, and is not done."""


@dataclass(frozen=True)
class Part:
    """A part of one version of a file, and what is to be done with it.

    Attributes:
        kind: `Piece`, which is to be stored, or `Rest`, which is to be cut into pieces.
        begin: Where it begins.
        end: The byte before which it ends; None: where the file does.
        stored: The byte before which its rows are stored already.
        step: How often its work was handed on.
    """

    kind: str
    begin: Position = BEGINNING
    end: int | None = None
    stored: int = 0
    step: int = 0

    @classmethod
    def of(cls, event: ObjectEvent) -> "Part | None":
        """Return the part that an event is about; None if it is about the file as it is now."""
        found = PART.fullmatch(event.event_name)
        if not found:
            return None
        begin = Position(int(found["byte"]), int(found["line"]))
        end = None if found["end"] == "the end" else int(found["end"])
        return cls(found["kind"], begin, end, int(found["stored"]), int(found["step"]))

    @property
    def is_whole(self) -> bool:
        """Whether it is all of a file that is to be stored in one piece."""
        return self.kind == "Piece" and self.begin == BEGINNING and self.end is None

    @property
    def event_name(self) -> str:
        """What the event is called that is about it."""
        end = "the end" if self.end is None else self.end
        return (
            f"ObjectCreated:{self.kind} from byte {self.begin.byte} to {end}, line {self.begin.line}, "
            f"stored to {self.stored}, step {self.step}"
        )

    def next(self) -> "Part":
        """Return it for the next step.

        Raises:
            TooManyStepsError: There were too many.
        """
        if self.step >= MOST_STEPS:
            raise TooManyStepsError(
                f"not done in {MOST_STEPS} steps: raise function_timeout_s or function_memory_mb, or is the "
                "table throttled?"
            )
        return replace(self, step=self.step + 1)


def pieces(rows: Iterable[Row], begin: Position) -> Iterator[tuple[Position, Position, int]]:
    """Cut a file into pieces between rows: always the same ones for the same file.

    Args:
        rows: Of the file, from a place on.
        begin: That place.

    Yields:
        Where each begins and ends, and how many rows are in it.
    """
    count, end = 0, begin
    for row in rows:
        count, end = count + 1, row.end
        if count == PIECE_ROWS or end.byte - begin.byte >= PIECE_BYTES:
            yield begin, end, count
            begin, count = end, 0
    if count:
        yield begin, end, count


class PieceQueue:
    """The queue that brings parts of files back to this function, one an invocation."""

    def __init__(self, client, name: str):
        """Take an SQS client of the queue's region, and the queue's name."""
        self._client, self._name, self._url = client, name, ""

    def send(self, event: ObjectEvent, state: ObjectState, parts: Iterable[Part]) -> int:
        """Send a message for each part; return how many.

        Args:
            event: What the file is known by.
            state: The version of which they are parts.
            parts: Of that version.

        Raises:
            RuntimeError: SQS did not take all.
            ClientError: SQS refused a call.
        """
        bodies = [json.dumps(_message(event, state, part.event_name)) for part in parts]
        self._send(bodies)
        return len(bodies)

    def send_anew(self, event: ObjectEvent, state: ObjectState) -> None:
        """Have the file stored as it is now; raises as `send` does."""
        self._send([json.dumps(_message(event, state, ANEW))])

    def _send(self, bodies: list[str]) -> None:
        if bodies and not self._url:
            self._url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        for first in range(0, len(bodies), BATCH):
            batch = enumerate(bodies[first : first + BATCH])
            entries = [{"Id": str(number), "MessageBody": body} for number, body in batch]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if failed := answer.get("Failed"):
                raise RuntimeError(f"{self._name}: {len(failed)} messages not taken: {failed[0]['Message']}")


def _message(event: ObjectEvent, state: ObjectState, name: str) -> dict:
    about = replace(event, version_id=state.version.get("VersionId"))
    message = s3_event(about, name)
    (record,) = message["Records"]
    record["s3"]["object"] |= {"eTag": state.etag.strip('"'), "size": state.size}
    return message
