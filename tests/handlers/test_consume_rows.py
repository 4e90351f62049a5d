import csv
import io
import time
from contextlib import suppress
from datetime import UTC
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.consuming import described
from support.handler_support import load_handler

load_handler("consume")
from column_values import TYPES, BadRowError, timestamp_of  # noqa: E402
from csv_rows import MAX_ROW_CHARACTERS, PoisonFileError, Row, read_rows  # noqa: E402
from items import ItemMaker  # noqa: E402
from table_description import TableDescription  # noqa: E402

STOCKS = TableDescription.read(described().table_description)
price_of, volume_of = (
    partial(TYPES["decimal>=0"], column="price"),
    partial(TYPES["integer>=0"], column="volume"),
)

HEADER = "ticker,timestamp,price,volume"
NO_TIME = "timestamp is not such as 2026-01-02T15:04:05.123Z"
NO_DAY = "timestamp is on no day of the years 0001 to 9999"
GOOD = ["A", "2026-01-02T15:04:00.123Z", "1.50", "7"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.fixture(autouse=True)
def python_s_own_limit():
    """*summarize* sets another one; on Lambda each function has a process of its own."""
    before = csv.field_size_limit(131072)
    yield
    csv.field_size_limit(before)


def rows_of(text):
    return list(read_rows(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def maker(columns=HEADER, days=0):
    return ItemMaker.from_header(STOCKS, Row(1, columns, columns.split(",")), "stocks/a.csv", days)


def item(*fields, columns=HEADER, days=0):
    return maker(columns, days).item(Row(2, ",".join(fields), list(fields)))


def csv_text(rows, **how):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, **how).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("lineterminator", ["\n", "\r\n", "\r"])
@given(st.lists(st.lists(texts, min_size=1, max_size=4), max_size=5), st.sampled_from(["", "\ufeff"]))
def test_any_rows_are_read_as_written_with_their_lines(lineterminator, rows, mark):
    text = csv_text(rows, lineterminator=lineterminator)
    read = rows_of(mark + text)
    assert [row.fields for row in read] == rows
    lines = io.StringIO(text, newline="").readlines()
    for row in read:
        lines_of_row = "".join(lines[row.line - 1 :])
        assert lines_of_row.startswith(row.text)


def test_lines_are_counted_through_quoted_newlines_and_blank_lines():
    read = rows_of('a,b\n\n"one\ntwo\r\nthree",x\r\ny,z\n\n"\n",end')
    assert [row.line for row in read] == [1, 3, 6, 8]
    assert read[1].text == '"one\ntwo\r\nthree",x'


def test_what_is_no_csv_does_not_hold_up_the_rows_after_it():
    good, bad, after, open_quote = rows_of('a,b\n"a"b,c\nd,e\n"f,g\nh')
    assert (good.problem, after.fields) == (None, ["d", "e"])
    assert (bad.line, bad.text, bad.problem) == (2, '"a"b,c', "not CSV: ',' expected after '\"'")
    assert (open_quote.line, open_quote.text) == (4, '"f,g\nh')
    assert open_quote.problem == "not CSV: unexpected end of data"


def test_a_quote_never_closed_costs_no_more_than_a_field():
    lines = [f"{number},{'x' * 90}\n" for number in range(5000)]
    read = rows_of("a,b\n" + lines[0] + '"' + "".join(lines[1:]))
    (bad,) = [row for row in read if row.problem]
    assert (bad.line, bad.problem) == (3, "not CSV: field larger than field limit (131072)")
    assert sum(row.text.count("\n") + 1 for row in read) == 5001


@pytest.mark.parametrize(
    "body", [b"\x89PNG\r\n\x1a\n", "a,ü\n".encode("latin-1"), "a,b\n".encode("utf-16"), b"a\n\xff"]
)
def test_what_is_not_utf8(body):
    with pytest.raises(PoisonFileError, match="not UTF-8, at line 1"):
        rows_of(body)


def test_lines_without_end():
    with pytest.raises(PoisonFileError, match="no end of a row in 1,048,576 characters, line 2"):
        rows_of("a,b\n" + "x," * MAX_ROW_CHARACTERS)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("ticker,price", "lacks timestamp, volume"),
        ("PAR1\x00", "lacks ticker, timestamp, price, volume"),
        (f"{HEADER},price", "names a column twice"),
        (f"{HEADER},Price", "names a column twice"),
        (f"{HEADER},note,NOTE", "names a column twice"),
        (HEADER.upper(), "lacks ticker, timestamp, price, volume"),
        (f"\u00a0{HEADER}", "lacks ticker"),
        (f"{HEADER},{'x' * 2**16}", "longer than 64 KB"),
    ],
)
def test_headers_that_are_none(columns, reason):
    with pytest.raises(PoisonFileError, match=reason):
        maker(columns)


def test_an_item():
    assert item(*GOOD) == {
        "PK": "A",
        "SK": "2026-01-02T15:04:00.123Z",
        "price": Decimal("1.50"),
        "volume": 7,
        "source_key": "stocks/a.csv",
    }


def test_further_columns_are_kept_unless_they_collide():
    columns = f"venue,{HEADER},PK,,expires,note"
    stored = item("XNAS", *GOOD, "other", "unnamed", "1", "", columns=columns)
    assert {**item(*GOOD), "venue": "XNAS", "note": ""} == stored


def test_items_expire_from_now_on_however_old_their_rows_are():
    began = int(time.time())
    assert began <= item(*GOOD, days=2)["expires"] - 2 * 86400 <= time.time()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({0: " "}, "ticker is empty"),
        ({0: "ü" * 1025}, "ticker is longer than 2048 bytes"),
        ({0: "A\u200b"}, "ticker has a character that cannot be seen"),
        ({0: "A\u00a0"}, "ticker has a character that cannot be seen"),
        ({0: "A\nB"}, "ticker has a character that cannot be seen"),
        ({1: ""}, NO_TIME),
        ({1: "yesterday"}, NO_TIME),
        ({1: "1711111200000"}, NO_TIME),
        ({1: "0001-01-01T00:00:00+14:00"}, NO_DAY),
        ({1: "2026-02-29"}, NO_DAY),
        ({1: "2026-01-02T15:04:00.1234Z"}, "timestamp is finer than milliseconds"),
        ({1: "2026-01-02T15:04:00.1230000001Z"}, "timestamp is finer than milliseconds"),
        ({2: ""}, "price is not a number"),
        ({2: "NaN"}, "price is not a number"),
        ({2: "Infinity"}, "price is not a number"),
        ({2: "1_000"}, "price is not a number"),
        ({2: "٣"}, "price is not a number"),
        ({2: "-1"}, "price is negative"),
        ({2: "-0.00"}, "price is negative"),
        ({2: "1." + "0" * 38}, "price has more digits than DynamoDB's 38"),
        ({2: "1E126"}, "price is beyond 1E-130 to 9.99E+125"),
        ({2: "1E-131"}, "price is beyond 1E-130 to 9.99E+125"),
        ({2: "1E999999999"}, "price is beyond 1E-130 to 9.99E+125"),
        ({3: "1.0"}, "volume is not an integer"),
        ({3: "1e3"}, "volume is not an integer"),
        ({3: "-5"}, "volume is negative"),
        ({3: "9" * 39}, "volume has more digits than DynamoDB's 38"),
    ],
)
def test_bad_rows(change, reason):
    with pytest.raises(BadRowError) as caught:
        item(*(change.get(position, value) for position, value in enumerate(GOOD)))
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("fields", "reason"), [(GOOD[:3], "3 columns, not 4"), ([*GOOD, ""], "5 columns, not 4")]
)
def test_another_number_of_columns(fields, reason):
    with pytest.raises(BadRowError, match=reason):
        item(*fields)


def test_a_row_larger_than_an_item():
    with pytest.raises(BadRowError, match="larger than 400 KB"):
        item(*GOOD, *["x" * 103_000] * 4, columns=f"{HEADER},a,b,c,d")


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_any_price_is_stored_exactly_or_refused(price):
    try:
        stored = price_of(str(price))
    except BadRowError:
        small = price.is_signed() or price.adjusted() not in range(-130, 126)
        assert small or len(price.as_tuple().digits) > 38 or price.as_tuple().exponent < -165
    else:
        assert stored.as_tuple() == price.as_tuple()


@given(st.text(max_size=10))
def test_any_text_is_a_number_or_refused(text):
    for column in (price_of, volume_of):
        with suppress(BadRowError):
            assert column(text) >= 0


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC)).map(
        lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
    )
)
def test_any_time_in_milliseconds_is_kept(time):
    try:
        stored = timestamp_of(time.isoformat())
    except BadRowError:
        assert time.year in (1, 9999) or time.utcoffset().total_seconds() % 60
    else:
        assert stored.timestamp() == time.timestamp()  # == is False for times that a clock change skips
        assert stored.tzinfo is UTC
