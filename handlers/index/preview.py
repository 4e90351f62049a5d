"""The beginning of an object as text, if it is text: pure, bytes in, text out."""

import codecs
import re
from email.message import Message

MAX_CHARACTERS = 500
# No more than 4 bytes a character, and 4 of a byte order mark. (The ISO-2022 charsets may need more, then the
# preview is shorter.) https://www.unicode.org/faq/utf_bom.html
MAX_BYTES = 4 * MAX_CHARACTERS + 4

# The 32-bit marks first, since one of the 16-bit ones is the beginning of one of them.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What no text holds: control characters that do not separate lines or words, and halves of characters.
NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def preview(content: bytes, content_type: str, is_whole: bool) -> str | None:
    """Return the first characters of a text.

    Args:
        content: The beginning of the object, MAX_BYTES of it or all.
        content_type: As the object has it; its charset counts, its type does not.
        is_whole: Whether that is all there is; if not, it may end within a character.

    Returns:
        At most MAX_CHARACTERS, without byte order mark; None if it is not text.
    """
    for encoding in _encodings(content, content_type):
        text = _decoded(content, encoding, is_whole)
        if text is not None:
            return text[:MAX_CHARACTERS]
    return None


def _encodings(content: bytes, content_type: str) -> list[str]:
    """Return the encodings that the content may have, the likeliest first.

    A byte order mark comes before a charset: https://encoding.spec.whatwg.org/#decode
    """
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    return [name for name in (marked, _charset(content_type), "utf-8") if name]


def _charset(content_type: str) -> str | None:
    """Return the charset that a Content-Type names."""
    header = Message()
    header["Content-Type"] = content_type
    return header.get_content_charset()


def _decoded(content: bytes, encoding: str, is_whole: bool) -> str | None:
    """Return the content as text, or None if it is not text in this encoding."""
    try:
        "a".encode(encoding)  # refuses those that are no text encodings: zip would inflate a bomb
        text = codecs.getincrementaldecoder(encoding)().decode(content, final=is_whole)
    except (LookupError, ValueError):  # no such encoding, or not in it
        return None
    return None if NOT_TEXT.search(text) else text
