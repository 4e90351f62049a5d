"""Making the table have the rows that a file has now.

An event only says *look at this key*: what it says about the file may be old, doubled or out of order.

Why a slow delivery of an overwritten file does not have the last word. Take the last write of a row by
delivery D, from version v of the file. After all its writes, D looks at the file again:
- D sees another version: then D reads and writes that one, and looks again.
- D sees v, and v stays: the table has what the file has.
- D sees v, and w is put later: the event of w is delivered after that put, hence after D's writes, and
  w's delivery writes all rows of w over them.
A delivery that fails or dies has not been acknowledged: it comes back, or waits in the dead-letter queue to
be sent again, and then reads what the file is at that time. The rejected rows are written before the second
look too, so the same holds for them.

Of two rows with one ticker and timestamp and other values in one file, the first is stored and the other
rejected.

What is not promised: a row that the newest version no longer has stays as an older one left it, since an
ingest only adds; of two rows with one ticker and timestamp in two different files, any may win; rows before
the place where a file turns out to be poison may have been stored.
"""

from contextlib import closing
from dataclasses import dataclass

from common.objects import Place, look
from csv_rows import read_rows
from item_writer import ItemWriter
from rejected_rows import RejectedRows
from seen_rows import SeenRows
from stock_items import ItemMaker
from stock_values import BadRowError

LOOKS = 5  # at the file, before a delivery gives up on a key that changes as fast as it is stored


class SourceKeepsChangingError(Exception):
    """The file was overwritten each time while it was being stored."""


@dataclass(frozen=True)
class Outcome:
    """What a delivery found or did.

    Attributes:
        name: `stored`, or `gone` (there is no file now).
        size: Of the file, in bytes.
        rows_stored: Rows put into the table, of the version that was read last.
        rows_rejected: Its bad rows.
        version_id: That version; None without versioning, or if gone.
    """

    name: str
    size: int = 0
    rows_stored: int = 0
    rows_rejected: int = 0
    version_id: str | None = None


def consume(source: Place, rejected: Place, table, time_to_live_days: int = 0) -> Outcome:
    """Store the rows that a file has now; look again after that, until the file has not changed.

    Args:
        source: The file.
        rejected: The object for its bad rows; deleted if there are none.
        table: A boto3 Table with hash key PK and range key SK.
        time_to_live_days: Items expire so many days after they were stored; 0: never.

    Returns:
        What was done.

    Raises:
        PoisonFileError: It is not CSV of stock prices.
        SourceKeepsChangingError: The file was another at each of LOOKS looks.
        UnprocessedItemsError: The table is throttled.
        ClientError: AWS refused a call. A 403 does not mean that the file does not exist.
    """
    outcome = Outcome("gone")
    for _ in range(LOOKS):
        answer = _get(source)
        if answer is None:
            return outcome
        outcome = _store(answer, source.key, rejected, table, time_to_live_days)
        now = look(source, with_checksums=False)
        if now is None or _version(now.head) == _version(answer):
            return outcome
    raise SourceKeepsChangingError(f"s3://{source.bucket}/{source.key}: another at each of {LOOKS} looks")


def _store(answer: dict, source_key: str, rejected: Place, table, time_to_live_days: int) -> Outcome:
    """Store the rows of what GetObject answered."""
    writer = ItemWriter(table)
    with closing(answer["Body"]) as body, RejectedRows() as bad_rows, SeenRows() as seen:
        rows = read_rows(body)
        maker = ItemMaker.from_header(next(rows, None), source_key, time_to_live_days)
        for row in rows:
            try:
                item = maker.item(row)
                seen.add(item, row.line)
            except BadRowError as error:
                bad_rows.add(row, str(error))
            else:
                writer.put(item)
        writer.flush()
        bad_rows.publish(rejected)
        return Outcome(
            "stored", answer["ContentLength"], writer.count, bad_rows.count, answer.get("VersionId")
        )


def _get(source: Place) -> dict | None:
    """Return what GetObject answers, or None if there is no such object now."""
    try:
        return source.client.get_object(**source.name)
    except source.client.exceptions.NoSuchKey:
        return None


def _version(answer: dict) -> tuple[str, str | None]:
    """Return what changes when an object is overwritten with something else."""
    return answer["ETag"], answer.get("VersionId")
