"""Long tables: in a page a line, and the rows for who opens it; as text all of it."""

import pandas as pd

from lib.base.folded import Folded

FOLDED = Folded(pd.DataFrame({"key": ["<b>a</b>"]}), "1 of <i>")


def test_a_page_takes_nothing_in_it_for_html():
    html = FOLDED._repr_html_()
    assert html.startswith("<details><summary>1 of &lt;i&gt;</summary><")
    assert "<table" in html
    assert "&lt;b&gt;a&lt;/b&gt;" in html
    assert "<b>" not in html


def test_as_text_the_summary_comes_first_and_no_row_is_left_out():
    many = Folded(pd.DataFrame({"key": [f"key-{number}" for number in range(200)]}), "200 keys")
    first, *rows = repr(many).splitlines()
    assert first == "200 keys"
    assert [row.strip() for row in rows] == ["key", *many.table["key"]]
