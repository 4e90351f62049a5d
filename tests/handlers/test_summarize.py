"""The handler, bound by its policy, on the local AWS."""

import itertools
from datetime import UTC, datetime

import duckdb
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.meddling import once
from support.s3_messages import TEST_EVENT, in_sns_envelope, s3_event, s3_record, sqs_event
from support.summaries import INPUT, OUTPUT, REGION, REJECTED, Summaries, context, log_lines

from lib.operate import facts

BODY = b"a,b\n1,x\n2,\n"
RAGGED = b"a,b\n1\n"
runs = itertools.count()


@pytest.fixture(scope="module")
def summaries(operator, as_handler):
    return Summaries.make(operator, as_handler)


def test_the_summary(summaries):
    version = summaries.bucket.put(f"{INPUT}a/b/x y+ü.csv", BODY)
    summaries.deliver(f"{INPUT}a/b/x y+ü.csv")
    found = summaries.read(f"{OUTPUT}a/b/summary_x y+ü.json")
    assert found.keys() == facts.of("summarize").columns.keys()
    now = datetime.now(UTC)
    assert 0 <= (now - datetime.fromisoformat(found.pop("summarized_at"))).total_seconds() < 60
    assert 0 <= (now - datetime.fromisoformat(found.pop("last_modified"))).total_seconds() < 60
    assert found == {
        "bucket": summaries.bucket.bucket,
        "key": f"{INPUT}a/b/x y+ü.csv",
        "version_id": version["VersionId"],
        "etag": version["ETag"].strip('"'),
        "size_bytes": 11,
        "engine": "duckdb",
        "encoding": "utf-8",
        "encoding_found_by": "valid bytes",
        "encoding_alternatives": [],
        "damaged_bytes": 0,
        "first_damaged_line": None,
        "delimiter": ",",
        "null_values": ["", "NA", "N/A", "NaN", "nan", "NULL", "null"],
        "rows": 2,
        "columns": 2,
        "column_profiles": [
            {
                "name": "a",
                "type": "bigint",
                "nulls": 0,
                "distinct": 2,
                "distinct_is_approximate": False,
                "min": "1",
                "max": "2",
                "mean": 1.5,
                "standard_deviation": 0.5**0.5,
                "quartiles": [1.25, 1.5, 1.75],
                "quartiles_are_approximate": False,
                "top_values": [{"value": "1", "count": 1}, {"value": "2", "count": 1}],
                "top_values_are_approximate": False,
            },
            {
                "name": "b",
                "type": "varchar",
                "nulls": 1,
                "distinct": 1,
                "distinct_is_approximate": False,
                "min": "x",
                "max": "x",
                "mean": None,
                "standard_deviation": None,
                "quartiles": None,
                "quartiles_are_approximate": False,
                "top_values": [{"value": "x", "count": 1}],
                "top_values_are_approximate": False,
            },
        ],
    }


def test_equal_names_in_two_folders(summaries):
    for folder in ("one/", "two/", ""):
        summaries.of(BODY, f"{folder}same.csv")
    found = [key for key in summaries.keys(OUTPUT) if key.endswith("summary_same.json")]
    assert found == [
        f"{OUTPUT}one/summary_same.json",
        f"{OUTPUT}summary_same.json",
        f"{OUTPUT}two/summary_same.json",
    ]


@pytest.mark.parametrize(
    ("key", "event_name", "why"),
    [
        (f"{OUTPUT}a/summary_x.json", "ObjectCreated:Put", "the function's own output"),
        (f"{OUTPUT}a/x.csv", "ObjectCreated:Put", "the function's own output"),
        (f"{REJECTED}a/x.csv.json", "ObjectCreated:Put", "the function's own output"),
        ("athena-staging/0/data.csv", "ObjectCreated:Copy", f"not under {INPUT}"),
        ("elsewhere/x.csv", "ObjectCreated:Put", f"not under {INPUT}"),
        (
            f"{INPUT}x.CSV",
            "ObjectCreated:Put",
            "does not end with .csv or .csv.gz or .jsonl or .jsonl.gz or .parquet",
        ),
        (
            f"{INPUT}x",
            "ObjectCreated:Put",
            "does not end with .csv or .csv.gz or .jsonl or .jsonl.gz or .parquet",
        ),
        (f"{INPUT}x.csv", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:DeleteMarkerCreated"),
    ],
)
def test_what_is_ignored(summaries, monkeypatch, key, event_name, why):
    before, log = summaries.keys(), summaries.log(monkeypatch)
    summaries.deliver(key, event_name=event_name)
    (line,) = log_lines(log)
    assert (line["message"], line["key"], line["why"]) == ("ignored", key, why)
    assert summaries.keys() == before


def test_another_bucket_is_ignored(summaries, monkeypatch):
    log = summaries.log(monkeypatch)
    summaries.handler.handler(s3_event(s3_record("somebody-elses", f"{INPUT}x.csv", REGION)), context())
    assert [line["why"] for line in log_lines(log)] == ["another bucket"]


def test_the_log_proves_the_sequence(summaries, monkeypatch):
    log = summaries.log(monkeypatch)
    summary, _ = summaries.of(b"secret,b\n1,confidential\n", "logged.csv")
    lines = log_lines(log)
    assert [line["message"] for line in lines] == ["event received", "CSV downloaded", "JSON uploaded"]
    assert {line["key"] for line in lines} == {f"{INPUT}logged.csv"}
    assert lines[1]["bytes"] == summary["size_bytes"]
    assert lines[2]["target_key"] == f"{OUTPUT}summary_logged.json"
    assert all(line["seconds"] >= 0 and line["bytes"] > 0 for line in lines[1:])
    assert "confidential" not in log.getvalue()


def test_what_cannot_be_summarized_is_rejected_and_not_retried(summaries, monkeypatch):
    log = summaries.log(monkeypatch)
    summary, rejected = summaries.of(RAGGED, "folder/ragged.csv")
    assert summary is None
    assert (rejected["key"], rejected["line"]) == (f"{INPUT}folder/ragged.csv", 2)
    assert rejected["reason"] == "Line 2 has 1 fields, the header has 2."
    assert rejected["version_id"] and rejected["etag"] and rejected["size_bytes"] == len(RAGGED)
    assert log_lines(log)[-1]["message"] == "CSV rejected"


def test_a_summary_and_a_rejection_replace_each_other(summaries):
    name = "changing.csv"
    assert [each is None for each in summaries.of(RAGGED, name)] == [True, False]
    assert [each is None for each in summaries.of(BODY, name)] == [False, True]
    assert [each is None for each in summaries.of(RAGGED, name)] == [True, False]


def test_what_is_not_there_leaves_no_delete_marker(summaries):
    summaries.of(BODY, "unmarked.csv")
    markers = summaries.bucket.client.list_object_versions(
        Bucket=summaries.bucket.bucket, Prefix=f"{REJECTED}unmarked"
    )
    assert "DeleteMarkers" not in markers


def test_a_key_too_long_for_its_summary(summaries):
    name = "k" * (1024 - len(INPUT) - 4) + ".csv"
    summaries.bucket.put(f"{INPUT}{name}", BODY)
    summaries.deliver(f"{INPUT}{name}")
    assert "longer than S3 allows" in summaries.read(f"{REJECTED}{name}.json")["reason"]


def test_gone(summaries, monkeypatch):
    log = summaries.log(monkeypatch)
    summaries.deliver(f"{INPUT}never.csv")
    assert [line["message"] for line in log_lines(log)] == ["event received", "gone"]
    assert summaries.read(f"{OUTPUT}summary_never.json") is None


@pytest.mark.parametrize("operation", ["GetObject", "PutObject"])
@pytest.mark.parametrize("newer", [b"a\n1\n", RAGGED])
def test_what_is_overwritten_meanwhile_is_summarized_again(summaries, operation, newer):
    key = f"{INPUT}raced {operation} {len(newer)}.csv"
    summaries.bucket.put(key, BODY)
    with once(
        summaries.handler.client("s3"),
        f"before-call.s3.{operation}",
        lambda: summaries.bucket.put(key, newer),
    ):
        summaries.deliver(key)
    name = key.removeprefix(INPUT).removesuffix(".csv")
    found = [summaries.read(f"{OUTPUT}summary_{name}.json"), summaries.read(f"{REJECTED}{name}.csv.json")]
    assert [each and each["size_bytes"] for each in found] == ([4, None] if newer != RAGGED else [None, 6])


def test_what_is_deleted_meanwhile(summaries, monkeypatch):
    key = f"{INPUT}deleted.csv"
    version = summaries.bucket.put(key, BODY)["VersionId"]
    client = summaries.bucket.client

    def delete():
        client.delete_object(Bucket=summaries.bucket.bucket, Key=key, VersionId=version)

    log = summaries.log(monkeypatch)
    with once(summaries.handler.client("s3"), "before-call.s3.GetObject", delete):
        summaries.deliver(key)
    assert log_lines(log)[-1]["message"] == "gone"
    assert summaries.read(f"{OUTPUT}summary_deleted.json") is None


def test_failures_of_the_machine_are_raised_and_do_not_hold_up_others(summaries, monkeypatch):
    good, bad = f"{INPUT}good.csv", f"{INPUT}bad.csv"
    summaries.bucket.put(good, BODY)
    summaries.bucket.put(bad, BODY + b"3,no memory for this one\n")
    profile_file = summaries.handler.profile_file

    def without_memory(path):
        if path.stat().st_size > len(BODY):
            raise duckdb.OutOfMemoryException("no memory")
        return profile_file(path)

    monkeypatch.setattr(summaries.handler, "profile_file", without_memory)
    with pytest.raises(ExceptionGroup) as failed:
        summaries.deliver(bad, good)
    assert [type(each) for each in failed.value.exceptions] == [duckdb.OutOfMemoryException]
    assert summaries.read(f"{OUTPUT}summary_good.json")["rows"] == 2
    assert summaries.read(f"{OUTPUT}summary_bad.json") is None
    assert summaries.read(f"{REJECTED}bad.csv.json") is None


def test_nothing_is_left_on_the_disk(summaries, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    summaries.of(BODY, "tidy.csv")
    summaries.of(RAGGED, "tidy.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrap", [lambda event: sqs_event(in_sns_envelope(event)), lambda event: event])
def test_wrapped_or_not(summaries, wrap):
    summaries.bucket.put(f"{INPUT}wrapped.csv", BODY)
    record = s3_record(summaries.bucket.bucket, f"{INPUT}wrapped.csv", REGION)
    summaries.handler.handler(wrap(s3_event(record)), context())
    assert summaries.read(f"{OUTPUT}summary_wrapped.json")["rows"] == 2


def test_the_test_event(summaries):
    assert summaries.handler.handler(TEST_EVENT, context()) is None


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_object", {"Key": f"{OUTPUT}summary_p.json"}),
        ("get_object", {"Key": f"{REJECTED}p.csv.json"}),
        ("get_object", {"Key": "elsewhere/p.csv"}),
        ("put_object", {"Key": f"{INPUT}p.csv", "Body": b""}),
        ("put_object", {"Key": "elsewhere/p.csv", "Body": b""}),
        ("delete_object", {"Key": f"{INPUT}p.csv"}),
        ("list_objects_v2", {}),
        ("list_objects_v2", {"Prefix": "elsewhere/"}),
    ],
)
def test_what_the_role_may_not(summaries, operation, arguments):
    for key in (f"{OUTPUT}summary_p.json", f"{REJECTED}p.csv.json", "elsewhere/p.csv", f"{INPUT}p.csv"):
        summaries.bucket.put(key, BODY)
    call = getattr(summaries.handler.client("s3"), operation)
    with pytest.raises(ClientError, match="AccessDenied|Forbidden|403"):
        call(Bucket=summaries.bucket.bucket, **arguments)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=100), st.text(max_size=50).map(str.encode)))
def test_any_bytes_end_as_one_json_object(summaries, body):
    summary, rejected = summaries.of(body, f"any {next(runs)}.csv")
    assert (summary is None) != (rejected is None)
