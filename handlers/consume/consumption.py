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

**A large file** is cut into pieces, each a message to the function itself, by version and place. A piece of a
version that is not the current one any more is not stored. One that sees another version after its writes has
the whole file stored anew, for what it may have written over. So the same holds. What an invocation has no
time for it hands on, and says up to where it has come: whoever goes on reads what is before that again, so
that the rejected rows and the rows seen are the whole piece's, and writes only what is behind it.

Of two rows with one key and other values in one piece, the first is stored and the other rejected.

What is not promised: a row that the newest version no longer has stays as an older one left it, since an
ingest only adds; of two rows with one key in two different files, or two pieces, any may win; rows before
the place where a file turns out to be poison may have been stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from column_values import BadRowError
from common.events import ObjectEvent
from common.objects import ObjectState, Place, look
from csv_rows import BEGINNING, Row
from item_writer import ItemWriter
from items import ItemMaker
from pieces import Part, PieceQueue, pieces
from rejected_rows import RejectedPlace, RejectedRows
from seen_rows import SeenRows
from table_description import TableDescription
from table_file import TableFile

LOOKS = 5  # at the file, before a delivery gives up on a key that changes as fast as it is stored


class SourceKeepsChangingError(Exception):
    """The file was overwritten each time while it was being stored."""


@dataclass(frozen=True)
class Outcome:
    """What a delivery found or did.

    Attributes:
        name: `stored`; `stored in part`, and the rest handed on; `handed on` as a whole, since it is large;
            `cut` into pieces; `cut in part`, and the rest handed on; `superseded` by another version;
            or `gone` (there is no file now).
        part: Of the file; None for the file as it is now.
        size: Of the file, in bytes.
        rows_stored: Rows put into the table, of the version that was read last.
        rows_rejected: Its bad rows; of a part, when all of it is stored.
        version_id: That version, or that which a part is of; None without versioning.
        pieces: How many were cut.
        rows_cut: How many rows are in them.
    """

    name: str
    part: Part | None = None
    size: int = 0
    rows_stored: int = 0
    rows_rejected: int = 0
    version_id: str | None = None
    pieces: int = 0
    rows_cut: int = 0

    @property
    def has_stored(self) -> bool:
        """Whether rows were stored."""
        return self.name in ("stored", "stored in part")

    @property
    def has_cut(self) -> bool:
        """Whether pieces were cut."""
        return self.name in ("cut", "cut in part")

    @property
    def is_done(self) -> bool:
        """Whether nothing of it was handed on."""
        return self.name in ("stored", "cut")


@dataclass(frozen=True)
class Consumer:
    """What the rows of a file go through.

    Attributes:
        table: A boto3 Table.
        description: What it is.
        time_to_live_days: As for ItemMaker.
        queue: Takes parts of large files, and what there is no time for.
        is_over: Tells whether there is no time left to begin anything.
    """

    table: object
    description: TableDescription
    time_to_live_days: int
    queue: PieceQueue
    is_over: Callable[[], bool]

    def consume(self, event: ObjectEvent, source: Place, rejected: RejectedPlace) -> Outcome:
        """Do what an event is about.

        Args:
            event: About a file, or a part of it.
            source: The file.
            rejected: Where its bad rows go; nothing stays there if there are none.

        Returns:
            What was done.

        Raises:
            PoisonFileError: It is no file of this table.
            SourceKeepsChangingError: The file was another at each of LOOKS looks.
            TooManyStepsError: A part was handed on too often.
            UnprocessedItemsError: The table is throttled.
            ClientError: AWS refused a call. A 403 does not mean that the file does not exist.
        """
        part = Part.of(event)
        if part is None:
            return self._consume_file(event, source, rejected)
        state = look(source, with_checksums=False)
        if state is None:
            return Outcome("gone", part, version_id=event.version_id)
        if not _is_of(event, state):
            return Outcome("superseded", part, state.size, version_id=event.version_id)
        with TableFile(source, self.description.file_format, state, part.begin) as file:
            if part.kind == "Rest":
                return self._cut(event, file, part, rejected)
            outcome = self._store(event, file, part, rejected)
        now = look(source, with_checksums=False)
        if outcome.name == "stored" and now and not _is_of(event, now):
            self.queue.send_anew(event, now)
        return outcome

    def _consume_file(self, event: ObjectEvent, source: Place, rejected: RejectedPlace) -> Outcome:
        """Store the rows that a file has now, and look again until it has not changed; or hand it on."""
        outcome = Outcome("gone")
        for _ in range(LOOKS):
            try:
                file = TableFile(source, self.description.file_format)
            except source.client.exceptions.NoSuchKey:
                return outcome
            with file:
                if file.is_large:
                    self.queue.send(event, file.state, [Part("Rest", step=1)])
                    return Outcome(
                        "handed on", size=file.state.size, version_id=file.state.head.get("VersionId")
                    )
                outcome = self._store(event, file, Part("Piece"), rejected)
            if outcome.name != "stored":
                return outcome
            now = look(source, with_checksums=False)
            if now is None or _version(now) == _version(file.state):
                return outcome
        raise SourceKeepsChangingError(f"s3://{source.bucket}/{source.key}: another at each of {LOOKS} looks")

    def _store(self, event: ObjectEvent, file: TableFile, part: Part, rejected: RejectedPlace) -> Outcome:
        """Store the rows of a part."""
        header, rows = file.rows(part.end)
        maker = self._maker(header, event.key)
        repeated, before, stopped = 0, part.begin.byte, None
        with (
            RejectedRows() as bad_rows,
            SeenRows(self.description) as seen,
            ItemWriter[tuple[Row, int]](self.table) as writer,
        ):
            for row in rows:
                if self.is_over():
                    stopped = before
                    break
                try:
                    item = maker.item(row)
                    is_first = seen.add(item, row.line)
                except BadRowError as error:
                    bad_rows.add(row, str(error))
                else:
                    if row.end.byte > part.stored and is_first:
                        writer.put(item, (row, before))
                    repeated += row.end.byte > part.stored and not is_first
                before = row.end.byte
            writer.flush()
            outcome = Outcome(
                "stored",
                part,
                file.state.size,
                rows_stored=writer.count + repeated,
                version_id=file.state.head.get("VersionId"),
            )
            if stopped is not None:
                # Whoever goes on tells what is wrong with refused rows, since it writes them once more.
                stopped = min([stopped, *(begin for (_, begin), _ in writer.refused)])
                rest = replace(part.next(), stored=max(stopped, part.stored))
                self.queue.send(event, file.state, [rest])
                return replace(outcome, name="stored in part")
            for (row, _), reason in writer.refused:
                bad_rows.add_late(row, reason)
            if part.is_whole:
                bad_rows.publish(rejected)
            else:
                bad_rows.publish_piece(rejected, part.begin.line)
            return replace(outcome, rows_rejected=bad_rows.count)

    def _cut(self, event: ObjectEvent, file: TableFile, part: Part, rejected: RejectedPlace) -> Outcome:
        """Send a message for each piece of the rest of a file."""
        header, rows = file.rows()
        begin = part.begin
        if begin == BEGINNING:
            rejected.withdraw()
            rejected.withdraw_pieces()
            self._maker(header, event.key)  # which raises if it is none
            begin = header.end if header else begin
        name, count, rows_cut = "cut", 0, 0
        following = part.next()
        for first, last, rows_of_it in pieces(rows, begin):
            if self.is_over():
                self.queue.send(event, file.state, [replace(following, begin=first)])
                name = "cut in part"
                break
            piece = replace(following, kind="Piece", begin=first, end=last.byte)
            self.queue.send(event, file.state, [piece])
            count, rows_cut = count + 1, rows_cut + rows_of_it
        version_id = file.state.head.get("VersionId")
        return Outcome(name, part, file.state.size, version_id=version_id, pieces=count, rows_cut=rows_cut)

    def _maker(self, header: Row | None, source_key: str) -> ItemMaker:
        if self.description.file_format == "csv":
            return ItemMaker.from_header(self.description, header, source_key, self.time_to_live_days)
        return ItemMaker(self.description, (), source_key, self.time_to_live_days)


def _is_of(event: ObjectEvent, state: ObjectState) -> bool:
    """Tell whether an event about a part is about this version."""
    return (event.etag, event.version_id) == (state.etag.strip('"'), state.version.get("VersionId"))


def _version(state: ObjectState) -> tuple[str, str | None]:
    """Return what changes when an object is overwritten with something else."""
    return state.etag, state.version.get("VersionId")
