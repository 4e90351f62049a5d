"""Files' rows against items: *ingest*, file by file.

What is comparable: each row of a file that is there now, except those that *consume* has rejected and those
so old that DynamoDB may have deleted their items. What is not: items without a file, since files expire
before items do, and an ingest never deletes; and, of two files with a row of the same ticker and time, the
one that was stored first.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from lib.audits.findings import MISSING, SAME, STALE, UNJUDGED, Finding
from lib.audits.history import Grace
from lib.audits.stock_rows import NotStocksError, Row, good_rows, rejected_lines
from lib.errors import RunbookError
from lib.listing import Entry
from lib.objects import Place

BATCH = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MOST_DIFFERING = 10_000  # rows of a file, until no more of them are counted
ATTEMPTS = 8  # at keys that DynamoDB leaves unprocessed, when it is throttled


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
    client: object
    table: str
    grace: Grace
    time_to_live_days: int = 0
    rejected_prefix: str = "rejected/"

    def judge(self, entry: Entry) -> Finding | None:
        """Judge a file of the listing; None if its key is none that is consumed."""
        return self.look(entry.key) if entry.key.endswith(".csv") else None

    def look(self, key: str) -> Finding:
        """Judge a file by what is stored of it now."""
        try:
            answer = self.files.client.get_object(Bucket=self.files.bucket, Key=key)
        except self.files.client.exceptions.NoSuchKey:
            return Finding(key, UNJUDGED, "deleted meanwhile")
        with closing(answer["Body"]) as body:
            try:
                counts = self._count(key, good_rows(body, self._rejected(key)))
            except NotStocksError as error:
                finding = Finding(key, MISSING, f"not stored: {error}")
            else:
                finding = _judged(key, counts)
        is_fine = finding.state in (SAME, UNJUDGED)
        return finding if is_fine else self.grace.or_in_flight(finding, answer["LastModified"])

    def _count(self, key: str, rows: Iterator[Row]) -> Counter[str]:
        """Count how many rows of a file are stored, differ, are missing or have expired."""
        counts: Counter[str] = Counter()
        differing: set[tuple[str, str]] = set()
        while len(differing) < MOST_DIFFERING and (batch := list(islice(rows, BATCH))):
            lasting = {(row.ticker, row.timestamp): row for row in batch if not self._has_expired(row)}
            items = self._items(list(lasting)) if lasting else {}
            states = {place: _state(key, row, items.get(place)) for place, row in lasting.items()}
            counts.update(state for state in states.values() if state != "differ")
            counts["expired"] += sum(map(self._has_expired, batch))
            # Of two rows of a file at one place the later one counts.
            differing -= states.keys()
            differing |= {place for place, state in states.items() if state == "differ"}
        return counts + Counter(differ=len(differing))

    def _has_expired(self, row: Row) -> bool:
        days = self.time_to_live_days
        return bool(days) and row.time + timedelta(days=days) < datetime.now(UTC)

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


def _state(key: str, row: Row, item: dict | None) -> str:
    """Say what became of a row; one of another file at the same place has been stored later."""
    if item is None:
        return "missing"
    # An item that somebody else has written may have none of these.
    price, volume = (Decimal(item.get(name, {}).get("N", "NaN")) for name in ("price", "volume"))
    is_of_another = item.get("source_key", {}).get("S", key) != key
    return "stored" if is_of_another or (price, volume) == (row.price, row.volume) else "differ"


def _judged(key: str, counts: Counter[str]) -> Finding:
    rows = counts.total()
    if counts["missing"]:
        return Finding(key, MISSING, f"{counts['missing']:,} of {rows:,} rows are not stored")
    if counts["differ"]:
        return Finding(key, STALE, f"{counts['differ']:,} of {rows:,} rows are stored otherwise")
    if counts["expired"] and not counts["stored"]:
        return Finding(key, UNJUDGED, "so old that its items have expired")
    return Finding(key, SAME)
