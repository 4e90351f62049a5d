"""Text as it can be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.shown import printable


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
