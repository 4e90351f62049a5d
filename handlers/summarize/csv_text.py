"""The encoding of a CSV file, how sure it is, and making it UTF-8."""

import codecs
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from rejection import RejectedError

PIECE_BYTES = 2**20
CACHED_BYTES = 2**17  # what a processor's cache holds is decoded three times as fast
SAMPLE_BYTES = 2**20

# UTF-32 first: its little-endian mark begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
# https://en.wikipedia.org/wiki/List_of_file_signatures
SIGNATURES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
# What no text has; \x1a once ended files under DOS.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0e-\x19\x1b\x7f]")
NUL_REASON = "The file is binary data, not text: it holds NUL characters. If it is UTF-16, save it as UTF-8."
DOS_END = re.compile(rb"\x1a[\x1a\r\n]*\Z")
LINE_END = re.compile(rb"\r\n|\r|\n")
DOS_RECORD_BYTES = 128  # CP/M and DOS filled the last one with end marks

# How Python reads a byte that is no UTF-8, with errors="surrogateescape".
DAMAGE = re.compile("[\udc80-\udcff]")
REPLACEMENT = "\ufffd"

# latin-1 with letters in the place of control characters that nobody uses: Excel's in Western Europe.
GUESSED = "windows-1252"
# What else files are in; of one byte a character, nearly any bytes are text.
ALTERNATIVES = (
    *("iso-8859-15", "windows-1250", "windows-1251", "cp437", "cp850", "mac-roman"),
    *("gb18030", "shift_jis", "big5", "euc_kr"),
)
# What text in GUESSED hardly has, and text in another encoding has when it is read as that: three letters or
# signs on end that are not of ASCII, a capital one or a sign within a word.
_SMALL, _CAPITAL, _QUOTES = "a-zß-öø-ÿšœž", "À-ÖØ-ÞŠŒŽŸ", "‘’“”„«»‹›–—…€"
_LETTERS = f"A-Z{_SMALL}{_CAPITAL}ƒ"
UNLIKELY = re.compile(
    f"[^\x00-\x7f{_QUOTES}]{{3,}}"
    f"|(?<=[{_SMALL}])[{_CAPITAL}]|(?<=[A-Z])[{_CAPITAL}](?=[{_SMALL}])"
    f"|(?<=[{_LETTERS}])[^\x00-\x7f{_LETTERS}’·°º\xad\xa0–—](?=[{_LETTERS}])"
)
FEW = 0.1  # of the characters beyond ASCII

BY_MARK = "byte order mark"
BY_VALIDITY = "valid bytes"
BY_VALIDITY_OF_MOST = "mostly valid bytes"
BY_VALIDITY_OF_FIRST = "valid first bytes"
BY_GUESS = "guess"


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a file are read as text, and how that is known.

    Attributes:
        name: A name that Python knows: utf-8, utf-16, utf-16-le, utf-16-be, utf-32 or windows-1252.
        found_by: One of BY_….
        alternatives: If it is a guess, encodings in which the first odd bytes are text as well.
        damaged_bytes: How many bytes are no characters in it; each is read as U+FFFD. None if nobody knows.
        first_damaged_line: Number of the line of the first of them, from 1.
    """

    name: str
    found_by: str
    alternatives: tuple[str, ...] = ()
    damaged_bytes: int | None = 0
    first_damaged_line: int | None = None

    def described(self) -> dict:
        """Return what summaries say of it."""
        return {
            "encoding": self.name,
            "encoding_found_by": self.found_by,
            "encoding_alternatives": list(self.alternatives),
            "damaged_bytes": self.damaged_bytes,
            "first_damaged_line": self.first_damaged_line,
        }


def encoding_of_sample(sample: bytes, is_whole: bool) -> Encoding:
    """Return the encoding of a file for Athena by its first bytes, as far as these tell.

    Args:
        sample: The first bytes.
        is_whole: Whether they are the whole file, so that no character can be cut at the end.

    Raises:
        RejectedError: It is no text, or not certainly in one encoding.
    """
    marked = _by_first_bytes(sample)
    if marked and marked.name != "utf-8":
        return marked
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=is_whole)
    except UnicodeDecodeError as error:
        line = _lines(sample[: error.start])
        reason = (
            f"Athena cannot read what is not UTF-8, see line {line}, and one function not so large a file."
        )
        raise RejectedError(reason, line) from error
    by_bytes = BY_VALIDITY if is_whole else BY_VALIDITY_OF_FIRST
    return Encoding("utf-8", BY_MARK if marked else by_bytes, damaged_bytes=0 if is_whole else None)


def encoding_of_file(path: Path) -> Encoding:
    """Return the encoding of a file, all of which is looked at: the first character beyond ASCII may be late.

    Args:
        path: The file.

    Raises:
        RejectedError: It is no text, or in an encoding that nobody can tell.
    """
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
        if (encoding := _by_first_bytes(sample)) and encoding.name != "utf-8":
            return encoding
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(CACHED_BYTES):
                if b"\0" in piece:
                    raise RejectedError(NUL_REASON)
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _encoding_of_damaged(path, encoding)
    return encoding or Encoding("utf-8", BY_VALIDITY)


def rewrite(path: Path, encoding: Encoding) -> None:
    """Make a file UTF-8 without a byte order mark, in pieces.

    Args:
        path: The file.
        encoding: What it is now.

    Raises:
        RejectedError: It is not in that encoding, or no text.
    """
    rewritten = path.with_suffix(".utf-8")
    errors = "surrogateescape" if encoding.name == "utf-8" else "strict"
    is_start, line = True, 1
    try:
        # newline="": a line end within quotes is part of a value
        with (
            path.open(encoding=encoding.name, errors=errors, newline="") as old,
            rewritten.open("w", encoding="utf-8", newline="") as new,
        ):
            while piece := old.read(PIECE_BYTES):
                if "\0" in piece:
                    raise RejectedError(NUL_REASON)
                line += piece.count("\n")
                piece = DAMAGE.sub(REPLACEMENT, piece.lstrip("\ufeff") if is_start else piece)
                is_start = False
                new.write(piece)
    except UnicodeError as error:
        reason = f"The file is not text in {encoding.name}, which it seems to be, in line {line} or after it."
        raise RejectedError(reason) from error
    rewritten.replace(path)


def has_marks(path: Path) -> bool:
    """Return whether a UTF-8 file begins with more than one byte order mark, of which readers drop one."""
    with path.open("rb") as file:
        return file.read(2 * len(codecs.BOM_UTF8)) == 2 * codecs.BOM_UTF8


def remove_end_mark(path: Path) -> None:
    """Remove DOS's mark of a file's end (Ctrl-Z), which is no value, however often it is repeated."""
    with path.open("r+b") as file:
        while size := file.seek(0, io.SEEK_END):
            file.seek(max(0, size - DOS_RECORD_BYTES))
            last = file.read()
            if not (mark := DOS_END.search(last)):
                break
            file.truncate(size - len(last) + mark.start())


def unify_line_ends(path: Path, delimiter: str, quote: str) -> None:
    r"""Make all line ends \n, but for those within quotes, which are part of values.

    Args:
        path: The file, in UTF-8.
        delimiter: One character of ASCII.
        quote: The character of its quotes, of ASCII.
    """
    rewritten = path.with_suffix(".lines")
    with path.open("rb") as old, rewritten.open("wb") as new:
        skip_lines(old, 0)
        rewrite_outside_quotes(old, new, delimiter, quote, lambda part, _: part)
    rewritten.replace(path)


def rewrite_outside_quotes(
    old: BinaryIO, new: BinaryIO, delimiter: str, quote: str, change: Callable[[bytes, bytes], bytes]
) -> None:
    r"""Copy a CSV file in UTF-8, and change what is outside of quotes.

    Args:
        old: The file, at the beginning of a line.
        new: Where to write.
        delimiter: One character of ASCII.
        quote: The character of its quotes, of ASCII.
        change: Returns what to write for a part outside of quotes, whose line ends are all \n; it is also
            told the byte before that, \n at the beginning.
    """
    mark = quote.encode()
    before_quote = (b"\n", delimiter.encode(), mark)
    is_quoted, last, held = False, b"\n", b""
    while piece := held + (read := old.read(PIECE_BYTES)):
        held = b"\r" if read and piece.endswith(b"\r") else b""  # a \n that follows belongs to it
        parts = piece.removesuffix(held).split(mark)
        for number, part in enumerate(parts):
            if not is_quoted:
                part = part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                parts[number] = change(part, last)
                last = part.rstrip(b" ")[-1:] or last  # DuckDB passes over spaces before a quote
            if number == len(parts) - 1:
                continue
            if is_quoted:
                is_quoted, last = False, mark
            else:  # where a value begins, or doubled; elsewhere it is a character like others
                is_quoted = last in before_quote
        new.write(mark.join(parts))


def skip_lines(file: BinaryIO, count: int) -> None:
    """Go on after a byte order mark of UTF-8, if there is one, and this many short lines."""
    start = file.read(PIECE_BYTES).removeprefix(codecs.BOM_UTF8)
    ends = [found.end() for found in islice(LINE_END.finditer(start), count)]
    file.seek(file.tell() - len(start) + (ends[-1] if ends else 0))


def sample_text(sample: bytes) -> str:
    """Return the characters of the first bytes in UTF-8, without half a character at the end.

    Raises:
        RejectedError: It is no text.
    """
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(sample).lstrip("\ufeff")
    if CONTROL_CHARACTERS.search(text):
        raise RejectedError("The file is binary data, not text: it holds control characters.")
    return text


def _by_first_bytes(sample: bytes) -> Encoding | None:
    """Return the encoding that the first bytes tell; None if they do not.

    Raises:
        RejectedError: It is no text.
    """
    for signature, what in SIGNATURES.items():
        if sample.startswith(signature):
            raise RejectedError(f"The file is {what}, not CSV.")
    for mark, name in BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return Encoding(name, BY_MARK)
    if b"\0" not in sample:
        return None
    # In UTF-16, each second byte of text that is mostly ASCII is NUL, and no other is.
    for name, first, second in (("utf-16-le", 0, 1), ("utf-16-be", 1, 0)):
        is_other = b"\0" in sample[first::2]
        if not is_other and sample[second::2].count(0) > len(sample) / 4:
            return Encoding(name, BY_GUESS)
    raise RejectedError(NUL_REASON)


def _encoding_of_damaged(path: Path, marked: Encoding | None) -> Encoding:
    """Return the encoding of a file that is not all UTF-8.

    Bytes in another encoding are hardly ever a character in UTF-8 as well: a file with more such characters
    than other bytes is UTF-8, and damaged.
    """
    characters, damaged, line, lines = 0, 0, None, 1
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        while piece := file.read(PIECE_BYTES):
            found = DAMAGE.findall(piece)
            characters += len(piece) - len(piece.encode("ascii", "ignore")) - len(found)
            if line is None and (first := DAMAGE.search(piece)):
                line = lines + piece.count("\n", 0, first.start())
            lines += piece.count("\n")
            damaged += len(found)
    if characters >= damaged:
        found_by = BY_MARK if marked else BY_VALIDITY_OF_MOST
        return Encoding("utf-8", found_by, damaged_bytes=damaged, first_damaged_line=line)
    odd = _odd_bytes(path)
    if characters > FEW * damaged:
        raise RejectedError(f"The file is in several encodings: line {line} is not UTF-8, others are.", line)
    if not _is_likely(odd):
        what = f"The file is not UTF-8, see line {line}, and hardly {GUESSED}"
        raise RejectedError(f"{what}: nobody can tell what its letters are. Save it as UTF-8.", line)
    return Encoding(GUESSED, BY_GUESS, tuple(name for name in ALTERNATIVES if _fits(odd, name)))


def _odd_bytes(path: Path) -> bytes:
    """Return what surrounds the first byte beyond ASCII."""
    with path.open("rb") as file:
        before = b""
        while piece := file.read(SAMPLE_BYTES):
            if not piece.isascii():
                found = before + piece + file.read(SAMPLE_BYTES)
                return found.rpartition(b"\n")[0] if file.read(1) else found  # no half a character
            before = piece
    return before


def _is_likely(sample: bytes) -> bool:
    """Return whether bytes look like text when they are read as GUESSED."""
    try:
        text = sample.decode(GUESSED)
    except UnicodeDecodeError:
        return False
    unlikely = sum(len(found) for found in UNLIKELY.findall(text))
    return unlikely <= FEW * (len(text) - len(text.encode("ascii", "ignore")))


def _fits(sample: bytes, encoding: str) -> bool:
    try:
        return sample.decode(encoding) != sample.decode(GUESSED)
    except UnicodeDecodeError:
        return False


def _lines(before: bytes) -> int:
    """Return the number of the line that follows these bytes."""
    return 1 + len(LINE_END.findall(before))
