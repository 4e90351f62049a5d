import codecs
import encodings
import gzip
import pkgutil
import unicodedata
from functools import cache

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support.handler_support import load_handler

load_handler("index")
from preview import BYTE_ORDER_MARKS, MAX_BYTES, MAX_CHARACTERS, preview  # noqa: E402

# What texts are made of: anything but control characters, halves of characters and byte order marks.
letters = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff") | st.sampled_from(
    "\t\n\r\f\v"
)
beginnings = st.text(letters, max_size=40)
# Long enough to be cut, at any byte of a character.
texts = st.builds(
    lambda beginning, unit, times: beginning + unit * times, beginnings, beginnings, st.integers(0, 200)
)
EVERY = "".join(map(chr, [*range(0xD800), *range(0xE000, 0xFEFF), *range(0xFF00, 0x110000)]))
MARKED = ["utf-8-sig", "utf-16", "utf-32"]
CHARSETS = ["latin-1", "cp1252", "koi8-r", "cp437", "shift_jis", "euc-jp", "big5", "gb18030", "us-ascii"]
CHARSETS += ["utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"]
CODECS = [module.name for module in pkgutil.iter_modules(encodings.__path__)]
TYPES = ["text/csv", "binary/octet-stream", "image/png", "", "nonsense;;charset", "text/plain; charset="]


@cache
def letters_of(charset):
    """What a charset can write; Hypothesis would ask it for each of a million characters."""
    if charset.startswith(("utf", "gb18030")):
        return letters
    written = EVERY.encode(charset, "ignore").decode(charset, "ignore")
    return st.sampled_from(sorted({one for one in written if unicodedata.category(one) != "Cc"}))


def beginning_of(content, content_type=""):
    """Return the preview as the handler makes it, from the bytes that it reads."""
    return preview(content[:MAX_BYTES], content_type, is_whole=len(content) <= MAX_BYTES)


def is_unicode(text):
    """Return whether it is made of whole characters, as DynamoDB wants it."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def has_mark(content):
    return content.startswith(tuple(BYTE_ORDER_MARKS))


@given(texts, st.sampled_from(TYPES))
@example("😀" * 600, "")
@example("a" + "😀" * 600, "")
@example("aa" + "ü" * 2000, "")
def test_utf_8(text, content_type):
    assert beginning_of(text.encode(), content_type) == text[:MAX_CHARACTERS]


@pytest.mark.parametrize("encoding", MARKED)
@given(text=texts, content_type=st.sampled_from([*TYPES, "text/plain; charset=latin-1"]))
@example(text="😀" * 600, content_type="")
@example(text="a" + "😀" * 600, content_type="")
def test_a_byte_order_mark_decides(encoding, text, content_type):
    assert beginning_of(text.encode(encoding), content_type) == text[:MAX_CHARACTERS]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE], ids=["utf-16", "utf-32"])
def test_a_big_endian_byte_order_mark(mark):
    encoding = {2: "utf-16-be", 4: "utf-32-be"}[len(mark)]
    assert beginning_of(mark + ("ü😀" * 300).encode(encoding)) == ("ü😀" * 300)[:MAX_CHARACTERS]


@pytest.mark.filterwarnings("ignore:Characters")  # that an old charset has in two places
@pytest.mark.parametrize("charset", CHARSETS)
@settings(max_examples=50)
@given(data=st.data())
def test_a_charset_decides(charset, data):
    beginning, unit = (data.draw(st.text(letters_of(charset), max_size=20)) for _ in range(2))
    text = beginning + unit * data.draw(st.integers(0, 100))
    content = text.encode(charset)
    # The old charsets have one letter in several places; what happens to begin as a mark is taken for one.
    assume(content.decode(charset) == text)
    assume(charset in MARKED or not has_mark(content))
    assert beginning_of(content, f'text/plain; charset="{charset}"') == text[:MAX_CHARACTERS]


@pytest.mark.parametrize(
    "charset", ["us-ascii", "no-such-charset", "utf-32", "binary", "zip", "hex", "rot13", "ü\0"]
)
def test_a_wrong_charset_does_not_hide_utf_8(charset):
    assert beginning_of("Übersicht".encode(), f"text/plain; charset={charset}") == "Übersicht"


def test_a_charset_cannot_inflate_a_bomb():
    bomb = codecs.encode(b"a" * 10**6, "zip")
    assert len(bomb) < MAX_BYTES
    assert beginning_of(bomb, "text/plain; charset=zip") is None


@given(
    st.binary(max_size=3000),
    st.text() | st.sampled_from(TYPES + [f"text/plain; charset={c}" for c in CHARSETS]),
)
def test_any_bytes_are_text_or_not(content, content_type):
    text = beginning_of(content, content_type)
    assert text is None or (len(text) <= MAX_CHARACTERS and is_unicode(text))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Python's own codecs
@pytest.mark.parametrize("charset", CODECS)
@settings(max_examples=20)
@given(st.binary(max_size=100))
def test_no_codec_of_python_breaks_it(charset, content):
    text = beginning_of(content, f"text/plain; charset={charset}")
    assert text is None or is_unicode(text)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"PK\x03\x04\x14\0\0\0",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
        b"\x7fELF\x02\x01\x01\0",
        b"PAR1\x15\x04\x15",
        b"text and then\0",
        b"a" * 600 + b"\0",
        b"a" * 600 + b"\xff",
        b"cut within a character \xc3",
        codecs.BOM_UTF16_LE + b"\0\xd8a\0",
        codecs.BOM_UTF16_LE + b"odd",
        b"the old way: \x1b[31m",
        "unmarked".encode("utf-16-le"),
        "ohne Angabe: ü".encode("latin-1"),
        gzip.compress(b"text", mtime=0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=utf-8", "image/png"])
def test_binary_is_not_text(content, content_type):
    assert beginning_of(content, content_type) is None


@pytest.mark.parametrize(("half", "charset"), [(b"a+2AA-", "utf-7"), (b"a\\ud800", "unicode_escape")])
def test_half_a_character_is_not_text_though_python_decodes_it(half, charset):
    assert not is_unicode(half.decode(charset))
    assert is_unicode(beginning_of(half, f"text/plain; charset={charset}"))


def test_a_cut_character_is_left_out():
    assert preview("aü".encode()[:-1], "", is_whole=False) == "a"
    assert preview("aü".encode()[:-1], "", is_whole=True) is None
    assert preview(b"", "", is_whole=True) == ""
