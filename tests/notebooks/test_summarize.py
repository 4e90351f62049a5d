"""The pipeline *summarize*, deployed by its notebook and used with other tools than the notebook's."""

import json

import pandas as pd
import pytest

from lib.engine.waiting import Waiting
from lib.lake import query
from lib.operate import log_events, samples, summaries
from lib.s3.objects import Place

RAGGED = samples.Sample("synthetic-data/a/same.csv", b"n,text\n1,one\n2,two\n3,\n")
SAME_NAME = samples.Sample("synthetic-data/b/same.csv", "n;text\n1;\u00fc\n".encode("latin-1"))
PICTURE = samples.Sample("synthetic-data/a/picture.csv", samples.PIXEL_PNG)
HARD_KEY = samples.Sample("synthetic-data/folder/Project Idea+\u00fc 100%.csv", b"a,b\n1,2\n")


@pytest.fixture(scope="module")
def summarize(deploy):
    return deploy("40_summarize")


@pytest.fixture(scope="module")
def place(summarize) -> Place:
    return Place(summarize.aws.client("s3", "us-east-1"), summarize.outputs["bucket"])


def outcomes(summarize, place: Place, files: list[samples.Sample]) -> list[str]:
    """Upload, and wait for what becomes of each."""
    uploads = samples.upload(place.client, place.bucket, files)
    failed = Waiting(summarize.aws.client("sqs", "us-east-1"), summarize.outputs["failures_url"])
    return summaries.watch_outcomes(uploads, place, settings=summarize.parameters.summarize, failed=failed)[
        "state"
    ].tolist()


def load(place: Place, key: str) -> dict:
    return json.load(place.client.get_object(Bucket=place.bucket, Key=key)["Body"])


def test_a_second_run_changes_nothing(summarize):
    found = summarize.counts()
    assert found["to create"] == found["to change"] == 0


def test_each_file_is_summarized_or_rejected_with_a_reason(summarize, place):
    files = [RAGGED, SAME_NAME, HARD_KEY, PICTURE]
    assert outcomes(summarize, place, files) == ["summarized", "summarized", "summarized", "rejected"]
    one, other = (load(place, f"summaries/{folder}/summary_same.json") for folder in "ab")
    assert (one["rows"], other["rows"]) == (3, 1)
    assert one["etag"].strip('"') == place.head(RAGGED.key)["ETag"].strip('"')
    assert one["column_profiles"][1]["nulls"] == 1
    assert other["column_profiles"][1]["max"] == "\u00fc"
    assert load(place, "summaries/folder/summary_Project Idea+\u00fc 100%.json")["columns"] == 2
    assert "binary" in summaries.reason(place, PICTURE.key, summarize.parameters.summarize)


def test_a_file_that_is_mended_is_rejected_no_more(summarize, place):
    assert outcomes(summarize, place, [samples.Sample(PICTURE.key, RAGGED.body)]) == ["summarized"]
    assert place.head("rejected/a/picture.csv.json") is None


def test_athena_reads_all_summaries(summarize, place):
    analyst = query.Athena(
        summarize.aws,
        "us-east-1",
        workgroup=summarize.outputs["workgroup"],
        database=summarize.outputs["database"],
    )
    found = analyst.query(
        'SELECT key, "rows", column_profiles[i].name AS name FROM summaries '
        "CROSS JOIN UNNEST(sequence(1, columns)) AS t (i) WHERE key = %(key)s ORDER BY 3",
        key=RAGGED.key,
    )
    assert found.to_dict("list")["name"] == ["n", "text"]
    assert found["rows"].tolist() == [3, 3]


def test_it_does_not_start_itself(summarize, place, somebody):
    lines = log_events.lines(
        somebody("logs"), summarize.outputs["log_group"], pd.Timestamp("2020-01-01", tz="UTC")
    )
    assert {line["key"].split("/")[0] for line in lines} == {"synthetic-data"}


def test_a_file_too_large_for_the_function_is_read_by_athena(summarize, place):
    summarize.run(summarize={"athena_above_mb": 0})
    files = samples.load("synthetic-data/", hard=False)
    assert set(outcomes(summarize, place, files)) == {"summarized"}
    for file in files:
        summary = load(place, summarize.parameters.summarize.summary_key(file.key))
        assert (summary["engine"], summary["rows"]) == ("athena", file.rows), file.key
    left = place.client.list_objects_v2(Bucket=place.bucket, Prefix="athena-staging/")
    assert left["KeyCount"] == 0
    tables = summarize.aws.client("glue", "us-east-1").get_tables(DatabaseName=summarize.outputs["database"])
    assert [table["Name"] for table in tables["TableList"]] == ["summaries"]
