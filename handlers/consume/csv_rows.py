"""Rows of a CSV file of any size, as they come, and where they stand."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

# A row may have quoted newlines; one that is longer is no row, and would not fit in an item of DynamoDB.
MAX_ROW_CHARACTERS = 2**20
BYTE_ORDER_MARK = "\ufeff"


class PoisonFileError(ValueError):
    """The file is not of the described kind: no row of it can be trusted."""


@dataclass(frozen=True)
class Position:
    """A place between two rows of a file.

    Attributes:
        byte: How many bytes stand before it, of what is in the file when it is not compressed.
        line: Number of the physical line that begins there, from 1.
    """

    byte: int = 0
    line: int = 1


BEGINNING = Position()


@dataclass(frozen=True)
class Row:
    """A row of the file.

    Attributes:
        line: Number of the physical line where it begins, from 1.
        text: What stands there, without the newline at the end.
        fields: Its columns, of JSON by their names; empty if there is a problem.
        problem: Why it is no row; None if it is one.
        end: Where the next one may begin.
    """

    line: int
    text: str
    fields: list[str] | dict[str, object]
    problem: str | None = None
    end: Position = field(default=BEGINNING, compare=False)


class Lines:
    """The physical lines of a text, those of the current row kept.

    Attributes:
        count: How many there are up to here.
        bytes: How many bytes these have.
    """

    def __init__(self, body: io.RawIOBase | io.BufferedReader, begin: Position = BEGINNING):
        """Take the bytes from a place on: UTF-8, at the beginning with or without byte order mark."""
        self.count, self.bytes = begin.line - 1, begin.byte
        # newline="": a quoted newline stays as it is. https://docs.python.org/3/library/csv.html#id4
        self._text = io.TextIOWrapper(io.BufferedReader(body), encoding="utf-8", newline="")
        self._row = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._read()
        if not line:
            raise StopIteration
        self.count += 1
        self._row += line
        return line

    @property
    def position(self) -> Position:
        """Where the next line begins."""
        return Position(self.bytes, self.count + 1)

    def take_row(self) -> str:
        """Return what was read since the last call."""
        row, self._row = self._row, ""
        return row

    def _read(self) -> str:
        """Return the next line; in bounded memory, though the file may have none."""
        room = MAX_ROW_CHARACTERS - len(self._row)
        try:
            line = self._text.readline(room + 1)
        except UnicodeDecodeError as error:
            raise PoisonFileError(f"not UTF-8, at line {self.count + 1} or soon after") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise PoisonFileError(f"its gzip is damaged, at line {self.count + 1} or soon after") from error
        if len(line) > room:
            raise PoisonFileError(
                f"no end of a row in {MAX_ROW_CHARACTERS:,} characters, line {self.count + 1}"
            )
        self.bytes += len(line) if line.isascii() else len(line.encode())
        return line.removeprefix(BYTE_ORDER_MARK) if self.count == 0 else line


def read_rows(body: io.RawIOBase | io.BufferedReader, begin: Position = BEGINNING) -> Iterator[Row]:
    """Yield the rows of a CSV file; blank lines are no rows.

    Args:
        body: Its bytes, from a place on: UTF-8, at the beginning with or without byte order mark.
        begin: That place.

    Yields:
        Rows, the header included. One that is not CSV, such as with text after a closing quote, or with a
        quote that is never closed, has a problem; what comes after it is read from the next line on.

    Raises:
        PoisonFileError: The bytes are not UTF-8, or have no lines.
    """
    lines = Lines(body, begin)
    reader = csv.reader(lines, strict=True)
    while True:
        first_line, fields, problem = lines.count + 1, [], None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"not CSV: {error}"
        text = lines.take_row().rstrip("\r\n")
        if text.strip():
            yield Row(first_line, text, fields, problem, lines.position)
