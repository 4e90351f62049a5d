"""The dialect of a CSV file: delimiter, quote, and the names of its columns, from its first lines."""

import csv
import io
import re
from dataclasses import dataclass, replace
from itertools import product

from csv_text import SAMPLE_BYTES
from rejection import RejectedError

DELIMITERS = ",;\t|"
# A quote is one where a value begins with it; an apostrophe only if no value begins with the usual quote.
BEGINS_WITH_QUOTE = re.compile(f'(?m)(^|[{DELIMITERS}])"')
BEGINS_WITH_APOSTROPHE = re.compile(f"(?m)(^|[{DELIMITERS}])'")
SNIFFED_RECORDS = 1000
# A value may be as long as the sample; the limit is Python's for all, so it is only made larger.
csv.field_size_limit(max(csv.field_size_limit(), SAMPLE_BYTES))
# https://support.microsoft.com/office: Excel's first line, which is no header, quoted or not
DECLARED = re.compile('"?sep=([^\\w\\s"]|\t)"?(\r\n|\r|\n)', re.IGNORECASE)
UNFINISHED = "unexpected end of data"  # csv's words for a sample that ends within quotes


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written, as far as its beginning shows.

    Attributes:
        delimiter: One character.
        quote: One character; doubled within quotes.
        names: Of the columns, as the first line has them; they may be equal or empty.
        records: The records after the header, of the sample.
        is_intact: Whether the sample could be parsed to its end.
        lines_before: How many lines are before the header: 1 if the first tells Excel the delimiter.
    """

    delimiter: str
    quote: str
    names: list[str]
    records: list[list[str]]
    is_intact: bool
    lines_before: int = 0

    @property
    def rank(self) -> tuple:
        """Orders candidates: many columns, as many in each record, no quotes left over, as in the header."""
        as_header = sum(len(record) == len(self.names) for record in self.records)
        cells = [cell for record in [self.names, *self.records] for cell in record if cell]
        in_apostrophes = sum(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in cells)
        return (
            len(self.names) > 1,
            self.is_intact,
            as_header / max(1, len(self.records)),
            in_apostrophes <= len(cells) / 2,
            len(self.names),
        )

    @property
    def widest(self) -> int:
        """How many fields the longest record of the sample has."""
        return max(map(len, self.records), default=0)

    @property
    def has_quoted_newlines(self) -> bool:
        """Whether a value of the sample goes on in the next line."""
        return any("\n" in cell or "\r" in cell for record in [self.names, *self.records] for cell in record)


def sniff(text: str, is_whole: bool) -> Dialect:
    """Return the dialect that fits the first lines best.

    The first line is the header, always; but `sep=;` before it tells Excel the delimiter, and is none.

    Args:
        text: The beginning of the file.
        is_whole: Whether that is all of it; else the last record is left out, since it may be cut.

    Returns:
        The dialect.

    Raises:
        RejectedError: There is no header.
    """
    declared = DECLARED.match(text)
    delimiters = declared[1] if declared else DELIMITERS
    text = text[declared.end() :] if declared else text
    begins = "'" in text and BEGINS_WITH_APOSTROPHE.search(text)  # sooner said of most
    may_be_apostrophe = begins and not BEGINS_WITH_QUOTE.search(text)
    quotes = "\"'" if may_be_apostrophe else '"'
    candidates = [_parse(text, *each, is_whole) for each in product(delimiters, quotes)]
    found = [candidate for candidate in candidates if candidate]
    if not found or any(not any(map(str.strip, candidate.names)) for candidate in found):
        reason = "The file has no header: its first line is empty, or has no names, or is too long to be one."
        raise RejectedError(reason, line=2 if declared else 1)
    best = max(found, key=lambda each: each.rank)
    if len(best.names) == 1 and best.names[0].startswith("#") and any(each.widest > 1 for each in found):
        raise RejectedError("The first line is a comment, not a header.", line=2 if declared else 1)
    return replace(best, lines_before=int(bool(declared)))


def _parse(text: str, delimiter: str, quote: str, is_whole: bool) -> Dialect | None:
    """Return what the sample is in a dialect; None if its first line is nothing in that."""
    records, is_intact = [], True
    # newline="" keeps line ends within quotes as they are
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    try:
        for record in reader:
            records.append(record)
            if len(records) > SNIFFED_RECORDS:
                break
        else:
            records = records if is_whole else records[:-1]
    except csv.Error as error:
        is_intact = not is_whole and UNFINISHED in str(error)
    if not records:
        return None
    return Dialect(delimiter, quote, records[0], [record for record in records[1:] if record], is_intact)
