"""Files' rows against items: *ingest*, file by file.

What is comparable: each row of a file that is there now, except those so old that DynamoDB may have deleted
their items. The file's text is read by `table_rows`, independently of *consume*: what can be no item must be
among the rejected rows, what can must be in the table. What is not: items without a file, or without a row in
it, since files expire before items do, and an ingest never deletes; and, of two files with a row of the same
key, the one that was stored first.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain, islice

from botocore.client import BaseClient
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from lib.base.errors import RunbookError
from lib.base.shown import counted
from lib.operate.audits.findings import MISSING, SAME, STALE, UNJUDGED, Finding, not_due
from lib.operate.audits.history import Grace
from lib.operate.audits.table_rows import NotOfTableError, Row, place_of, rejected_lines, rows_of
from lib.operate.audits.table_shape import Shape, Value, held
from lib.parameters.sections import PIECES_PREFIX, REJECTED_PREFIX
from lib.s3.listing import Entry, listing
from lib.s3.objects import Place

BATCH = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
ATTEMPTS = 8  # at keys that DynamoDB leaves unprocessed, when it is throttled
IN_PIECES = 0  # the number of the line that says so
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
        shape: What the table is.
        rejected_prefix: What the keys of rejected rows begin with.
        clock: Tells the time.
    """

    files: Place
    client: BaseClient
    table: str
    grace: Grace
    shape: Shape
    rejected_prefix: str = REJECTED_PREFIX
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

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
                rows = rows_of(body, self._rejected(key), self.shape)
                counts, wrong = self._count(key, rows, answer["LastModified"])
            except NotOfTableError as error:
                wrong = ""
                finding = Finding(key, MISSING, f"not stored: {error}")
            else:
                finding = _judged(key, counts)
        if finding.state in (SAME, UNJUDGED):
            return finding
        held = f"{answer['ETag']}, {wrong}".replace('"', "")
        return self.grace.or_in_flight(replace(finding, held=held), answer["LastModified"])

    def _count(self, key: str, rows: Iterator[Row], written: datetime) -> tuple[Counter[str], str]:
        """Count what became of a file's rows; return that, and a digest of those that are wrong, and how."""
        counts, wrong = Counter[str](), sha256()
        while batch := list(islice(rows, BATCH)):
            asked = {row.place for row in batch if row.can_be_stored and not self._has_expired(row, written)}
            items = self._items([*asked]) if asked else {}
            for row in batch:
                item = items.get(row.place)
                state = _state(key, row, item, is_due=row.place in asked)
                counts[state] += 1
                if state in WRONG:
                    there = sorted(_compared(item, row).items()) if item else ""
                    wrong.update(f"{row.line} {state} {there}\n".encode("utf-8", "surrogatepass"))
        return counts, wrong.hexdigest()[:32]

    def _has_expired(self, row: Row, written: datetime) -> bool:
        """Tell whether the item of a row may be gone: it was stored when the file was written, or later."""
        if self.shape.time_to_live_column:
            return row.expires is not None and row.expires < self.clock().timestamp()
        days = self.shape.time_to_live_days
        return bool(days) and written < self.clock() - timedelta(days=days)

    def _rejected(self, key: str) -> Iterator[int]:
        """Yield the lines that were rejected, of a file in pieces piece by piece."""
        lines = self._lines_in(f"{self.rejected_prefix}{key}")
        first = next(lines, None)
        if first == IN_PIECES:
            folder = f"{self.rejected_prefix}{PIECES_PREFIX}{key}/"
            listed = listing(self.files, folder)
            names = (entry.key for entry in listed if "/" not in entry.key.removeprefix(folder))
            yield from chain.from_iterable(map(self._lines_in, names))
        elif first is not None:
            yield first
            yield from lines

    def _lines_in(self, name: str) -> Iterator[int]:
        try:
            body = self.files.client.get_object(Bucket=self.files.bucket, Key=name)["Body"]
        except self.files.client.exceptions.NoSuchKey:
            return iter(())
        return rejected_lines(body)

    def _items(self, keys: list[tuple[Value, ...]]) -> dict[tuple[Value, ...], dict[str, Value]]:
        """Return the items of so many keys, by key."""
        found: list[dict] = []
        names = [*self.shape.keys]
        left = [
            {name: {kind: str(value)} for name, (kind, value) in zip(names, key, strict=True)} for key in keys
        ]

        def take() -> bool:
            asked = {self.table: {"Keys": left, "ConsistentRead": True}}
            answer = self.client.batch_get_item(RequestItems=asked)
            found.extend(answer["Responses"].get(self.table, []))
            left[:] = answer["UnprocessedKeys"].get(self.table, {}).get("Keys", [])
            return bool(left)

        def give_up(_: object) -> None:
            keys = counted(len(left), "key")
            raise RunbookError(f"{self.table}: DynamoDB left {keys} unprocessed {ATTEMPTS} times")

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(0.1, 5),
            retry_error_callback=give_up,
        )(take)
        items = ({name: held(value) for name, value in item.items()} for item in found)
        return {place_of(item): item for item in items}


def _state(key: str, row: Row, item: Mapping[str, Value] | None, is_due: bool) -> str:
    """Say what became of a row; one of another file at the same place has been stored later."""
    if not row.can_be_stored:
        return "rejected" if row.is_rejected else "not rejected"
    if not is_due:
        return "rejected" if row.is_rejected else "expired"
    if item is not None and item.get("source_key", ("S", key)) != ("S", key):
        return "rejected" if row.is_rejected else "stored"
    is_same = item is not None and _compared(item, row) == row.item
    if row.is_rejected:  # rightly, if a row before it has its place with other values
        return "rejected" if item is not None and not is_same else "wrongly rejected"
    return "missing" if item is None else "stored" if is_same else "differ"


def _compared(item: Mapping[str, Value], row: Row) -> dict[str, Value]:
    """Return what of an item a row tells: not which file it is of, nor when it expires by no column."""
    untold = {"source_key"} | ({"expires"} - row.item.keys())
    return {name: value for name, value in item.items() if name not in untold}


def _judged(key: str, counts: Counter[str]) -> Finding:
    rows = counts.total() - counts["rejected"]
    for state, said in WRONG.items():
        if counts[state]:
            return Finding(key, MISSING if state == "missing" else STALE, said.format(counts[state], rows))
    if counts["expired"] and not counts["stored"]:
        return not_due(key, "so old that its items have expired")
    return Finding(key, SAME)
