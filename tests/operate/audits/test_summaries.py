"""The audit of *summarize*: inputs without outcome, outcomes without input, outcomes of something else."""

import json

import pytest
from support.audited import audited, clear, make, states
from support.cleanup import remove
from support.the_five import pipelines

from lib.operate.audits.comparisons import comparison
from lib.operate.audits.findings import UNJUDGED
from lib.operate.pipelines import deployed
from lib.parameters import Parameters
from lib.target import connect


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "tauditsum"})


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module")
def pipeline(aws, own):
    stack = make(aws, own, "summarize")
    yield pipelines(own)["summarize"]
    remove(stack)


class Files:
    """CSV files and what is written about them."""

    def __init__(self, aws, pipeline):
        self.client, self.bucket = aws.client("s3", pipeline.source.region), pipeline.source.name

    def put(self, key: str, body: bytes = b"a,b\n1,2\n") -> dict:
        self.client.put_object(Bucket=self.bucket, Key=f"synthetic-data/{key}", Body=body)
        return self.client.head_object(Bucket=self.bucket, Key=f"synthetic-data/{key}")

    def write(self, key: str, head: dict, **changed) -> None:
        about = {"version_id": head["VersionId"], "etag": head["ETag"].strip('"')}
        about |= {"size_bytes": head["ContentLength"], **changed}
        self.client.put_object(Bucket=self.bucket, Key=key, Body=json.dumps(about).encode())

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)


@pytest.fixture
def files(aws, pipeline) -> Files:
    clear(aws, pipeline)
    return Files(aws, pipeline)


def test_each_difference_is_found(aws, own, files):
    files.write("summaries/a/summary_x.json", files.put("a/x.csv"))
    files.write("summaries/a//summary_ü+ .csv.json", files.put("a//ü+ .csv.csv"))
    files.write("rejected/b/x.csv.json", files.put("b/x.csv", b""))
    files.put("missing.csv")
    files.put("no csv.txt")
    old = files.put("stale.csv")
    files.put("stale.csv", b"a\n1\n")
    files.write("summaries/summary_stale.json", old)
    old = files.put("version.csv")
    files.put("version.csv")
    files.write("summaries/summary_version.json", old)
    both = files.put("both.csv")
    files.write("summaries/summary_both.json", both)
    files.write("rejected/both.csv.json", both)
    files.write("summaries/summary_gone.json", both)
    files.write("summaries/strange.json", both)
    files.put("deleted.csv")
    files.write("rejected/deleted.csv.json", both)
    files.delete("synthetic-data/deleted.csv")
    result = audited(aws, own, "summarize")
    assert {found.key: (found.state, found.by_design) for found in result.findings} == {
        "synthetic-data/missing.csv": ("missing", False),
        "synthetic-data/stale.csv": ("stale", False),
        "synthetic-data/version.csv": ("metadata", False),
        "synthetic-data/both.csv": ("stale", False),
        "summaries/summary_gone.json": ("extra", False),
        "summaries/strange.json": ("extra", False),
        "rejected/deleted.csv.json": ("extra", True),
    }
    assert result.findings.counts["same"] == 3


def test_without_metadata_another_version_of_the_same_bytes_will_do(aws, own, files):
    old = files.put("version.csv")
    files.put("version.csv")
    files.write("summaries/summary_version.json", old)
    assert states(aws, own, "summarize", metadata_and_tags=False) == {}


def test_what_is_young_is_not_judged(aws, own, files):
    files.put("missing.csv")
    assert audited(aws, own, "summarize", grace_s=600).findings.counts == {UNJUDGED: 1}


def test_a_key_is_looked_at_from_both_sides(aws, own, files):
    at_once = Parameters.check({"env": own.env, "audit": {"grace_s": 0}})
    judge = comparison(aws, at_once, deployed(aws, at_once, "summarize"))
    head = files.put("x.csv")
    assert judge.look("synthetic-data/x.csv").state == "missing"
    files.write("summaries/summary_x.json", head)
    assert judge.look("synthetic-data/x.csv").state == "same"
    assert judge.look("summaries/summary_x.json").state == "same"
    files.delete("synthetic-data/x.csv")
    assert judge.look("summaries/summary_x.json").state == "extra"
