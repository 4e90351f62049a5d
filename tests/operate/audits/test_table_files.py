"""The audit of *ingest*: rows of files and items of the table."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.audited import audited, clear, make
from support.cleanup import remove
from support.the_five import pipelines

from lib.operate.audits.findings import UNJUDGED
from lib.operate.audits.history import Grace
from lib.operate.audits.table_files import StoredFiles
from lib.operate.audits.table_rows import NotOfTableError, rejected_lines, rows_of
from lib.operate.audits.table_shape import Shape
from lib.parameters import Parameters
from lib.s3.objects import Place
from lib.target import connect

HEADER = b"ticker,timestamp,price,volume\n"
KEY = "stocks/dt=2099-01-02/1.csv"
STOCKS = Shape.read(Parameters().ingest.table_description)


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "tauditing"})


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module")
def pipeline(aws, own):
    stack = make(aws, own, "ingest")
    yield pipelines(own)["ingest"]
    remove(stack)


class Stocks:
    """Files and items."""

    def __init__(self, aws, own, pipeline):
        self.s3, self.bucket = aws.client("s3", pipeline.source.region), pipeline.source.name
        self.dynamodb = aws.client("dynamodb", pipeline.destination.region)
        self.table, self.aws, self.own = pipeline.destination.name, aws, own

    def put(self, rows: bytes, key: str = KEY) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=rows)

    def item(self, ticker: str, second: int, price: str = "1.50", key: str = KEY) -> None:
        item = {
            "PK": {"S": ticker},
            "SK": {"S": f"2099-01-02T15:{second // 60:02}:{second % 60:02}.000Z"},
            "price": {"N": price},
            "volume": {"N": "7"},
            "source_key": {"S": key},
        }
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def clear(self) -> None:
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table):
            for item in page["Items"]:
                self.dynamodb.delete_item(TableName=self.table, Key={n: item[n] for n in ("PK", "SK")})

    def found(self, **settings) -> dict[str, tuple[str, str]]:
        result = audited(self.aws, self.own, "ingest", **settings)
        return {row.key: (row.state, row.detail) for row in result.differences.itertuples()}


def row(ticker: str, second: int, price: str = "1.5") -> bytes:
    return f"{ticker},2099-01-02T15:{second // 60:02}:{second % 60:02}Z,{price},7\n".encode()


@pytest.fixture
def stocks(aws, own, pipeline) -> Stocks:
    clear(aws, pipeline)
    stocks = Stocks(aws, own, pipeline)
    stocks.clear()
    return stocks


def test_a_file_whose_rows_are_stored_is_the_same(stocks):
    stocks.put(HEADER + b"".join(row("A", second) for second in range(250)) + b"\n")
    for second in range(250):
        stocks.item("A", second)
    assert stocks.found() == {}


def test_rows_that_are_missing_or_differ_are_counted(stocks):
    stocks.put(HEADER + b"".join(row("A", second) for second in range(250)))
    for second in range(248):
        stocks.item("A", second)
    assert stocks.found() == {KEY: ("missing", "2 of 250 rows are not stored")}
    stocks.item("A", 248, "9")
    stocks.item("A", 249)
    assert stocks.found() == {KEY: ("stale", "1 of 250 rows are stored otherwise")}


def test_rejected_rows_are_left_out(stocks):
    bad = b'A,"not a time",1,7\n"a quote\nin two lines",b,c,d\n'
    stocks.put(HEADER + row("A", 1) + bad + row("A", 2))
    stocks.put(b"line,reason,row\n3,why,x\n4,why,y\n", f"rejected/{KEY}")
    stocks.item("A", 1)
    assert stocks.found() == {KEY: ("missing", "1 of 2 rows are not stored")}
    stocks.item("A", 2)
    assert stocks.found() == {}


def test_of_two_rows_of_one_place_the_other_must_be_rejected(stocks):
    many = b"".join(row("A", second) for second in range(2, 150))
    stocks.put(HEADER + row("A", 1, "8") + many + row("A", 1, "9") + row("A", 1, "8.0"))
    for second in range(2, 150):
        stocks.item("A", second)
    stocks.item("A", 1, "8")
    assert stocks.found() == {KEY: ("stale", "1 of 151 rows are stored otherwise")}
    stocks.put(b"line,reason,row\n151,ticker and timestamp are those of line 2,x\n", f"rejected/{KEY}")
    assert stocks.found() == {}
    stocks.item("A", 1, "9")
    assert stocks.found() == {KEY: ("stale", "2 of 151 rows are stored otherwise")}


def test_what_can_be_no_item_must_be_rejected(stocks):
    """As if *consume* had taken milliseconds for a date, or a separator that is none."""
    stocks.put(HEADER + b"A,1711111200000,1.5,7\nA,2099-01-02x15:00:01,1.5,7\n" + row("A", 2))
    for second in (1, 2):
        stocks.item("A", second)
    stocks.dynamodb.put_item(
        TableName=stocks.table, Item={"PK": {"S": "A"}, "SK": {"S": "1711-11-12T00:00:00.000Z"}}
    )
    assert stocks.found() == {KEY: ("stale", "2 of 3 rows can be no items, but are not rejected")}
    stocks.put(b"line,reason,row\n2,why,x\n3,why,x\n", f"rejected/{KEY}")
    assert stocks.found() == {}


def test_what_is_rejected_must_be_wrong(stocks):
    stocks.put(HEADER + row("A", 1) + row("A", 2))
    stocks.item("A", 1)
    stocks.put(b"line,reason,row\n3,why,x\n", f"rejected/{KEY}")
    assert stocks.found() == {KEY: ("stale", "1 of 2 rows are rejected, but can be stored")}


def test_a_row_at_the_end_of_time_is_judged_and_so_are_the_others(stocks):
    stocks.put(HEADER + b"A,9999-12-31T00:00:00Z,1.5,7\n" + row("A", 1))
    stocks.put(HEADER + row("B", 1), "stocks/other.csv")
    stocks.item("A", 1)
    assert stocks.found() == {
        KEY: ("missing", "1 of 2 rows are not stored"),
        "stocks/other.csv": ("missing", "1 of 1 rows are not stored"),
    }


def test_rejections_that_cannot_be_read_hold_up_no_other_file(stocks):
    stocks.put(HEADER + row("A", 1))
    stocks.put(b"line,reason,row\nnot a line,x,y\n", f"rejected/{KEY}")
    stocks.put(HEADER + row("B", 1), "stocks/other.csv")
    found = stocks.found()
    assert found["stocks/other.csv"] == ("missing", "1 of 1 rows are not stored")
    assert found[KEY][0] == UNJUDGED
    assert "ValueError" in found[KEY][1]


def test_an_item_that_somebody_else_has_written_differs(stocks):
    stocks.put(HEADER + row("A", 1))
    foreign = {"PK": {"S": "A"}, "SK": {"S": "2099-01-02T15:00:01.000Z"}}
    stocks.dynamodb.put_item(TableName=stocks.table, Item=foreign)
    assert stocks.found() == {KEY: ("stale", "1 of 1 rows are stored otherwise")}


def test_a_row_of_another_file_at_the_same_place_will_do(stocks):
    stocks.put(HEADER + row("A", 1))
    stocks.item("A", 1, "9", key="stocks/another.csv")
    assert stocks.found() == {}


def test_what_is_no_csv_of_stocks_is_missing(stocks):
    stocks.put(b"nothing\n1\n")
    assert stocks.found() == {KEY: ("missing", "not stored: no file of this table, by its header")}


def judged(stocks, days_later, **shape):
    """Return the state of the file so many days later."""
    place = Place(stocks.s3, stocks.bucket)
    later = datetime.now(UTC) + timedelta(days=days_later)
    judge = StoredFiles(
        place, stocks.dynamodb, stocks.table, Grace(0), replace(STOCKS, **shape), clock=lambda: later
    )
    return judge.look(KEY).state


def test_items_of_an_old_file_may_have_expired(stocks):
    stocks.put(HEADER + b"A,2020-01-02T15:00:00Z,1,7\n")
    assert judged(stocks, 29, time_to_live_days=30) == "missing"
    assert judged(stocks, 31, time_to_live_days=30) == UNJUDGED
    assert judged(stocks, 31) == "missing"


def test_items_expire_from_a_column_s_time_on(stocks):
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stocks.put(HEADER + f"A,{now},1,7\n".encode())
    by_column = {"time_to_live_column": "timestamp", "time_to_live_days": 3}
    assert judged(stocks, 2, **by_column) == "missing"
    assert judged(stocks, 4, **by_column) == UNJUDGED


def test_young_files_may_be_on_their_way(stocks):
    stocks.put(HEADER + row("A", 1))
    assert audited(stocks.aws, stocks.own, "ingest", grace_s=600).findings.counts == {UNJUDGED: 1}


def test_rejected_rows_of_a_file_in_pieces_are_in_several_objects(stocks):
    stocks.put(HEADER + row("A", 1) + b"A,x,1,7\n" + row("A", 2) + b"A,y,1,7\n")
    for second in (1, 2):
        stocks.item("A", second)
    stocks.put(b"line,reason,row\n0,in pieces,\n", f"rejected/{KEY}")
    folder = f"rejected/pieces/{KEY}"
    stocks.put(b"line,reason,row\n3,why,x\n", f"{folder}/000000000002.csv")
    stocks.put(b"line,reason,row\n4,why,x\n", f"{folder}/another.csv/000000000002.csv")
    assert stocks.found() == {KEY: ("stale", "1 of 3 rows can be no items, but are not rejected")}
    stocks.put(b"line,reason,row\n5,why,x\n", f"{folder}/000000000004.csv")
    assert stocks.found() == {}


@pytest.mark.parametrize("text", [b"\xff\n", b"ticker\n", b"x" * (2**20 + 1), b""])
def test_poison_is_told_and_not_read_into_memory(text):
    with pytest.raises(NotOfTableError):
        list(rows_of(io.BytesIO(text), iter(()), STOCKS))


def test_lines_are_those_of_consume_however_long():
    rejected = b"line,reason,row\n2,x," + b"y" * 2**20 + b"\n"
    assert list(rejected_lines(io.BytesIO(rejected))) == [2]
    assert list(rejected_lines(io.BytesIO(b'line,reason,row\n2,x,"a\nb"\n5,y,z\n'))) == [2, 5]
    rows = [("2", "expected after '\"'", '"a"b,\n9,"\n12,y,z\r'), ("15", "y", "\r\n"), ("20", "y", "z")]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("line", "reason", "row"), *rows])
    assert list(rejected_lines(io.BytesIO(text.getvalue().encode()))) == [2, 15, 20]
