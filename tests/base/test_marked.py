"""Parts of a document between marks."""

import pytest

from lib.base.marked import part, with_part

TEXT = "before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n"


def test_a_part_is_replaced_and_nothing_else():
    assert part(TEXT, "a") == "old\n"
    assert with_part(TEXT, "a", "new\n") == TEXT.replace("old", "new")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- a: begin -->\n",
        TEXT + TEXT,
        "<!-- a: end -->\n<!-- a: begin -->\n",
        TEXT.replace("a:", "b:"),
    ],
)
def test_a_document_without_the_marks_is_refused(text):
    with pytest.raises(ValueError, match="<!-- a: begin -->"):
        with_part(text, "a", "new\n")
