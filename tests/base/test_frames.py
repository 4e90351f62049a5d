"""Tables as a person reads them; nothing is lost in how they are shown."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base import frames


class Cells(HTMLParser):
    """The cells of a table, as a page shows them."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.classes = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.classes.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.rows and self.rows[-1] and self.lasttag in ("td", "th", "summary", "details"):
            self.rows[-1][-1] += data


def cells(table):
    return Cells(frames.html(table)).rows


def test_bytes_times_and_money_have_their_units_and_are_sorted_by_what_they_are():
    table = pd.DataFrame(
        {
            "key": ["a", "b"],
            "bytes": pd.array([512, 1536 * 1024], "Int64"),
            "seconds": [1.5, 75.25],
            "usd": [0.00005, 1204.5],
            "ms": [25, 1250],
            "time": pd.to_datetime(["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.000Z"]),
        }
    )
    assert cells(table) == [
        ["key", "bytes", "seconds", "usd", "ms", "time"],
        ["a", "512 B", "1.50 s", "$0.00005", "25 ms", "2026-01-02 03:04:05.678 UTC"],
        ["b", "1.5 MiB", "75.25 s", "$1,204.50", "1,250 ms", "2026-01-02 03:04:05 UTC"],
    ]
    assert 'data-order="1572864"' in frames.html(table)


def test_what_is_missing_is_empty_and_rows_are_not_numbered():
    table = pd.DataFrame(
        {"n": pd.array([1, None], "Int64"), "text": [None, "x"], "at": [pd.NaT, pd.Timestamp("2026-01-02")]}
    ).sort_index(ascending=False)
    assert cells(table) == [["n", "text", "at"], ["", "x", "2026-01-02 00:00:00"], ["1", "", ""]]
    assert frames.text(table).splitlines() == ["n  text  at", "   x     2026-01-02 00:00:00", "1"]


def test_an_index_that_says_something_is_shown():
    table = pd.DataFrame({"migrate": [5.0, 1.25]}, index=pd.Index(["S3 writes", "S3 reads"], name="item"))
    assert cells(table) == [["item", "migrate"], ["S3 writes", "5.00"], ["S3 reads", "1.25"]]
    assert frames.text(table).splitlines() == [
        "item       migrate",
        "S3 writes     5.00",
        "S3 reads      1.25",
    ]


def test_text_is_to_the_left_and_numbers_to_the_right():
    classes = Cells(frames.html(pd.DataFrame({"name": ["x"], "n": [1]}))).classes
    assert [attrs.get("class") for _, attrs in classes] == [None, "n", None, "n"]
    assert "text-align:left" in frames.STYLE


def test_a_column_is_so_wide_that_no_short_word_is_broken():
    table = pd.DataFrame({"service": ["cloudwatch", None], "arn": ["a" * 90, "b"], "n": [1, 2]})
    widths = re.findall(r'<th scope="col"(?: class="n")?(?: style="min-width:(\d+)ch")?>', frames.html(table))
    assert widths == ["9", "22", ""]


def test_what_looks_like_markup_is_text():
    assert (
        "<b>"
        not in frames.html(pd.DataFrame({"<b>k</b>": ["<script>x</script>", "a & b"]})).split("<table")[1]
    )
    assert cells(pd.DataFrame({"k": ["<script>x</script>"]}))[1] == ["<script>x</script>"]


def test_a_long_value_is_folded_and_whole():
    value = "x" * 1000
    page = frames.html(pd.DataFrame({"policy": [value]}))
    assert f"<summary>{'x' * frames.SEEN_CHARACTERS}…</summary>{value}" in page


def test_all_rows_of_a_query_are_there():
    table = pd.DataFrame({"faa": [f"A{number}" for number in range(1458)]})
    assert len(cells(table)) == 1459
    assert "more" not in frames.html(table).split("</table>")[1]
    few = pd.DataFrame({"n": range(frames.MOST_ROWS + 7)})
    assert f"… and 7 rows more, of {frames.MOST_ROWS + 7:,}" in frames.html(few)
    assert len(cells(few)) == frames.MOST_ROWS + 1


def test_a_long_table_as_text_says_how_many_rows_are_left_out():
    text = frames.text(pd.DataFrame({"n": range(1458)})).splitlines()
    assert len(text) == frames.MOST_TEXT_ROWS + 2
    assert text[101] == "… 1,258 rows …"
    assert (text[100].strip(), text[102].strip(), text[-1].strip()) == ("99", "1358", "1457")


def test_an_empty_table_says_none_and_names_its_columns():
    assert frames.text(pd.DataFrame(columns=["a", "b"])) == "(none; columns: a, b)"
    assert "(none)" in frames.html(pd.DataFrame(columns=["a"]))


def test_a_few_rows_need_no_script():
    assert "<script>" not in frames.html(pd.DataFrame({"n": range(frames.FEW_ROWS)}))
    assert "<script>" in frames.html(pd.DataFrame({"n": range(frames.FEW_ROWS + 1)}))


def test_two_columns_of_one_name_are_both_shown():
    assert cells(pd.DataFrame([[1, "x"]], columns=["a", "a"])) == [["a", "a"], ["1", "x"]]


@given(st.lists(st.one_of(st.text(), st.integers(), st.none(), st.floats(), st.booleans()), min_size=1))
def test_any_values_have_a_cell_each(values):
    table = pd.DataFrame({"value": pd.Series(values, dtype=object)})
    assert len(re.findall("<td", frames.html(table))) == len(values)
    assert frames.text(table)


@pytest.mark.parametrize(
    ("usd", "said"), [(0, "$0.00"), (0.01, "$0.01"), (0.0025, "$0.0025"), (-3, "-$3.00")]
)
def test_money(usd, said):
    assert frames.money(usd) == said
