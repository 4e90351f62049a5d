"""Text as it can be shown."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.paths import ROOT
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


# Things that people are told how many there are of.
THINGS = re.compile(
    r"""[ ](
    alarms|buckets|cells|changes|columns|copies|days|deletes|differences|events|files|functions|hours|items|keys|
    letters|lines|messages|minutes|notebooks|objects|others|parts|pieces|pipelines|points|queues|records|resources|
    rows|tables|times|values|versions|warnings
    )\b""",
    re.VERBOSE,
)
OF_MORE = re.compile(r"\b(of|than) $")
NEVER_ONE = {
    *("values", "len(self.recorded)"),  # more than CloudTrail takes
    "self.objects_per_second",  # a rate
    "count",  # in what `runbook audit --json` says of what is left out, which stays as it is
}


def test_how_many_there_are_of_something_is_said_by_counted():
    """Else somebody is told of `1 messages`."""
    found = [
        f"{path.relative_to(ROOT)}, line {line}: {number}"
        for path in sorted((ROOT / "lib").rglob("*.py"))
        if "in_server" not in path.parts
        for line, number in numbers_of_things(path)
    ]
    assert not found


def numbers_of_things(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a program that put any number before things, and the number; of a constant none."""
    for text in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(text, ast.JoinedStr):
            continue
        for before, value, after in zip([None, *text.values], text.values, text.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                number = ast.unparse(value.value)
                words = str(before.value) if isinstance(before, ast.Constant) else ""
                is_free = number.isupper() or number in NEVER_ONE or OF_MORE.search(words)
                if THINGS.match(str(after.value)) and not is_free:
                    yield text.lineno, number
