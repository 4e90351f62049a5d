"""Working on the objects of a batch at the same time, each key by one at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor

from common.events import ObjectEvent

# As many messages as a batch without a window has at most, and connections as a boto3 client keeps open.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
AT_ONCE = 10
# Keys share them by their hashes: what waits for another key by chance is one in hundreds.
_LOCKS = [Lock() for _ in range(4096)]


class ConcurrentBatchProcessor(BatchProcessor):
    """Powertools' processor of a batch, whose messages are handled by some threads; same answer."""

    def process(self) -> list[tuple]:
        """Handle each message, and return the outcomes in the order of the messages."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            outcomes = list(threads.map(self._process_record, self.records))
        # Each thread has appended as it was done.
        self.fail_messages[:] = [message for outcome, _, message in outcomes if outcome == "fail"]
        return outcomes


def one_at_a_time(do: Callable[[ObjectEvent], Any]) -> Callable[[ObjectEvent], Any]:
    """Return what does something for an event, after whatever is being done for another one of its key.

    Deliveries of one key may overlap all the same, in other environments; but those of a batch would both
    find that there is something to do.
    """

    def alone(event: ObjectEvent) -> Any:
        with _LOCKS[hash((event.bucket, event.key)) % len(_LOCKS)]:
            return do(event)

    return alone
