"""JSON lines, Parquet and compressed files have the summary that the same values have as CSV."""

import csv
import gzip
import io
import json
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.handler_support import load_handler
from support.summaries import INPUT, OUTPUT, Summaries

from lib.parameters.sections import SUMMARIZED, Summarize

load_handler("summarize")
from duckdb_profile import profile_file  # noqa: E402
from object_keys import SUFFIXES, Prefixes  # noqa: E402
from other_formats import make_csv  # noqa: E402
from rejection import RejectedError  # noqa: E402

NAMES = ("name", "n", "price", "day", "zip", "is")
ROWS = [
    ("a", "1", "1.50", "2026-01-02", "01234", "true"),
    ("b, c", "-7", "0.1234567890123456789", "2026-01-03", "00001", "false"),
    ('say "é"\n', "", "", "", "", ""),
]


@pytest.fixture
def profiled(tmp_path):
    """Returns a function that profiles bytes under a key, as the function does."""

    def profile(body, key):
        path = tmp_path / "data.csv"
        path.write_bytes(body)
        how = make_csv(path, key)
        found, rows, columns = profile_file(path)
        return found | how, rows, columns

    return profile


def as_csv(rows=ROWS, names=NAMES):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    return out.getvalue().encode()


def as_json_lines(rows=ROWS, names=NAMES):
    """Numbers and booleans are such, what is empty is null or not there."""
    lines = []
    for number, row in enumerate(rows):
        pairs = []
        for name, value in zip(names, row, strict=True):
            is_plain = name in ("n", "price", "is") and value
            if value or number % 2:
                text = (value if is_plain else json.dumps(value)) if value else "null"
                pairs.append(f"{json.dumps(name)}: {text}")
        lines.append("{" + ", ".join(pairs) + "}\r\n\n")
    return "".join(lines).encode()


def as_parquet(tmp_path, query):
    path = tmp_path / "made.parquet"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("make", [as_csv, as_json_lines])
def test_the_same_values_have_the_same_summary(profiled, make, compress):
    suffix = ".csv" if make is as_csv else ".jsonl"
    key = f"x{suffix}{'.gz' if compress is gzip.compress else ''}"
    _, rows, columns = profiled(as_csv(), "x.csv")
    found = profiled(compress(make()), key)
    assert found[1:] == (rows, columns)
    assert found[0]["encoding_found_by"] == ("valid bytes" if make is as_csv else "format")


def test_parquet_has_the_summary_of_its_texts(profiled, tmp_path):
    values = [
        "('a', 1, 1.50::DECIMAL(20,19), DATE '2026-01-02', '01234', true)",
        "('b, c', -7, 0.1234567890123456789::DECIMAL(20,19), DATE '2026-01-03', '00001', false)",
        "('say \"é\"\n', NULL, NULL, NULL, NULL, NULL)",
    ]
    columns = ", ".join(f'"{name}"' for name in NAMES)
    body = as_parquet(tmp_path, f"SELECT * FROM (VALUES {', '.join(values)}) AS t ({columns})")
    _, rows, expected = profiled(as_csv(), "x.csv")
    how, found_rows, found = profiled(body, "x.parquet")
    assert (found_rows, [c["type"] for c in found]) == (rows, [c["type"] for c in expected])
    for one, other in zip(found, expected, strict=True):
        if one["name"] != "price":  # which Parquet has with 19 decimals
            assert one == other
    assert how["encoding_found_by"] == "format"


def test_what_parquet_has_and_csv_has_not(profiled, tmp_path):
    body = as_parquet(
        tmp_path,
        "SELECT TIMESTAMPTZ '2026-01-02 15:04:05.5+01' AS \"a\"\"b\", [1, 2] AS l, {'x': 'y'} AS s,"
        " 0.1::DOUBLE AS d, 9007199254740993::BIGINT AS i, NULL::INTEGER AS n, MAP {'k': 1} AS m",
    )
    _, rows, found = profiled(body, "x.parquet")
    values = {c["name"]: (c["type"], c["min"], c["nulls"]) for c in found}
    assert rows == 1
    assert values == {
        'a"b': ("timestamp", "2026-01-02 14:04:05.5", 0),
        "l": ("varchar", "[1,2]", 0),
        "s": ("varchar", '{"x":"y"}', 0),
        "d": ("double", "0.1", 0),
        "i": ("bigint", "9007199254740993", 0),
        "n": ("varchar", None, 1),
        "m": ("varchar", '{"k":1}', 0),
    }


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=5, max_value=10**20), min_size=1, max_size=9
    )
)
def test_numbers_of_json_keep_all_their_digits(profiled, numbers):
    body = "".join(f'{{"v": {number}, "nested": [{number}]}}\n' for number in numbers)
    _, rows, (plain, nested) = profiled(body.encode(), "x.jsonl")
    assert rows == len(numbers)
    if plain["type"].startswith("decimal"):
        assert Decimal(plain["max"]) == max(numbers)
    assert {top["value"] for top in nested["top_values"]} <= {f"[{number}]" for number in numbers}


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("x.csv.gz", b"a,b\n1,2\n", "not compressed by gzip"),
        ("x.csv.gz", gzip.compress(as_csv(), mtime=0)[:-9], "not whole"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "The file is empty"),
        ("x.csv", gzip.compress(as_csv(), mtime=0), "compressed by gzip"),
        ("x.jsonl", b'{"a": 1}\n[1]\n', "Line 2 is no JSON object"),
        ("x.jsonl", b'{"a": 1}\n\n{"a": 1, "a": 2}\n', "Line 3 is no JSON object with each name once"),
        ("x.jsonl", b'{"a": NaN}\n', "Line 1 is no JSON object"),
        ("x.jsonl", b'{"a": "\\ud83d"}\n', "Line 1 has half a character"),
        ("x.jsonl", b'{"a": "\xff"}\n', "not UTF-8, at line 1"),
        ("x.jsonl", b"{}\n", "no object with a name"),
        ("x.jsonl", b"[" * 9000 + b"]" * 9000, "Line 1 is no JSON object"),
        ("x.jsonl", b'{"a": "' + b"x" * 2_000_001 + b'"}', "Line 1 is longer than"),
        ("x.parquet", b"PAR1", "no Parquet file"),
        ("x.parquet", as_csv(), "no Parquet file"),
    ],
)
def test_what_is_not_what_its_name_says_is_rejected(profiled, key, body, reason):
    with pytest.raises(RejectedError, match=reason) as caught:
        profiled(body, key)
    assert "say" not in str(caught.value)


def test_no_two_keys_have_one_summary_and_all_know_the_same_suffixes():
    assert SUFFIXES == SUMMARIZED
    stems = ["x", "x.csv", "x.parquet", "x.jsonl", "x.csv.gz", "x.json", "summary_x"]
    keys = [f"synthetic-data/a/{stem}{suffix}" for stem in stems for suffix in SUFFIXES]
    prefixes, parameters = Prefixes("synthetic-data/", "summaries/", "rejected/"), Summarize()
    keys = sorted({*keys})
    for written in (prefixes.summary, prefixes.rejection):
        assert len({*map(written, keys)}) == len(keys)
    assert [*map(prefixes.summary, keys)] == [*map(parameters.summary_key, keys)]
    assert all(prefixes.why_ignored(key) is None for key in keys)


def test_deployed_they_are_summarized_by_their_names(operator, as_handler, tmp_path):
    made = Summaries.make(operator, as_handler)
    bodies = {
        "a.jsonl.gz": gzip.compress(as_json_lines()),
        "b.parquet": as_parquet(tmp_path, "SELECT 1 AS one UNION ALL SELECT 2"),
        "c.parquet": b"none",
    }
    for name, body in bodies.items():
        made.bucket.put(f"{INPUT}{name}", body)
        made.deliver(f"{INPUT}{name}")
    found = json.loads(made.bucket.read(f"{OUTPUT}summary_b.parquet.jsonl")["body"])
    assert (found["rows"], found["delimiter"], found["column_profiles"][0]["max"]) == (2, "", "2")
    assert json.loads(made.bucket.read(f"{OUTPUT}summary_a.jsonl.gz.jsonl")["body"])["rows"] == 3
    assert json.loads(made.bucket.read("rejected/c.parquet.json")["body"])["reason"].startswith(
        "The file is no"
    )
