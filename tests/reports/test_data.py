"""What others report of CSV files, rows and queries, done to *summarize*, *ingest* and the SQL of Athena.

Each case names its report; README.md has all of them.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from support.running import Running, eventually

from lib.lake.query import Athena
from lib.operate.audits.audit import audit

WITHIN_S = 60


@dataclass(frozen=True)
class Report:
    """A CSV file, and what must be said of it.

    Attributes:
        body: Its bytes.
        columns: Names to some of what the profile says; empty if it must be rejected.
        rows: How many there are.
        line: Where the rejection must point to.
    """

    body: bytes
    columns: dict[str, dict] = field(default_factory=dict)
    rows: int = 0
    line: int | None = None


THOUSANDS = "Id\tA\tB\n1\t537\t2,288\n2\t325\t1,047\n3\t98\t194\n"
LATE_TEXT = "A,B\n" + "0,1\n" * 3000 + "9a,1\na,1\n"
LATE_FRACTION = "a b,c\n" + "1,1\n" * 3000 + "2,2.1\n"
DECIMAL_COMMA = "a;b\n" + "-;-\n" * 10 + "0,1;-\n" * 90 + "0,1;0,1\n" * 10
CSVS = {
    "duckdb/duckdb#19578": Report(
        b'Country;Location;Count;Date\nChina;"35.86166;104.19397";97100,7;04/07/20\n',
        {"Country": {}, "Location": {"min": "35.86166;104.19397"}, "Count": {"min": "97100,7"}, "Date": {}},
        rows=1,
    ),
    "duckdb/duckdb#11403": Report(
        b'col1\n"cell with\nnewline"\n', {"col1": {"min": "cell with\nnewline", "distinct": 1}}, rows=1
    ),
    "duckdb/duckdb#16760": Report(
        b'x,y,"test\n123"\na,b,c\n1,2,3\n', {"x": {}, "y": {}, "test\n123": {"max": "c", "nulls": 0}}, rows=2
    ),
    "duckdb/duckdb#14883": Report(b'id,name\n1,a\n2,the "new" stop\n3,"b" c\n', line=4),
    "pola-rs/polars#14530": Report(
        b'"Time","a"\n0,   0.0\n0,   0.5\n1,   0.0\n',
        {"Time": {"type": "bigint"}, "a": {"type": "double"}},
        rows=3,
    ),
    "pola-rs/polars#18465": Report(
        THOUSANDS.encode("utf-16"),
        {
            "Id": {"type": "bigint"},
            "A": {"type": "bigint"},
            "B": {"type": "varchar", "distinct": 3, "max": "2,288"},
        },
        rows=3,
    ),
    "pola-rs/polars#12692": Report(
        LATE_FRACTION.encode(), {"a b": {"type": "bigint"}, "c": {"type": "double", "max": "2.1"}}, rows=3001
    ),
    "pola-rs/polars#26685": Report(
        DECIMAL_COMMA.encode(),
        {"a": {"type": "varchar", "distinct": 2}, "b": {"type": "varchar", "distinct": 2}},
        110,
    ),
    "turi-code/SFrame#23": Report(
        LATE_TEXT.encode(),
        {"A": {"type": "varchar", "distinct": 3, "max": "a"}, "B": {"type": "bigint"}},
        rows=3002,
    ),
    "AndreaBozzo/dataprof#425": Report(
        b'amount;n\n1.5;1\n2.5;2\n"1.234,56";3\n;4\n',
        {"amount": {"type": "varchar", "nulls": 1, "mean": None}, "n": {}},
        rows=4,
    ),
    "wireservice/csvkit#954": Report(
        b"headerA,b\ninf,1\n2.5,2\n",
        {"headerA": {"type": "varchar", "distinct": 2, "mean": None}, "b": {}},
        rows=2,
    ),
    "FlatFilers/csvjson-app#84": Report(
        b'code\n"101E010031"\n"888E010010"\n"001E010015"\n',
        {"code": {"type": "varchar", "distinct": 3, "min": "001E010015"}},
        rows=3,
    ),
    "mholt/PapaParse#129": Report(b"id,name,id\n1,a,x\n2,b,\n", {"id": {}, "name": {}}, rows=2),
    "swiftcsv/SwiftCSV#134": Report(
        b"en,comment,en\n,,\nEfficiency,,\n%@,,\n", {"en": {}, "comment": {"nulls": 3}}, rows=3
    ),
    "aws-samples/csv-to-dynamodb#9": Report(
        "\ufeffid;größe\r\n1;2\r\n".encode(), {"id": {"type": "bigint"}, "größe": {"type": "bigint"}}, rows=1
    ),
    "melihbirim/csvql#95": Report(
        b'"last,first",age\n"Smith,John",42\n',
        {"last,first": {"min": "Smith,John"}, "age": {"max": "42"}},
        rows=1,
    ),
    "MarkPflug/Sylvan#258": Report(
        b'id,json\n1,"{""a"":[{""0"":""it\\u0027s\\n\\n[x](https://y)""}]}"\n2,"{}"\n',
        {"id": {"max": "2"}, "json": {"distinct": 2, "nulls": 0}},
        rows=2,
    ),
}


@pytest.fixture(scope="module")
def running(local_aws) -> Iterator[Running]:
    running = Running("rdata", ("summarize", "ingest"))
    yield running
    running.destroy()


@pytest.fixture(scope="module")
def outcomes(running) -> dict[str, tuple[dict | None, dict | None]]:
    """What became of each CSV, one by one: its summary, or why there is none."""
    files, found = running.source("summarize"), {}
    for number, report in enumerate(CSVS):
        files.put(f"synthetic-data/{number}.csv", CSVS[report].body)
        places = f"summaries/summary_{number}.json", f"rejected/{number}.csv.json"
        assert eventually(lambda places=places: any(map(files.read, places)), WITHIN_S), report
        found[report] = tuple(map(files.text, places))
    return found


@pytest.mark.parametrize("report", CSVS)
def test_a_reported_csv_is_described_as_it_is_or_rejected_with_its_line(report, outcomes):
    expected, (summary, rejection) = CSVS[report], outcomes[report]
    if not expected.columns:
        assert summary is None
        assert rejection["line"] == expected.line
        return
    assert summary is not None, rejection
    assert summary["rows"] == expected.rows
    assert {each["name"] for each in summary["column_profiles"]} == expected.columns.keys()
    for profile in summary["column_profiles"]:
        wanted = expected.columns[profile["name"]]
        assert {name: profile[name] for name in wanted} == wanted, profile


def test_columns_of_one_name_are_both_described(outcomes):
    """mholt/PapaParse#129, swiftcsv/SwiftCSV#134: the last column of a name replaced the others."""
    summary, _ = outcomes["mholt/PapaParse#129"]
    assert [profile["name"] for profile in summary["column_profiles"]] == ["id", "name", "id"]
    assert [profile["nulls"] for profile in summary["column_profiles"]] == [0, 0, 1]


def test_a_file_with_another_ending_is_left_alone_and_the_audit_is_clean(running):
    """serverless/serverless#6409, Enterprise-CMCS/managed-care-review#2664: filters tell .CSV from .csv."""
    files = running.source("summarize")
    files.put("synthetic-data/LOUD.CSV", b"a\n1\n")
    files.put("synthetic-data/quiet.csv", b"a\n1\n")
    assert eventually(lambda: files.read("summaries/summary_quiet.json"), WITHIN_S)
    assert not [
        key for key in sorted(files.keys()) if "LOUD" in key and not key.startswith("synthetic-data/")
    ]
    assert audit(running.target, running.parameters, "summarize").is_clean


ROWS = """\ufeffticker,timestamp,price,volume,gps
LAT,2026-01-02T15:04:05Z,33.10318374633789,1657997362,-117.24636840820312
ONE,2026-01-02T15:04:05.001Z,414.70,1,
TWICE,2026-01-02T15:04:05Z,1,1,first
TWICE,2026-01-02T15:04:05Z,2,2,second
LONG,2026-01-02T15:04:05Z,1234567890123.12345678901234567890,1,
007,2026-01-02T15:04:05Z,1e2,1,0012
"""


def test_rows_are_stored_digit_by_digit_whatever_is_in_a_batch(running):
    """aws-samples/csv-to-dynamodb#9, #11, #12, boto/boto#873: byte order mark, equal keys, digits.

    Of two rows of one key the first is stored, and the other named.
    """
    files = running.source("ingest")
    files.put("stocks/reports.csv", ROWS.encode())

    def items() -> dict[str, dict]:
        found = running.items("ingest")
        return {item["PK"]: item for item in found if item["source_key"] == "stocks/reports.csv"}

    assert eventually(lambda: len(items()) == 5, WITHIN_S), items()
    found = items()
    assert Decimal(found["LAT"]["price"]) == Decimal("33.10318374633789")
    assert found["LAT"]["gps"] == "-117.24636840820312"
    assert Decimal(found["LONG"]["price"]) == Decimal("1234567890123.12345678901234567890")
    assert (found["TWICE"]["price"], found["TWICE"]["gps"]) == ("1", "first")
    assert (found["007"]["price"], found["007"]["gps"]) == ("100", "0012")
    rejected = files.read("rejected/stocks/reports.csv").decode()
    assert [row["line"] for row in csv.DictReader(io.StringIO(rejected))] == ["5"]


def test_a_bad_row_is_named_and_those_around_it_are_stored(running):
    """aws-samples/csv-to-dynamodb#11: an error without a word about which row."""
    files = running.source("ingest")
    body = (
        "ticker,timestamp,price,volume\nA,2026-02-02T00:00:00Z,1,1\n,2026-02-02T00:00:00Z,1,1\nB,then,1,1\n"
    )
    files.put("stocks/bad.csv", (body + "C,2026-02-02T00:00:00Z,1,1\n").encode())
    assert eventually(lambda: files.read("rejected/stocks/bad.csv"), WITHIN_S)
    rejected = list(csv.DictReader(io.StringIO(files.read("rejected/stocks/bad.csv").decode())))
    assert [row["line"] for row in rejected] == ["3", "4"]
    stored = {item["PK"] for item in running.items("ingest") if item["source_key"] == "stocks/bad.csv"}
    assert stored == {"A", "C"}


@pytest.fixture(scope="module")
def athena(running) -> Athena:
    scope = running.parameters.scope("ingest")
    return Athena(
        running.target, "us-east-1", workgroup=scope.name("queries"), database="default", quiet=True
    )


@pytest.mark.parametrize(
    "value",
    [
        "filtered_name",
        "O'Brien",
        "' OR '1'='1",
        "a%b",
        "100%%",
        "back\\slash",
        "line\nbreak",
        ":name;",
        "%(x)s",
        "--",
        "",
    ],
)
def test_a_bound_text_is_that_text_and_never_sql(value, athena):
    """aws/aws-sdk-pandas#609 and #2575, laughingman7743/PyAthena#275."""
    row = athena.query("SELECT %(x)s AS a, %(x)s LIKE '%%' AS b, 'a%%b' AS c", x=value).iloc[0]
    assert (row["a"], bool(row["b"]), row["c"]) == (value, True, "a%b")


def test_a_percent_sign_needs_nothing_where_no_value_is_bound(athena):
    """laughingman7743/PyAthena#14."""
    assert athena.query("SELECT 'greenhopper' LIKE '%hopper%' AS a")["a"].tolist() == [True]
