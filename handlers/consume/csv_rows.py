"""Rows of a CSV file of any size, as they come, and the lines where they stand."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

# A row may have quoted newlines; one that is longer is no row, and would not fit in an item of DynamoDB.
MAX_ROW_CHARACTERS = 2**20


class PoisonFileError(ValueError):
    """The file is not CSV of stock prices: no row of it can be trusted."""


@dataclass(frozen=True)
class Row:
    """A row of the file.

    Attributes:
        line: Number of the physical line where it begins, from 1.
        text: What stands there, without the newline at the end.
        fields: Its columns; empty if there is a problem.
        problem: Why it is not CSV; None if it is.
    """

    line: int
    text: str
    fields: list[str]
    problem: str | None = None


class Lines:
    """The physical lines of a text, those of the current row kept.

    Attributes:
        count: How many have been read.
    """

    def __init__(self, text: io.TextIOBase):
        self.count = 0
        self._text, self._row = text, ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._read()
        if not line:
            raise StopIteration
        self.count += 1
        self._row += line
        return line

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
        if len(line) > room:
            raise PoisonFileError(
                f"no end of a row in {MAX_ROW_CHARACTERS:,} characters, line {self.count + 1}"
            )
        return line


def read_rows(body: io.RawIOBase) -> Iterator[Row]:
    """Yield the rows of a CSV file; blank lines are no rows.

    Args:
        body: Its bytes: UTF-8, with or without byte order mark.

    Yields:
        Rows, the header included. One that is not CSV, such as with text after a closing quote, or with a
        quote that is never closed, has a problem; what comes after it is read from the next line on.

    Raises:
        PoisonFileError: The bytes are not UTF-8, or have no lines.
    """
    # newline="": a quoted newline stays as it is. https://docs.python.org/3/library/csv.html#id4
    lines = Lines(io.TextIOWrapper(io.BufferedReader(body), encoding="utf-8-sig", newline=""))
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
            yield Row(first_line, text, fields, problem)
