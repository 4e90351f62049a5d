"""The encoding of a CSV file, and making it UTF-8."""

import codecs
import re
from pathlib import Path

from rejection import RejectedError

PIECE_BYTES = 2**20
SAMPLE_BYTES = 2**20

# UTF-32 first: its little-endian mark begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
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
NUL_REASON = "The file is binary data, not text: it holds NUL characters."


def encoding_of_sample(sample: bytes, is_whole: bool) -> str:
    """Return the encoding of a file by its first bytes.

    Args:
        sample: The first bytes.
        is_whole: Whether they are the whole file, so that no character can be cut at the end.

    Returns:
        A name that Python knows: utf-8, utf-16, utf-32 or windows-1252, which is latin-1 with letters in the
        place of control characters that nobody uses.

    Raises:
        RejectedError: It is no text.
    """
    for signature, what in SIGNATURES.items():
        if sample.startswith(signature):
            raise RejectedError(f"The file is {what}, not CSV.")
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return encoding
    if b"\0" in sample:
        raise RejectedError(NUL_REASON)
    return "utf-8" if _is_utf8(sample, is_whole) else "windows-1252"


def encoding_of_file(path: Path) -> str:
    """Return the encoding of a file, all of which is looked at: the first character beyond ASCII may be late.

    Args:
        path: The file.

    Returns:
        As `encoding_of_sample`.

    Raises:
        RejectedError: It is no text.
    """
    with path.open("rb") as file:
        encoding = encoding_of_sample(file.read(SAMPLE_BYTES), path.stat().st_size <= SAMPLE_BYTES)
        if encoding != "utf-8":
            return encoding
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(PIECE_BYTES):
                if b"\0" in piece:
                    raise RejectedError(NUL_REASON)
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "windows-1252"
    return encoding


def rewrite(path: Path, encoding: str) -> None:
    """Make a file UTF-8 with one kind of line end, in pieces.

    Args:
        path: The file.
        encoding: What it is now.

    Raises:
        RejectedError: It is not in that encoding, or no text.
    """
    rewritten = path.with_suffix(".utf-8")
    try:
        with path.open(encoding=encoding) as old, rewritten.open("w", encoding="utf-8", newline="") as new:
            while piece := old.read(PIECE_BYTES):
                if "\0" in piece:
                    raise RejectedError(NUL_REASON)
                new.write(piece)
    except UnicodeError as error:
        raise RejectedError(f"The file is not text in {encoding}, which it seems to be.") from error
    rewritten.replace(path)


def sample_text(sample: bytes, encoding: str) -> str:
    """Return the characters of the first bytes, without half a character at the end.

    Raises:
        RejectedError: It is no text.
    """
    text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("replace").decode(
        sample
    )
    if CONTROL_CHARACTERS.search(text):
        raise RejectedError("The file is binary data, not text: it holds control characters.")
    return text


def _is_utf8(sample: bytes, is_whole: bool) -> bool:
    """Return whether these are characters in UTF-8, the last of which may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True
