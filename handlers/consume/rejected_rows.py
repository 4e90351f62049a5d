"""The bad rows of a file, kept beside its good ones: one CSV object a source key.

A file that is worked off in pieces has one object for each piece with bad rows, in a folder of its own, and
one in the place of the whole file that says so.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import TextIO

from common.objects import Place, is_listed
from csv_rows import Row

COLUMNS = ("line", "reason", "row")
PIECES = "pieces/"  # below the prefix for rejected rows; no key that is consumed begins so
MAX_KEY_BYTES = 1024


@dataclass(frozen=True)
class RejectedPlace:
    """Where the bad rows of a file go.

    Attributes:
        whole: The object for those of the whole file.
        folder: What the keys of those for its pieces begin with.
    """

    whole: Place
    folder: str

    @classmethod
    def of(cls, client, bucket: str, prefix: str, key: str) -> "RejectedPlace":
        """Return the place for a file of this key."""
        return cls(Place(client, bucket, prefix + key), f"{prefix}{PIECES}{key}/")

    def piece(self, line: int) -> Place:
        """Return the object for the piece that begins at a line."""
        return replace(self.whole, key=f"{self.folder}{line:012}.csv")

    def withdraw(self) -> None:
        """Delete all that is there; if there is nothing, it takes one call."""
        if is_listed(self.whole):
            self.whole.client.delete_object(**self.whole.name)
            self.withdraw_pieces()

    def withdraw_pieces(self) -> None:
        """Delete the objects for pieces."""
        for place in self._pieces():
            place.client.delete_object(**place.name)

    def _pieces(self) -> Iterator[Place]:
        pages = self.whole.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.whole.bucket, Prefix=self.folder
        )
        for page in pages:
            for found in page.get("Contents", []):
                # Not those of a key that goes on after this one: `a.csv/` is no folder of `a.csv/b.csv`.
                if "/" not in found["Key"].removeprefix(self.folder):
                    yield replace(self.whole, key=found["Key"])


class RejectedRows:
    """Collects the bad rows of one file, on disk, since they may be all of a large file.

    Attributes:
        count: How many there are.
    """

    def __init__(self):
        self.count = 0
        self._late: list[tuple[int, str, str]] = []
        # Text with a binary buffer below it, which is what S3 gets. Closed and gone with this object.
        self._file: TextIO = TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> "RejectedRows":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def add(self, row: Row, reason: str) -> None:
        """Add a row and say why it is bad; their lines ascend."""
        self._writer.writerow([row.line, reason, row.text])
        self.count += 1

    def add_late(self, row: Row, reason: str) -> None:
        """Add a row of which that turned out after those behind it."""
        self._late.append((row.line, reason, row.text))
        self.count += 1

    def publish(self, place: RejectedPlace) -> None:
        """Make the object for the whole file what was collected, or delete it if that is nothing.

        The same bytes for the same file. Of pieces, which an earlier version may have had, nothing stays.

        Raises:
            ClientError: S3 refused a call.
        """
        if not self.count:
            place.withdraw()
            return
        self._upload(place.whole)
        place.withdraw_pieces()

    def publish_piece(self, place: RejectedPlace, line: int) -> None:
        """Make the object for the piece from a line on what was collected, or delete it; as `publish`.

        Raises:
            ClientError: S3 refused a call.
        """
        piece = place.piece(line)
        if self.count:
            self._upload(piece)
            text = f'{",".join(COLUMNS)}\n0,"in pieces, a file for each: {place.folder}",\n'
            content = {"Body": text.encode(), "ContentType": "text/csv"}
            place.whole.client.put_object(**place.whole.name, **content)
        elif is_listed(piece):
            piece.client.delete_object(**piece.name)

    def _upload(self, place: Place) -> None:
        self._sort()
        self._file.flush()
        self._file.buffer.seek(0)
        content_type = {"ContentType": "text/csv"}
        place.client.upload_fileobj(self._file.buffer, place.bucket, place.key, ExtraArgs=content_type)

    def _sort(self) -> None:
        """Put what came late where it belongs.

        Read by hand: a row may be longer than the limit for a field, which holds for the whole process.
        """
        late, self._late = sorted(self._late), []
        if not late:
            return
        before, is_open = self._begin(), False  # a quote, in which a row goes on over the end of the line
        self._writer.writerow(COLUMNS)
        with before:
            before.seek(0)
            next(before)
            for line in before:
                while not is_open and late and late[0][0] < int(line.partition(",")[0]):
                    self._writer.writerow(late.pop(0))
                self._file.write(line)
                is_open ^= line.count('"') % 2 == 1
        self._writer.writerows(late)

    def _begin(self) -> TextIO:
        """Begin another file, and return the one before it."""
        before = self._file
        self._file = TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        return before
