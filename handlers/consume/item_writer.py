"""Writing items to DynamoDB in batches, some of them at a time, until the last of them is there.

Not boto3's `batch_writer`: it sends unprocessed items again at once and without end, where AWS asks for a
backoff, and goes on sending when the block that uses it has failed. https://github.com/boto/boto3/issues/4150
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
MAX_BATCH = 25
# A call takes some 10 ms, in most of which nothing is to be done here.
CALLS_AT_A_TIME = 8
# Waits of up to 0.1, 0.2, 0.4, … 5 s: 23 s in all at the most, for one batch.
ATTEMPTS = 10
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5

About = TypeVar("About")


class UnprocessedItemsError(Exception):
    """DynamoDB did not take all items of a batch."""


class ItemWriter(Generic[About]):
    """Puts items into a table; used in a `with` block, which ends when no call is under way any more.

    Attributes:
        refused: What was said of each item that DynamoDB refuses for what it is, and why.
    """

    def __init__(self, table, sleep: Callable[[float], None] = time.sleep):
        """Take a boto3 Table, and what waits between two attempts."""
        self.refused: list[tuple[About, str]] = []
        self._table, self._sleep = table, sleep
        self._batch: list[tuple[dict, About]] = []
        self._put = 0
        self._threads = ThreadPoolExecutor(CALLS_AT_A_TIME)
        self._sending: set[Future] = set()

    def __enter__(self) -> "ItemWriter":
        return self

    def __exit__(self, *_) -> None:
        self._threads.shutdown(cancel_futures=True)

    @property
    def count(self) -> int:
        """How many items were put and not refused."""
        return self._put - len(self.refused)

    def put(self, item: dict, about: About) -> None:
        """Put an item, with others and later; no two with one key.

        Args:
            item: Of the table.
            about: What `refused` shall have of it.

        Raises:
            UnprocessedItemsError: The table is throttled for longer than the attempts last.
            ClientError: DynamoDB refused a call.
        """
        self._batch.append((item, about))
        self._put += 1
        if len(self._batch) == MAX_BATCH:
            batch, self._batch = self._batch, []
            self._sending.add(self._threads.submit(self._send, batch))
            if len(self._sending) >= CALLS_AT_A_TIME:
                self._settle(FIRST_COMPLETED)

    def flush(self) -> None:
        """Send what waits to be sent, and wait until all is there; raises as `put` does."""
        while self._sending:
            self._settle(FIRST_COMPLETED)
        batch, self._batch = self._batch, []
        if batch:
            self._send(batch)

    def _settle(self, when: str) -> None:
        done, self._sending = wait(self._sending, return_when=when)
        for each in done:
            each.result()

    def _send(self, batch: list[tuple[dict, About]]) -> None:
        """Send a batch; what is refused as a whole, item by item."""
        try:
            self._send_all([{"PutRequest": {"Item": item}} for item, _ in batch])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            if len(batch) > 1:
                for each in batch:
                    self._send([each])
            else:
                ((_, about),) = batch
                self.refused.append((about, f"DynamoDB refuses it: {error.response['Error']['Message']}"))

    def _send_all(self, requests: list[dict]) -> None:
        for attempt in Retrying(
            retry=retry_if_exception_type(UnprocessedItemsError),
            wait=wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        ):
            with attempt:
                requests = self._call(requests)
                if requests:
                    raise UnprocessedItemsError(
                        f"{self._table.name}: {len(requests)} items not taken; throttled?"
                    )

    def _call(self, requests: list[dict]) -> list[dict]:
        """Send requests and return those that were not processed."""
        answer = self._table.meta.client.batch_write_item(RequestItems={self._table.name: requests})
        return answer["UnprocessedItems"].get(self._table.name, [])
