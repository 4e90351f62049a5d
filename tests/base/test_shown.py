"""Text as it can be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.shown import printable, shown_bytes


@pytest.mark.parametrize(
    "text", ["", "plain ü 日本 🚀", "👩\u200d🚀", "no\xa0break", "two\nlines\tand a tab", r"a \n that is two"]
)
def test_what_can_be_shown_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb", r"a\rb"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("\u2028\u202e\ud800\ufffe", r"\u2028\u202e\ud800\ufffe"),
    ],
)
def test_what_cannot_is_written_as_python_does(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_a_name_is_one_line_and_can_be_written_anywhere(text):
    shown = printable(text, keep="")
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (-2048, "-2.0 KiB"), (2**70, "1,048,576.0 PiB")]
    + [(1024**2 - 1, "1.0 MiB"), (1023.7, "1.0 KiB"), (float("inf"), "inf"), (float("nan"), "nan")],
)
def test_sizes(number, said):
    assert shown_bytes(number) == said
