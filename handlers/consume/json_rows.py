"""Rows of a file of JSON lines, of any size, as they come, and where they stand."""

import io
from collections.abc import Iterator

from column_values import read_json
from csv_rows import BEGINNING, Lines, PoisonFileError, Position, Row


def read_json_rows(body: io.RawIOBase | io.BufferedReader, begin: Position = BEGINNING) -> Iterator[Row]:
    """Yield the rows of a file with a JSON object in each line; blank lines are no rows.

    Args:
        body: Its bytes, from a place on: UTF-8, at the beginning with or without byte order mark.
        begin: That place.

    Yields:
        Rows. A line that is no JSON object has a problem.

    Raises:
        PoisonFileError: The bytes are not UTF-8, or have no lines; or the first row is no JSON object, so
            that this is another kind of file.
    """
    lines = Lines(body, begin)
    is_first = begin == BEGINNING
    for _ in lines:
        line, text = lines.count, lines.take_row().rstrip("\r\n")
        if not text.strip():
            continue
        found: object = {}
        problem = None
        try:
            found = read_json(text)
        except ValueError as error:
            problem = f"not JSON: {error}"
        if not isinstance(found, dict):
            found, problem = {}, "no JSON object"
        if is_first and problem:
            raise PoisonFileError(f"the first line is {problem}")
        is_first = False
        yield Row(line, text, found, problem, lines.position)
