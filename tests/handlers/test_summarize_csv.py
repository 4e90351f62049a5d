"""What is made of the content of a file, by DuckDB; without AWS."""

import codecs
import csv
import io
import json
import random
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.handler_support import load_handler

from lib.base.paths import ROOT

SAMPLES = ["airlines", "airports", "planes", "stocks"]
# pandas' own tokens are more; these are ours
NULLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]


@pytest.fixture(scope="module")
def summarize(tmp_path_factory):
    """Return a function that profiles bytes: (how, rows, columns), or the reason and the line."""
    load_handler("summarize")
    engine = sys.modules["duckdb_profile"]
    path = tmp_path_factory.mktemp("csv") / "data.csv"

    def run(body):
        path.write_bytes(body)
        try:
            how, rows, columns = engine.profile_file(path)
        except engine.RejectedError as error:
            return SimpleNamespace(reason=error.reason, line=error.line)
        json.dumps(columns, allow_nan=False)
        by_name = {column["name"]: column for column in columns}
        return SimpleNamespace(**how, rows=rows, columns=columns, by_name=by_name, reason=None)

    return run


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_samples_are_what_pandas_finds(summarize, sample):
    path = ROOT / "notebooks/samples" / f"{sample}.csv"
    frame = pd.read_csv(path, keep_default_na=False, na_values=NULLS)
    found = summarize(path.read_bytes())
    assert (found.rows, list(found.by_name)) == (len(frame), list(frame.columns))
    for name, values in frame.items():
        profile, numeric = found.by_name[name], pd.api.types.is_numeric_dtype(values)
        assert profile["nulls"] == values.isna().sum()
        assert profile["distinct"] == values.nunique()
        kind = float if numeric else str
        assert kind(profile["min"]) == values.dropna().min()
        assert kind(profile["max"]) == values.dropna().max()
        assert (profile["mean"] is not None) == numeric
        if numeric:
            assert profile["mean"] == pytest.approx(values.mean(), rel=1e-12)
            assert profile["standard_deviation"] == pytest.approx(values.std(), rel=1e-12)
            assert profile["quartiles"] == pytest.approx(values.quantile([0.25, 0.5, 0.75]).tolist())
        counts = values.value_counts()
        assert [each["count"] for each in profile["top_values"]] == counts.head(5).tolist()


def test_na_leaves_a_column_of_numbers(summarize):
    found = summarize((ROOT / "notebooks/samples/planes.csv").read_bytes())
    assert (found.by_name["speed"]["type"], found.by_name["speed"]["nulls"]) == ("bigint", 3299)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "+3", " 4 "], "bigint"),
        (["1", "1.5"], "double"),
        (["1", "", "NA", "2"], "bigint"),
        (["1e3", ".5", "2."], "double"),
        (["9" * 19], "decimal(38,0)"),
        (["1_000"], "varchar"),
        (["0x1F"], "varchar"),
        (["inf", "1"], "varchar"),
        (["true", "False", "TRUE"], "boolean"),
        (["true", "1"], "varchar"),
        (["2024-02-29"], "date"),
        (["2023-02-29"], "varchar"),
        (["2024-1-1"], "varchar"),
        (["01/02/2024"], "varchar"),
        (["2024-01-01 10:00:00", "2024-01-01T10:00:00.5"], "timestamp"),
        (["2024-01-01", "2024-01-01 10:00:00"], "varchar"),
        (["", "NA"], "varchar"),
        (["1e200"], "varchar"),
        (["1e-300", "1e-320"], "double"),
    ],
)
def test_types(summarize, values, expected):
    found = summarize("\n".join(["v,w", *(f"{value},x" for value in values)]).encode())
    assert (found.rows, found.by_name["v"]["type"]) == (len(values), expected)


def test_a_type_that_shows_late(summarize):
    numbers = [f"{number},{number},2024-01-01,," for number in range(3000)]
    found = summarize("\n".join(["a,b,c,d,e", *numbers, "x,1.5,2024-13-01,7,"]).encode())
    assert [column["type"] for column in found.columns] == [
        "varchar",
        "double",
        "varchar",
        "bigint",
        "varchar",
    ]
    assert [column["nulls"] for column in found.columns] == [0, 0, 0, 3000, 3001]


@pytest.mark.parametrize(
    ("body", "reason", "line"),
    [
        (b"", "no header", 1),
        (b"\n\n", "no header", 1),
        (b"\n1,2\n", "no header", 1),
        (b"a,b\n1,2\n3\n", "Line 3 has 1 fields, the header has 2", 3),
        (b"a,b\n1,2\n3,4,5\n", "Line 3 has 3 fields, the header has 2", 3),
        (b'a,b\n1,"2\n', "quote that is not closed", 2),
        (b'a,b\n1,2\n1,"2""', "quote that is not closed", 3),
        (b"a,b\n" + b"1,2\n" * 3_000_000 + b'1,"2\n3,4', "quote that is not closed", 3_000_002),
        (b"a,b\n1," + b"x" * 3_000_000 + b"\n", "longer than", 2),
        (b"PK\x03\x04rest", "ZIP", None),
        (b"\x1f\x8brest", "gzip", None),
        (b"a,b\n\x00,2\n", "NUL", None),
        (b"a,b\n" + b"1,2\n" * 300_000 + b"\x00,2\n", "NUL", None),
        (random.Random(1).randbytes(5000), "binary", None),
        (b"\x89PNG\r\n\x1a\n" + random.Random(2).randbytes(5000), "binary", None),
        (codecs.BOM_UTF16_LE + b"a", "utf-16", None),
        (b"a" * 2**21, "no header", 1),
    ],
)
def test_rejected_with_a_reason(summarize, body, reason, line):
    found = summarize(body)
    assert reason in (found.reason or "")
    assert found.line == line
    assert found.reason.endswith(".")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
def test_encodings(summarize, encoding):
    text = 'größe;"n;ame"\r\n1;"é\r\nè"\r\n2;é\r\n'
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    found = summarize(mark + text.encode(encoding))
    assert (found.rows, list(found.by_name), found.delimiter) == (2, ["größe", "n;ame"], ";")
    assert found.by_name["n;ame"]["max"].startswith("é")
    assert found.by_name["größe"]["mean"] == 1.5


def test_a_late_character_decides_the_encoding(summarize):
    body = b"a,b\n" + b"1,x\n" * 400_000 + "1,é\n".encode("latin-1")
    found = summarize(body)
    assert (found.rows, found.encoding, found.by_name["b"]["max"]) == (400_001, "windows-1252", "é")


@pytest.mark.parametrize(
    ("body", "rows", "names"),
    [
        (b"a,b", 0, ["a", "b"]),
        (b"a,b\n", 0, ["a", "b"]),
        (b"a\n1\n2\n", 2, ["a"]),
        (b"text\nhello, world\nand; so | on\n", 2, ["text"]),
        (b"a,a,\n1,2,3\n", 1, ["a", "a", ""]),
        (b'"a ""b""\nc";\'d\';e f\n1;2;3\n', 1, ['a "b"\nc', "'d'", "e f"]),
        (b"a,b\r\n1,2\n3,4\r\n", 2, ["a", "b"]),
        (b"a,b\r1,2\r3,4", 2, ["a", "b"]),
        (b"a,b\n1,2\n\n3,4\n\n", 2, ["a", "b"]),
        (b"'a','b'\n'x,y','it''s'\n'1','2'\n", 2, ["a", "b"]),
        (b"a|b\n1,5|2\n2,5|3\n", 2, ["a", "b"]),
        (b"a\tb\n1\t\n", 1, ["a", "b"]),
        (b"DROP TABLE,{},'x',${y}\n1,2,3,4\n", 1, ["DROP TABLE", "{}", "'x'", "${y}"]),
        (b"a,b\n#1,2\n", 1, ["a", "b"]),
    ],
)
def test_dialects(summarize, body, rows, names):
    found = summarize(body)
    assert found.reason is None
    assert (found.rows, [column["name"] for column in found.columns]) == (rows, names)


def test_a_thousand_columns(summarize):
    names = [f"c{number}" for number in range(1000)]
    lines = [",".join(str(number * row) for number in range(1000)) for row in range(100)]
    found = summarize("\n".join([",".join(names), *lines]).encode())
    assert (found.rows, [column["name"] for column in found.columns]) == (100, names)
    assert found.by_name["c999"]["max"] == str(999 * 99)
    assert found.by_name["c999"]["top_values"][0] == {"value": "0", "count": 1}


def test_values_of_many_lines_in_a_file_that_is_read_in_pieces(summarize):
    value = "7,abc\n" * 100
    body = "id,text\n" + "".join(f'{row},"{value}"\n' for row in range(15_000))
    assert len(body) > 8 * 2**20  # DuckDB's pieces
    found = summarize(body.encode())
    assert (found.reason, found.rows) == (None, 15_000)
    top = found.by_name["text"]["top_values"]
    assert top == [{"value": value[:200], "count": 15_000}]


def test_long_values_are_cut(summarize):
    found = summarize(b"a,b\n" + b"x" * 1_000_000 + b",1\n").by_name["a"]
    assert found["min"] == found["max"] == found["top_values"][0]["value"] == "x" * 200


def test_the_same_file_gives_the_same_summary(summarize):
    source = random.Random(3)
    rows = [f"{source.random()},{source.randrange(50)},{source.choice('abc')}" for _ in range(450_000)]
    body = "\n".join(["x,y,z", *rows]).encode()
    assert len(body) > 8 * 2**20  # estimated
    first, second = summarize(body), summarize(body)
    assert first == second
    y = pd.Series([row.split(",")[1] for row in rows]).value_counts()
    top = first.by_name["y"]
    assert [each["count"] for each in top["top_values"]] == y.head(5).tolist()
    assert top["top_values_are_approximate"] and top["distinct_is_approximate"]


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    st.sampled_from(["", "NA", "null", "1", "2.5", "true", "2024-01-01", '"', "a\nb", "a,b", "a;b", " "]),
    st.integers().map(str),
    st.floats().map(repr),
)


@st.composite
def tables(draw):
    width = draw(st.integers(1, 5))
    row = st.lists(CELLS, min_size=width, max_size=width)
    return draw(st.lists(row, max_size=12))


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_table_is_summarized(summarize, table, delimiter, encoding, line_end, quoting):
    width = len(table[0]) if table else 2
    names = [f"name{number}" for number in range(width)]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows([names, *table])
    found = summarize(text.getvalue().encode(encoding))
    if width == 1 and found.reason:  # one column without delimiter may look like several
        return
    assert found.reason is None, found.reason
    if width == 1:
        return
    assert (found.rows, list(found.by_name)) == (len(table), names)
    for number, name in enumerate(names):
        values = [row[number] for row in table]
        assert found.by_name[name]["nulls"] == sum(value in NULLS for value in values)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
@example(b"'\n'")
@example(b'a,"b\n')
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
@example(b"0\n'")
def test_any_bytes_are_summarized_or_rejected(summarize, body):
    found = summarize(body)
    assert (found.reason is None) or found.reason.endswith(".")
