"""One version of a file, plain or compressed, and its rows from any place on."""

import gzip
import io
from collections.abc import Iterator
from typing import Any

from common.objects import ObjectState, Place
from csv_rows import BEGINNING, MAX_ROW_CHARACTERS, Position, Row, read_rows
from json_rows import read_json_rows
from pieces import COMPRESSED_BYTES, PIECE_BYTES

GZIP = b"\x1f\x8b"  # what it begins with, and no text in UTF-8: https://www.rfc-editor.org/rfc/rfc1952#page-6
BLOCK_BYTES = 2**20
HEADER_BYTES = 4 * MAX_ROW_CHARACTERS  # or less


class TableFile:
    """One version of a file; used in a `with` block.

    Attributes:
        state: Which version it is.
        is_compressed: Whether it is, by its first bytes.
    """

    def __init__(
        self,
        source: Place,
        file_format: str,
        state: ObjectState | None = None,
        begin: Position = BEGINNING,
    ):
        """Begin to read the version that was looked at, or the current one.

        Args:
            source: The file.
            file_format: `csv` or `json lines`.
            state: What was looked at.
            begin: Where the part begins that is wanted; if that is elsewhere, this reads the header only.

        Raises:
            ClientError: S3 refused the call; 412 or 404 if it is not that version any more, or there is none.
        """
        self._source, self._is_csv, self._begin = source, file_format == "csv", begin
        pinned = _pinned(state) if state else {}
        which = {} if begin == BEGINNING else {"Range": f"bytes=0-{HEADER_BYTES - 1}"}
        answer = source.client.get_object(**source.name, **pinned, **which)
        self.state = state or ObjectState(answer)
        self._bodies = [answer["Body"]]
        self._first = io.BufferedReader(answer["Body"])
        self.is_compressed = self._first.peek(len(GZIP)).startswith(GZIP)

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, *_) -> None:
        for body in self._bodies:
            body.close()

    @property
    def is_large(self) -> bool:
        """Whether it is more than one piece, or may be: how much is in a compressed one nobody knows."""
        return self.state.size > (COMPRESSED_BYTES if self.is_compressed else PIECE_BYTES)

    def rows(self, end: int | None = None) -> tuple[Row | None, Iterator[Row]]:
        """Return the header, and the rows of the part; called once.

        Args:
            end: The byte before which it ends; None: where the file does.

        Returns:
            The header of a CSV file, None if there is none, and the rows but for that.

        Raises:
            PoisonFileError: It is none of the described kind; also while rows are read.
            ClientError: S3 refused a call, or it is not that version any more.
        """
        read = read_rows if self._is_csv else read_json_rows
        content: io.BufferedReader[Any] = self._first
        if self.is_compressed:
            content = io.BufferedReader(gzip.GzipFile(fileobj=self._first))
        rows = read(content)
        header = next(rows, None) if self._is_csv else None
        if self._begin != BEGINNING:
            rows = read(self._content_from(self._begin.byte, end), self._begin)
        return header, rows if end is None else _until(rows, end)

    def _content_from(self, byte: int, end: int | None) -> "io.RawIOBase | io.BufferedReader[Any]":
        """Return what is in the file from a byte on; what is compressed is read from the beginning."""
        which = {} if self.is_compressed else {"Range": f"bytes={byte}-{'' if end is None else end - 1}"}
        answer = self._source.client.get_object(**self._source.name, **_pinned(self.state), **which)
        self._bodies.append(answer["Body"])
        if not self.is_compressed:
            return answer["Body"]
        content = io.BufferedReader(gzip.GzipFile(fileobj=io.BufferedReader(answer["Body"])))
        while byte:
            byte -= len(content.read(min(byte, BLOCK_BYTES)))
        return content


def _pinned(state: ObjectState) -> dict:
    """Return the arguments that ask for the bytes that were looked at, and no others."""
    return {"IfMatch": state.etag}


def _until(rows: Iterator[Row], end: int) -> Iterator[Row]:
    for row in rows:
        yield row
        if row.end.byte >= end:
            return
