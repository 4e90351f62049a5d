"""Files' rows against items: *ingest*, file by file.

What is comparable: each row of a file that is there now, except those so old that DynamoDB may have deleted
their items. The file's text is read by `stock_rows`, independently of *consume*: what can be no item must be
among the rejected rows, what can must be in the table. What is not: items without a file, or without a row in
it, since files expire before items do, and an ingest never deletes; and, of two files with a row of the same
ticker and time, the one that was stored first.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from botocore.client import BaseClient
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from lib.base.errors import RunbookError
from lib.operate.audits.findings import MISSING, SAME, STALE, UNJUDGED, Finding, not_due
from lib.operate.audits.history import Grace
from lib.operate.audits.stock_rows import NotStocksError, Row, rejected_lines, rows_of
from lib.s3.listing import Entry
from lib.s3.objects import Place

BATCH = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
ATTEMPTS = 8  # at keys that DynamoDB leaves unprocessed, when it is throttled
# What may be wrong with rows, the worst first.
WRONG = {
    "missing": "{:,} of {:,} rows are not stored",
    "differ": "{:,} of {:,} rows are stored otherwise",
    "not rejected": "{:,} of {:,} rows can be no items, but are not rejected",
    "wrongly rejected": "{:,} of {:,} rows are rejected, but can be stored",
}


@dataclass(frozen=True)
class StoredFiles:
    """Judges the files of *ingest* by the items of the table.

    Attributes:
        files: The bucket.
        client: A DynamoDB client of the table's region.
        table: The table's name.
        grace: How old a change must be.
        time_to_live_days: After how many days items may be gone; 0 for never.
        rejected_prefix: What the keys of rejected rows begin with.
    """

    files: Place
    client: BaseClient
    table: str
    grace: Grace
    time_to_live_days: int = 0
    rejected_prefix: str = "rejected/"

    def judge(self, entry: Entry) -> Finding:
        """Judge a file of the listing."""
        return self.look(entry.key)

    def look(self, key: str) -> Finding:
        """Judge a file by what is stored of it now."""
        try:
            answer = self.files.client.get_object(Bucket=self.files.bucket, Key=key)
        except self.files.client.exceptions.NoSuchKey:
            return not_due(key, "deleted meanwhile")
        with closing(answer["Body"]) as body:
            try:
                counts = self._count(key, rows_of(body, self._rejected(key)))
            except NotStocksError as error:
                finding = Finding(key, MISSING, f"not stored: {error}")
            else:
                finding = _judged(key, counts)
        is_fine = finding.state in (SAME, UNJUDGED)
        return finding if is_fine else self.grace.or_in_flight(finding, answer["LastModified"])

    def _count(self, key: str, rows: Iterator[Row]) -> Counter[str]:
        """Count what became of the rows of a file."""
        counts: Counter[str] = Counter()
        while batch := list(islice(rows, BATCH)):
            asked = {row.place for row in batch if row.can_be_stored and not self._has_expired(row)}
            items = self._items(list(asked)) if asked else {}
            counts.update(_state(key, row, items.get(row.place), is_due=row.place in asked) for row in batch)
        return counts

    def _has_expired(self, row: Row) -> bool:
        days = self.time_to_live_days
        return bool(days) and row.time < datetime.now(UTC) - timedelta(days=days)

    def _rejected(self, key: str) -> Iterator[int]:
        name = {"Bucket": self.files.bucket, "Key": f"{self.rejected_prefix}{key}"}
        try:
            body = self.files.client.get_object(**name)["Body"]
        except self.files.client.exceptions.NoSuchKey:
            return iter(())
        return rejected_lines(body)

    def _items(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], dict]:
        """Return the items of so many keys, by key."""
        found: list[dict] = []
        left = [{"PK": {"S": ticker}, "SK": {"S": timestamp}} for ticker, timestamp in keys]

        def take() -> bool:
            asked = {self.table: {"Keys": left, "ConsistentRead": True}}
            answer = self.client.batch_get_item(RequestItems=asked)
            found.extend(answer["Responses"].get(self.table, []))
            left[:] = answer["UnprocessedKeys"].get(self.table, {}).get("Keys", [])
            return bool(left)

        def give_up(_: object) -> None:
            raise RunbookError(f"{self.table}: DynamoDB left {len(left)} keys unprocessed {ATTEMPTS} times")

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(0.1, 5),
            retry_error_callback=give_up,
        )(take)
        return {(item["PK"]["S"], item["SK"]["S"]): item for item in found}


def _state(key: str, row: Row, item: dict | None, is_due: bool) -> str:
    """Say what became of a row; one of another file at the same place has been stored later."""
    if not row.can_be_stored:
        return "rejected" if row.is_rejected else "not rejected"
    if not is_due:
        return "rejected" if row.is_rejected else "expired"
    if item is not None and item.get("source_key", {}).get("S", key) != key:
        return "rejected" if row.is_rejected else "stored"
    # An item that somebody else has written may have none of these.
    price, volume = (Decimal((item or {}).get(name, {}).get("N", "NaN")) for name in ("price", "volume"))
    is_same = (price, volume) == (row.price, row.volume)
    if row.is_rejected:  # rightly, if a row before it has its place with other values
        return "rejected" if item is not None and not is_same else "wrongly rejected"
    return "missing" if item is None else "stored" if is_same else "differ"


def _judged(key: str, counts: Counter[str]) -> Finding:
    rows = counts.total() - counts["rejected"]
    for state, said in WRONG.items():
        if counts[state]:
            return Finding(key, MISSING if state == "missing" else STALE, said.format(counts[state], rows))
    if counts["expired"] and not counts["stored"]:
        return not_due(key, "so old that its items have expired")
    return Finding(key, SAME)
