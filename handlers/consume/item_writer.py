"""Writing items to DynamoDB in batches, until the last of them is there.

Not boto3's `batch_writer`: it sends unprocessed items again at once and without end, where AWS asks for a
backoff, and goes on sending when the block that uses it has failed. https://github.com/boto/boto3/issues/4150
"""

import time
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
MAX_BATCH = 25
# Waits of up to 0.1, 0.2, 0.4, … 5 s: 23 s in all at the most, for one batch.
ATTEMPTS = 10
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5


class UnprocessedItemsError(Exception):
    """DynamoDB did not take all items of a batch."""


class ItemWriter:
    """Puts items into a table.

    Attributes:
        count: How many items were put, each row counted, also where a later one has the same key.
    """

    def __init__(self, table, sleep: Callable[[float], None] = time.sleep):
        """Take a boto3 Table, and what waits between two attempts."""
        self.count = 0
        self._table, self._sleep = table, sleep
        self._batch: dict[tuple[str, str], dict] = {}

    def put(self, item: dict) -> None:
        """Put an item, at once or with others; of those with one key in a batch only the last is sent.

        Raises:
            UnprocessedItemsError: The table is throttled for longer than the attempts last.
            ClientError: DynamoDB refused the call.
        """
        # DynamoDB refuses a batch with two items of one key.
        self._batch[item["PK"], item["SK"]] = item
        self.count += 1
        if len(self._batch) == MAX_BATCH:
            self.flush()

    def flush(self) -> None:
        """Send what waits to be sent; raises as `put` does."""
        requests = [{"PutRequest": {"Item": item}} for item in self._batch.values()]
        self._batch = {}
        for attempt in Retrying(
            retry=retry_if_exception_type(UnprocessedItemsError),
            wait=wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        ):
            with attempt:
                requests = self._send(requests)
                if requests:
                    raise UnprocessedItemsError(
                        f"{self._table.name}: {len(requests)} items not taken; throttled?"
                    )

    def _send(self, requests: list[dict]) -> list[dict]:
        """Send requests and return those that were not processed."""
        if not requests:
            return []
        answer = self._table.meta.client.batch_write_item(RequestItems={self._table.name: requests})
        return answer["UnprocessedItems"].get(self._table.name, [])
