"""What *consume* takes for a ticker, a time and a number: what docs/stock-files.md says, and nothing else."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.consuming import described
from support.handler_support import load_handler

from lib.operate.audits.table_rows import NotOfTableError, rows_of
from lib.operate.audits.table_shape import Shape

load_handler("consume")
from column_values import TYPES, BadRowError, timestamp_of  # noqa: E402
from common.times import iso8601  # noqa: E402
from csv_rows import PoisonFileError, Row, read_rows  # noqa: E402
from items import ItemMaker  # noqa: E402
from seen_rows import IN_MEMORY, SeenRows  # noqa: E402
from table_description import TableDescription  # noqa: E402

SHAPE = Shape.read(described().table_description)
STOCKS = TableDescription.read(described().table_description)
price_of, volume_of = (
    partial(TYPES["decimal>=0"], column="price"),
    partial(TYPES["integer>=0"], column="volume"),
)

HEADER = "ticker,timestamp,price,volume"

TIMES = {
    "2024-01-02T15:04:05Z": "2024-01-02T15:04:05.000Z",
    "2024-01-02 15:04:05Z": "2024-01-02T15:04:05.000Z",
    "2024-01-02T15:04:05": "2024-01-02T15:04:05.000Z",
    "2024-01-02 15:04:05": "2024-01-02T15:04:05.000Z",
    "2024-01-02T15:04": "2024-01-02T15:04:00.000Z",
    "2024-01-02T15:04Z": "2024-01-02T15:04:00.000Z",
    "2024-01-02": "2024-01-02T00:00:00.000Z",
    "2024-02-29": "2024-02-29T00:00:00.000Z",
    "2024-01-02T15:04:05.1Z": "2024-01-02T15:04:05.100Z",
    "2024-01-02T15:04:05.123Z": "2024-01-02T15:04:05.123Z",
    "2024-01-02T15:04:05.123000000Z": "2024-01-02T15:04:05.123Z",
    "2024-01-02T15:04:05.123000000000000000+00:00": "2024-01-02T15:04:05.123Z",
    "2024-01-02T15:04:05-00:00": "2024-01-02T15:04:05.000Z",
    "2024-01-02T15:04:05+05:30": "2024-01-02T09:34:05.000Z",
    "2024-01-02T00:00:00+14:00": "2024-01-01T10:00:00.000Z",
    "2024-01-02T23:59:59.999-23:59": "2024-01-03T23:58:59.999Z",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z": "9999-12-31T23:59:59.999Z",
}
NO_TIMES = [
    "",
    "1711111200",  # seconds
    "1711111200000",  # milliseconds, of which fromisoformat makes the year 1711
    "1711111200000000",
    "1711111200.5",
    "17111112",
    "20240102",
    "20240102T150405",
    "20240102T150405Z",
    "2024-01-02T150405Z",
    "20240102 15:04:05",
    "2024-01-02x15:04:05",
    "2024-01-02t15:04:05Z",
    "2024-01-02T15:04:05z",
    "2024-01-02  15:04:05",
    "2024-01-02T 15:04:05",
    "2024-01-02T",
    "2024-01-02Z",
    "2024-01-02+01:00",
    "2024-01-02T15",
    "2024-01-02T15Z",
    "2024-01-02T15:04:05,123Z",
    "2024-01-02T15:04:05.Z",
    "2024-01-02T15:04:05.123 Z",
    "2024-01-02T15:04:05 +01:00",
    "2024-01-02T15:04:05+01",
    "2024-01-02T15:04:05+0100",
    "2024-01-02T15:04:05+01:00:30",
    "2024-01-02T15:04:05+24:00",
    "2024-01-02T15:04:05+01:60",
    "2024-01-02T15:04:05\u221201:00",
    "2024-01-02T15:04:05 UTC",
    "2024-01-02T15:04:05[Europe/Berlin]",
    "2024-01-02T24:00:00Z",
    "2024-01-02T23:59:60Z",
    "2024-01-02T15:60:00Z",
    "2024-01-02T15:04:05.1234Z",
    "2024-01-02T15:04:05.123456Z",
    "2024-01-02T15:04:05.123456789Z",
    "2024-01-02T15:04:05.1230000000000000001Z",
    "2024-W01-1",
    "2024-W01",
    "2024W011",
    "2024-002",
    "2024002",
    "2024-01",
    "2024",
    "2023-02-29",
    "2024-04-31T00:00:00Z",
    "2024-00-01",
    "2024-13-01",
    "2024-1-2",
    "24-01-02",
    "0000-01-01",
    "+12345-01-01",
    "12345-01-01",
    "-0001-01-01",
    "+2024-01-02",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:00-00:01",
    "01/02/2024",
    "2024/01/02",
    "2024-01-02\u00a015:04:05",
    "\u0662\u0660\u0662\u0664-\u0660\u0661-\u0660\u0662",
    "２０２４-01-02",
    "NaT",
    "now",
    "Tue, 02 Jan 2024 15:04:05 GMT",
]
PRICES = {
    "1": "1",
    "1.50": "1.50",
    "+1": "1",
    "007.5": "7.5",
    "1.": "1",
    ".5": "0.5",
    "0": "0",
    "1e-05": "0.00001",
    "1.5E+3": "1500",
    "9" * 38: "9" * 38,
    "1E125": "1E125",
    "1E-130": "1E-130",
}
NO_PRICES = [
    *(
        "",
        ".",
        "e5",
        "1e",
        "1e1.5",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "inf",
        "nan",
        "null",
        "None",
        "N/A",
    ),
    *(
        "-1",
        "-0",
        "-0.0",
        "--1",
        "++1",
        "1_000",
        "1,000",
        "1.000,5",
        "1 000",
        "1\u00a0000",
        "1'000",
        "$1",
        "1$",
        "1%",
    ),
    *("0x10", "0b1", "1e5.0", "1d", "1f", "١٢", "１２", "1²", "½", "1/2", "1.2.3", "1" * 39, "1." + "0" * 38),
    *("1E126", "1E-131", "1e999999999", "1e9999999999", "\u22121", "1\n", "\u20031"),
]
NO_VOLUMES = ["", "1.0", "1.", ".5", "1e3", "1.5", "-1", "-0", "1_0", "1,000", "0x1", "NaN", "١", "1" * 39]


@pytest.mark.parametrize(("text", "stored"), TIMES.items())
def test_times_that_are_taken(text, stored):
    assert iso8601(timestamp_of(text)) == stored
    assert audited(f"A,{text},1,1") == ("A", stored, 1, 1)


@pytest.mark.parametrize("text", NO_TIMES)
def test_times_that_are_not(text):
    with pytest.raises(BadRowError, match="timestamp is "):
        timestamp_of(text)
    assert audited(f'A,"{text}",1,1') is None


@pytest.mark.parametrize(("text", "value"), PRICES.items())
def test_prices_that_are_taken(text, value):
    assert price_of(text) == Decimal(value)
    assert audited(f"A,2024-01-02,{text},1")[2] == Decimal(value)


@pytest.mark.parametrize("text", NO_PRICES)
def test_prices_that_are_not(text):
    with pytest.raises(BadRowError, match="price "):
        price_of(text)
    assert audited(f'A,2024-01-02,"{text}",1') is None


@pytest.mark.parametrize("text", NO_VOLUMES)
def test_volumes_that_are_not(text):
    with pytest.raises(BadRowError, match="volume "):
        volume_of(text)
    assert audited(f'A,2024-01-02,1,"{text}"') is None


@pytest.mark.parametrize(
    "ticker", ["A", "aapl", "BRK.B", "BRK/B", "^GSPC", "ES=F", "RDSA LN", "0700.HK", "ü", "🚀"]
)
def test_a_ticker_is_as_written(ticker):
    (stored,) = stored_by_consume(f"{ticker},2024-01-02,1,1")
    assert stored["PK"] == ticker == audited(f"{ticker},2024-01-02,1,1")[0]


@pytest.mark.parametrize(
    "ticker", ["", " ", "A\u00a0", "\ufeffA", "A\u200b", "A\tB", "A\x00", "A\x1b[31m", "A\u202eB"]
)
def test_a_ticker_that_cannot_be_seen_is_none(ticker):
    assert stored_by_consume(f"{ticker},2024-01-02,1,1") == [None]
    assert audited(f"{ticker},2024-01-02,1,1") is None


def audited(text, header=HEADER):
    """Return what the audit reads of a row, or None if it can be no item."""
    (row,) = rows_of(io.BytesIO(f"{header}\n{text}\n".encode()), iter(()), SHAPE)
    return tuple(row.item[name][1] for name in ("PK", "SK", "price", "volume")) if row.item else None


def stored_by_consume(text, header=HEADER):
    """Return what *consume* makes of each row: an item, or None."""
    rows = read_rows(io.BytesIO(f"{header}\n{text}\n".encode()))
    maker, found = ItemMaker.from_header(STOCKS, next(rows), "stocks/a.csv"), []
    for row in rows:
        try:
            found.append(maker.item(row))
        except BadRowError:
            found.append(None)
    return found


def cut_and_paste(texts):
    """Return texts like these: with a character changed, doubled, left out or put in."""
    characters = st.sampled_from([*"0123456789-+:.,TtZzW eE_ \t", "\u0661", "\u00a0", "\u2212"])

    @st.composite
    def changed(draw):
        text = draw(st.sampled_from(texts))
        place = draw(st.integers(0, len(text)))
        new = draw(st.lists(characters, max_size=3).map("".join))
        return text[:place] + new + text[place + draw(st.integers(0, 2)) :]

    return st.sampled_from(texts) | changed()


TIME = re.compile(
    r"(?P<year>(?!0000)[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
    r"(?:[ T](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])"
    r"(?:\.(?P<ms>[0-9]{1,3})0*)?)?(?P<zone>Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?)?"
)


def strictly(text):
    """Read a time by a third way: a grammar in one piece, and strptime for the calendar."""
    if not (found := TIME.fullmatch(text)):
        return None
    zone = (found["zone"] or "Z").replace("Z", "+00:00")
    try:
        names = ("year", "month", "day", "hour", "minute", "second")
        parts = " ".join(found[name] or "00" for name in names)
        milliseconds = (found["ms"] or "0").ljust(6, "0")
        naive = datetime.strptime(f"{parts} {milliseconds}", "%Y %m %d %H %M %S %f")
        minutes = int(zone[:3]) * 60 + int(zone[0] + zone[4:])
        return iso8601((naive - timedelta(minutes=minutes)).replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


@settings(max_examples=500)
@given(cut_and_paste([*TIMES, *NO_TIMES]))
def test_times_are_read_in_three_ways_alike(text):
    stripped = text.strip(" \t")
    try:
        stored = iso8601(timestamp_of(stripped))
    except BadRowError:
        stored = None
    assert stored == strictly(stripped)
    found = audited(quoted("A", text, "1", "1"))
    assert (found and found[1]) == stored


@settings(max_examples=500)
@given(cut_and_paste([*PRICES, *NO_PRICES]), cut_and_paste(["0", "7", *NO_VOLUMES]))
def test_numbers_are_read_by_the_audit_as_by_consume(price, volume):
    text = quoted("A", "2024-01-02", price, volume)
    (item,) = stored_by_consume(text)
    expected = item and ("A", "2024-01-02T00:00:00.000Z", item["price"], item["volume"])
    assert audited(text) == expected


def quoted(*fields):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(fields)
    return text.getvalue().rstrip("\r\n")


@given(st.permutations([*HEADER.split(","), "note", "Venue"]), st.sampled_from(["", "\ufeff", " ", "\t"]))
def test_columns_in_any_order(columns, before):
    values = {
        "ticker": "A",
        "timestamp": "2024-01-02",
        "price": "1",
        "volume": "2",
        "note": "n",
        "Venue": "v",
    }
    header, row = before + ",".join(columns), ",".join(values[name] for name in columns)
    (item,) = stored_by_consume(row, header)
    assert (item["PK"], item["price"], item["volume"], item["note"], item["Venue"]) == ("A", 1, 2, "n", "v")
    assert audited(row, header) == ("A", "2024-01-02T00:00:00.000Z", 1, 2)


@pytest.mark.parametrize(
    "header",
    ["Ticker,timestamp,price,volume", f"{HEADER},price", f"{HEADER},PRICE", f"{HEADER},a,A", "a,b,c,d"],
)
def test_headers_that_neither_takes(header):
    with pytest.raises(PoisonFileError):
        ItemMaker.from_header(STOCKS, Row(1, header, header.split(",")), "key")
    with pytest.raises(NotOfTableError):
        audited("A,2024-01-02,1,1", header)


def seen_item(number, price="1", **further):
    return {
        "PK": "A",
        "SK": str(number),
        "price": Decimal(price),
        "volume": Decimal(1),
        "source_key": "k",
        **further,
    }


def test_a_second_row_of_a_key_is_named_unless_it_says_the_same():
    with SeenRows(STOCKS) as seen:
        seen.add(seen_item(1, "1.5", note="a"), line=2)
        seen.add(seen_item(1, "1.50", note="a", expires=7), line=3)
        for other in (seen_item(1, "1.6", note="a"), seen_item(1, "1.5", note="b"), seen_item(1, "1.5")):
            with pytest.raises(
                BadRowError, match="^ticker and timestamp are those of line 2, with other values$"
            ):
                seen.add(other, line=4)
        seen.add(seen_item(2, "1.6", note="a"), line=5)


def test_so_is_one_that_comes_long_after():
    with SeenRows(STOCKS) as seen:
        for number in range(2 * IN_MEMORY + 10):
            seen.add(seen_item(number), line=number + 2)
        for number in (0, IN_MEMORY, 2 * IN_MEMORY + 5):
            seen.add(seen_item(number, "1.0"), line=7)
            with pytest.raises(BadRowError, match=f"those of line {number + 2},"):
                seen.add(seen_item(number, "2"), line=7)
