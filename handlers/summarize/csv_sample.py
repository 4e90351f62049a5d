"""Records from all over a large CSV file: what is frequent there is likely to be so in all of it."""

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from column_types import NULL_VALUES
from csv_dialect import Dialect
from csv_text import LINE_END
from profile_sql import MAX_VALUE_CHARACTERS

# Many places of few records each: a value of some hundredths is found even if all of it stands together.
PLACES = 256
PLACE_BYTES = 4 * 2**10
# If the sample has no more texts of a column, all of them are candidates.
FEW_TEXTS = 64
CANDIDATES = 8
# Of so many values, drawn at random, a quartile has a rank that is off by less than 0.3 % nearly always; of a
# quarter of them, which are enough if there turn out to be fewer than a sample let seem, by less than 0.6 %.
QUARTILE_VALUES = 2**18
NULLS = frozenset(NULL_VALUES)


@dataclass(frozen=True)
class Sample:
    """What some records tell of a column.

    Attributes:
        texts: Those of its texts that are no token for null.
        share: Which part of its values, drawn at random, is enough for its quartiles.
    """

    texts: Sequence[str]
    share: float

    def candidates(self) -> tuple[str, ...]:
        """Return texts among which the most frequent ones are, cut as summaries show them."""
        counts = Counter(text[:MAX_VALUE_CHARACTERS] for text in self.texts)
        found = counts.most_common(CANDIDATES if len(counts) > FEW_TEXTS else FEW_TEXTS)
        return tuple(text for text, _ in found)


def samples(path: Path, dialect: Dialect) -> list[Sample]:
    """Return a sample of each column, the same of the same file; none if that would tell of parts of it only.

    So it would where a place has no whole line, or values go on in the next line: those are misread.

    Args:
        path: The file, in UTF-8.
        dialect: How it is written.
    """
    records, record_bytes = [], 0
    for lines in _places(path):
        found = _records(lines, dialect)
        if not found:
            return []
        records += found
        record_bytes += len(lines)
    rows = path.stat().st_size / record_bytes * len(records) if records else 0
    return [_sample([record[number] for record in records], rows) for number in range(len(dialect.names))]


def are_enough(drawn: int, values: int) -> bool:
    """Return whether quartiles may be those of so many values, drawn of so many."""
    return drawn >= min(values, QUARTILE_VALUES // 4)


def _sample(texts: Sequence[str], rows: float) -> Sample:
    """Return the sample of a column by some of its texts, and how many rows there are, more or less."""
    there = [text for text in texts if text not in NULLS]
    values = rows * len(there) / len(texts) if texts else 0
    return Sample(there, min(1, QUARTILE_VALUES / values) if values else 1)


def _places(path: Path) -> Iterator[bytes]:
    """Yield lines from all over a file; of a small one all but the first and what ends with no line end.

    A place without a whole line yields nothing but its emptiness, unless it is the end of the file.
    """
    size = path.stat().st_size
    source = random.Random(1)
    with path.open("rb") as file:
        if size <= PLACES * PLACE_BYTES:
            yield _whole_lines(file.read())
            return
        for number in range(PLACES):
            place = int((number + source.random()) * size / PLACES)
            file.seek(place)
            lines = _whole_lines(file.read(PLACE_BYTES))
            if lines or place + PLACE_BYTES < size:
                yield lines


def _whole_lines(piece: bytes) -> bytes:
    """Return what is after the first line end of a piece, up to its last."""
    first = LINE_END.search(piece)
    return piece[first.end() : 1 + max(piece.rfind(b"\n"), piece.rfind(b"\r"))] if first else b""


def _records(lines: bytes, dialect: Dialect) -> list[list[str]]:
    """Return the records in some lines; none if these are not whole records, each of one line."""
    text, quote = lines.decode("utf-8", "replace"), dialect.quote
    if f" {quote}" in text or f"{quote} " in text:  # unlike Python, DuckDB passes over spaces around quotes
        mark, delimiter = re.escape(quote), re.escape(dialect.delimiter)
        text = re.sub(rf"(?m)(^|{delimiter}) +(?={mark})", r"\1", text)
        text = re.sub(rf"(?<={mark}) +(?={delimiter}|[\r\n])", "", text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter, quotechar=quote)
    try:
        read = list(reader)
    except csv.Error:  # a value without end
        return []
    records = [record for record in read if record]  # blank lines are none
    are_lines = reader.line_num == len(read) and all(len(each) == len(dialect.names) for each in records)
    return records if are_lines else []
