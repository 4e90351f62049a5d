"""Large files, which Athena summarizes; made large by setting the limit to nothing."""

import pytest
from support.s3_messages import s3_event, s3_record
from support.summaries import INPUT, ONLY_ATHENA, OUTPUT, REGION, Summaries, context, log_lines

from lib.base.paths import ROOT

SAMPLES = ["airlines", "airports", "planes", "stocks"]
DIFFERENT = {"engine", "summarized_at", "version_id", "last_modified"}
ESTIMATED = {
    "distinct",
    "distinct_is_approximate",
    "quartiles",
    "quartiles_are_approximate",
    "top_values",
    "top_values_are_approximate",
}


@pytest.fixture(scope="module")
def summaries(operator, as_handler):
    return Summaries.make(operator, as_handler)


@pytest.fixture
def by_athena(summaries, monkeypatch):
    """Switches to Athena when called."""
    return lambda: monkeypatch.setenv("ATHENA_ABOVE_BYTES", ONLY_ATHENA)


@pytest.mark.parametrize("sample", SAMPLES)
def test_both_engines_agree(summaries, by_athena, sample):
    body = (ROOT / "notebooks/samples" / f"{sample}.csv").read_bytes()
    by_duckdb, _ = summaries.of(body, f"{sample}.csv")
    by_athena()
    found, rejected = summaries.of(body, f"{sample}.csv")
    assert rejected is None
    assert (by_duckdb["engine"], found["engine"]) == ("duckdb", "athena")
    ones, others = by_duckdb.pop("column_profiles"), found.pop("column_profiles")
    assert {k: v for k, v in found.items() if k not in DIFFERENT} == {
        k: v for k, v in by_duckdb.items() if k not in DIFFERENT
    }
    for one, other in zip(ones, others, strict=True):
        assert one.keys() == other.keys()
        assert {k: v for k, v in one.items() if k not in ESTIMATED} == {
            k: v for k, v in other.items() if k not in ESTIMATED
        }
        assert other["distinct"] == pytest.approx(one["distinct"], rel=0.1)
        if one["quartiles"]:
            assert other["quartiles"] == pytest.approx(one["quartiles"], rel=0.1)
        else:
            assert other["quartiles"] is None
        assert other["distinct_is_approximate"] and not one["distinct_is_approximate"]
        # Among those that are clearly the most frequent
        for value in one["top_values"]:
            if value["count"] > 0.05 * found["rows"]:
                assert value in other["top_values"]


def left_over(summaries, operator):
    """Return what is staged, and the tables that are there."""
    tables = operator.client("glue").get_tables(DatabaseName=summaries.database)["TableList"]
    versions = summaries.bucket.client.list_object_versions(
        Bucket=summaries.bucket.bucket, Prefix="athena-staging/"
    )
    return versions.get("Versions", []) + versions.get("DeleteMarkers", []), tables


def test_nothing_is_left(summaries, operator, by_athena, monkeypatch):
    by_athena()
    log = summaries.log(monkeypatch)
    summary, _ = summaries.of(b"a,b\n1,x\n", "left.csv")
    assert summary["rows"] == 1
    assert left_over(summaries, operator) == ([], [])
    messages = [line["message"] for line in log_lines(log)]
    assert messages == ["event received", "CSV staged", "JSON uploaded"]


@pytest.mark.parametrize(
    ("body", "reason", "line"),
    [
        (b'a,b\n1,"x\ny"\n', "line ends within quotes", None),
        ("a,b\n1,2\n".encode("utf-16"), "Athena cannot read utf-16", None),
        ("a,b\n1,é\n".encode("latin-1"), "Athena cannot read what is not UTF-8", 2),
        (b"a,b\n1,2\n3\n", "Line 3 has 1 fields", 3),
        (b"a,b\n1,2\n3,4,\n", "Line 3 has 3 fields", 3),
        (b"sep=,\na,b\n1\n", "Line 3 has 1 fields", 3),
        ("a,b\n1,ü\n3,".encode() + b"\xff\n", "cannot read what is not UTF-8, see line 3", 3),
        (b"\xef\xbb\xbfa,b\n1,2\n3,\xff\n", "cannot read what is not UTF-8, see line 3", 3),
        (b"a,b\n1,2\n\x1a", "DOS's end mark", None),
        (b"PK\x03\x04", "ZIP", None),
    ],
)
def test_what_athena_cannot_read_is_rejected(summaries, operator, by_athena, body, reason, line):
    by_athena()
    summary, rejected = summaries.of(body, "unreadable.csv")
    assert summary is None
    assert reason in rejected["reason"]
    assert rejected["line"] == line
    assert left_over(summaries, operator) == ([], [])


def test_empty_files_need_no_athena(summaries, by_athena):
    by_athena()
    assert summaries.of(b"", "empty.csv")[1]["reason"] == "The file is empty."


def test_types_and_odd_values(summaries, by_athena):
    rows = [
        "1,1.5,2024-02-29,2024-01-01T10:00:00.5,true, it's,",
        ' 2 ,-3e2,NA,2024-01-01 09:00:00,FALSE,"a,b",',
        "3,.5,2024-01-01,,True,\\,",
    ]
    body = "\n".join(["i,d,day,time,flag,text,empty", *rows]).encode()
    by_duckdb, _ = summaries.of(body, "odd.csv")
    by_athena()
    found, _ = summaries.of(body, "odd.csv")
    types = ["bigint", "double", "date", "timestamp", "boolean", "varchar", "varchar"]
    for summary in (by_duckdb, found):
        assert [each["type"] for each in summary["column_profiles"]] == types
    for one, other in zip(by_duckdb["column_profiles"], found["column_profiles"], strict=True):
        for name in ("nulls", "min", "max", "mean", "standard_deviation", "top_values"):
            assert one[name] == other[name], (one["name"], name)


def test_no_value_becomes_another(summaries, by_athena):
    names = "big,larger,amount,zip,zero,day,exact,same"
    rows = [
        f"1764843812345600000,{10**20},12345678901234567.00000001,02134,-0.0,0000-12-30,48.053808600000004,x",
        f"1764843812345600001,{10**20 + 1},1.5,2134,0.0,0001-01-01,0.1,x",
        f"{2**63 - 1},{-(10**37)},.5,501,0,9999-12-31,NA,x",
    ]
    types = [
        "bigint",
        "decimal(38,0)",
        "decimal(38,8)",
        "varchar",
        "double",
        "date",
        "decimal(38,15)",
        "varchar",
    ]
    body = "\n".join(["sep=,", names, *rows]).encode()
    by_duckdb, _ = summaries.of(body, "exact.csv")
    by_athena()
    found, _ = summaries.of(body, "exact.csv")
    assert found["rows"] == 3
    for one, other, kind in zip(by_duckdb["column_profiles"], found["column_profiles"], types, strict=True):
        assert one["type"] == other["type"] == kind
        for name in ("name", "nulls", "distinct", "min", "max", "top_values"):
            assert one[name] == other[name], (one["name"], name)
        for name in ("mean", "standard_deviation"):
            assert one[name] == pytest.approx(other[name]), (one["name"], name)


def test_what_is_not_looked_at_is_not_called_valid(summaries, by_athena):
    by_athena()
    small, _ = summaries.of(b"a,b\n1,2\n", "small.csv")
    large, _ = summaries.of(b"a,b\n" + b"1,2\n" * 300_000, "large.csv")
    said = [(found["encoding_found_by"], found["damaged_bytes"]) for found in (small, large)]
    assert said == [("valid bytes", 0), ("valid first bytes", None)]


def test_a_late_line_with_too_many_fields(summaries, operator, by_athena):
    by_athena()
    summary, rejected = summaries.of(b"a,b\n" + b"1,2\n" * 300_000 + b"3,4,5\n", "late.csv")
    assert summary is None
    assert rejected["reason"] == "1 lines have more fields than the header."
    assert left_over(summaries, operator) == ([], [])


def test_more_columns_than_a_query_holds(summaries, by_athena):
    by_athena()
    names = [f"n{number}" for number in range(60)]
    found, _ = summaries.of("\n".join([",".join(names)] + [",".join(["7"] * 60)] * 3).encode(), "wide.csv")
    assert [each["name"] for each in found["column_profiles"]] == names
    assert all(each["top_values"] == [{"value": "7", "count": 3}] for each in found["column_profiles"])


def test_when_the_time_is_up_the_next_attempt_goes_on(summaries, operator, by_athena):
    by_athena()
    key = f"{INPUT}slow.csv"
    summaries.bucket.put(key, b"a,b\n1,2\n")
    event = s3_event(s3_record(summaries.bucket.bucket, key, REGION))
    with pytest.raises(ExceptionGroup) as failed:
        summaries.handler.handler(event, context(remaining_ms=1000))
    assert [type(each).__name__ for each in failed.value.exceptions] == ["TimeIsUpError"]
    staged, tables = left_over(summaries, operator)
    assert (len(staged), len(tables)) == (1, 1)
    copies = []
    events = summaries.handler.client("s3").meta.events
    events.register("before-call.s3.CopyObject", lambda **_: copies.append(1), unique_id="copies")
    summaries.deliver(key)
    events.unregister("before-call.s3.CopyObject", unique_id="copies")
    assert copies == []
    assert summaries.read(f"{OUTPUT}summary_slow.json")["engine"] == "athena"
    assert left_over(summaries, operator) == ([], [])


def test_a_query_that_fails_is_raised_and_leaves_nothing(summaries, operator, by_athena, monkeypatch):
    by_athena()
    key = f"{INPUT}failing.csv"
    summaries.bucket.put(key, b"a,b\n1,2\n")
    # As Athena fails if somebody dropped the table meanwhile
    events = summaries.handler.client("athena").meta.events

    def drop(**_):
        glue = operator.client("glue")
        for table in glue.get_tables(DatabaseName=summaries.database)["TableList"]:
            glue.delete_table(DatabaseName=summaries.database, Name=table["Name"])

    events.register("before-call.athena.StartQueryExecution", drop, unique_id="drop")
    with pytest.raises(ExceptionGroup) as failed:
        summaries.deliver(key)
    events.unregister("before-call.athena.StartQueryExecution", unique_id="drop")
    assert [type(each).__name__ for each in failed.value.exceptions] == ["AthenaQueryError"]
    assert left_over(summaries, operator) == ([], [])


def test_a_file_that_athena_may_not_scan_is_rejected(summaries, by_athena, monkeypatch):
    by_athena()
    monkeypatch.setenv("ATHENA_SCANS_BYTES", "5")
    summary, rejection = summaries.of(b"a,b\n1,2\n", "vast.csv")
    assert summary is None
    assert rejection["reason"] == "The file has 8 bytes, more than Athena's workgroup may scan."
