"""Buckets too large to be listed: reports as S3 Inventory writes them, joined by Athena."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from support.audited import audited, clear, make
from support.calls import Recorder, watched
from support.cleanup import remove
from support.described import describe
from support.the_five import pipelines

from lib.base.errors import NotDeployedError, RunbookError, WaitError
from lib.engine.checklist import Checklist
from lib.operate.audits import inventory_configurations, inventory_reports
from lib.operate.audits.findings import Findings
from lib.operate.cutover import remaining
from lib.parameters import Parameters
from lib.resources import s3
from lib.s3.selection import KeyFilter
from lib.target import connect

LARGE = {"objects": 20, "inventory_above": 10}
# A report's columns, for each optional field of its configuration.
COLUMNS = {"Size": "size BIGINT", "ETag": "e_tag VARCHAR"}
# As in a manifest.json: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
SCHEMA = (
    "message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);  "
    "optional binary version_id (UTF8);  optional boolean is_latest;  optional boolean is_delete_marker;  "
    "optional int64 size;  optional binary e_tag (UTF8);}"
)


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "tinventory"})


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module")
def pipeline(aws, own):
    stack = make(aws, own, "backup")
    yield pipelines(own)["backup"]
    remove(stack)


@pytest.fixture(scope="module")
def workplace(aws, own, pipeline):
    stack = describe("audit", aws, own, inventory="Daily", inventory_of=["backup"])
    stack.apply()
    yield stack
    remove(stack)


class Reports:
    """Reports of a bucket, written as S3 does it, of what the bucket has now or of rows that are given.

    What is in them, and where they are, is what the bucket's inventory configuration says, as S3 has it.
    """

    def __init__(self, aws, bucket, folder: Path):
        self.client = aws.client("s3", bucket.region)
        self.source, self.folder = bucket.name, folder
        listed = self.client.list_bucket_inventory_configurations(Bucket=bucket.name)
        (self.configuration,) = listed["InventoryConfigurationList"]
        self.place = self.configuration["Destination"]["S3BucketDestination"]
        self.bucket = self.place["Bucket"].removeprefix("arn:aws:s3:::")
        self.keys = f"{self.place.get('Prefix', '')}{bucket.name}/{self.configuration['Id']}"

    @property
    def columns(self) -> list[str]:
        """In the order of rows: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html."""
        assert self.configuration["IncludedObjectVersions"] == "All"
        fields = [COLUMNS[name] for name in COLUMNS if name in self.configuration["OptionalFields"]]
        return ["key VARCHAR", "is_latest BOOLEAN", "is_delete_marker BOOLEAN", *fields]

    def rows(self) -> list[tuple]:
        """Versions and delete markers, as a report of all versions has them."""
        page = self.client.list_object_versions(Bucket=self.source)
        versions = [
            (v["Key"], v["IsLatest"], False, v["Size"], v["ETag"].strip('"'))
            for v in page.get("Versions", [])
        ]
        return versions + [(m["Key"], m["IsLatest"], True, None, None) for m in page.get("DeleteMarkers", [])]

    def write(self, dated: str, rows: list[tuple] | None = None, **changed) -> None:
        folder, rows = self.keys, self.rows() if rows is None else rows
        files = []
        for number, half in enumerate((rows[::2], rows[1::2])):
            path = self.folder / f"{dated}-{number}.parquet"
            with duckdb.connect() as connection:
                connection.execute(f"CREATE TABLE report ({', '.join(self.columns)})")
                if half:
                    connection.executemany("INSERT INTO report VALUES (?, ?, ?, ?, ?)", half)
                connection.execute(f"COPY report TO '{path}' (FORMAT parquet)")
            key = f"{folder}/data/{path.name}"
            self.client.upload_file(str(path), self.bucket, key)
            files.append({"key": key, "size": path.stat().st_size})
        manifest = {"sourceBucket": self.source, "version": "2016-11-30"}
        manifest |= {"fileFormat": self.place["Format"]}
        manifest |= {"fileSchema": SCHEMA, "files": files, **changed}
        self.manifest(f"{folder}/{dated}/", json.dumps(manifest).encode())

    def manifest(self, folder: str, body: bytes, checksum: str = "") -> None:
        checksum = checksum or hashlib.md5(body).hexdigest()
        self.client.put_object(Bucket=self.bucket, Key=f"{folder}manifest.json", Body=body)
        self.client.put_object(Bucket=self.bucket, Key=f"{folder}manifest.checksum", Body=checksum.encode())


@pytest.fixture
def reports(aws, own, pipeline, workplace, tmp_path):
    clear(aws, pipeline)
    sides = [Reports(aws, bucket, tmp_path) for bucket in (pipeline.source, pipeline.destination)]
    for side in sides:
        s3.empty_bucket(side.client, side.bucket)
    return sides


def put(side: Reports, key: str, body: bytes = b"body", **facts) -> None:
    side.client.put_object(Bucket=side.source, Key=key, Body=body, **facts)


def fill(here: Reports, there: Reports) -> None:
    for key in ("same", "it's ü/🚀 a+b%2F", "stale", "tags", "deleted"):
        put(here, key)
        put(there, key, b"BODY" if key == "stale" else b"body", Tagging="a=b" if key == "tags" else "")
    put(here, "missing")
    here.client.delete_object(Bucket=here.source, Key="deleted")


def test_the_reports_are_joined_and_what_differs_is_looked_at(aws, own, reports):
    fill(*reports)
    for side in reports:
        side.write("2026-11-18T01-00Z", [("old report", True, False, 1, "x")])
        side.write("2026-11-19T01-00Z")
    reports[0].client.put_object(
        Bucket=reports[0].bucket,
        Key=f"{reports[0].keys}/2026-11-20T01-00Z/manifest.json",
        Body=b"not whole",
    )
    result = audited(aws, own, "backup", **LARGE)
    assert result.method == "inventory"
    assert {found.key: found.state for found in result.findings} == {
        "missing": "missing",
        "stale": "stale",
        "deleted": "extra",
    }
    assert result.findings.counts["same"] == 3  # tags are not in reports


def test_what_was_mended_since_the_reports_is_the_same(aws, own, reports):
    here, there = reports
    fill(here, there)
    for side in reports:
        side.write("2026-11-19T01-00Z")
    put(there, "stale")
    put(there, "missing")
    there.client.delete_object(Bucket=there.source, Key="deleted")
    result = audited(aws, own, "backup", metadata_and_tags=False, **LARGE)
    assert result.is_clean


def test_differences_come_page_by_page_from_one_query(aws, own, pipeline, reports):
    keys = [f"{number:04}" for number in range(2500)]
    reports[0].write("2026-11-19T01-00Z", [(key, True, False, 1, "x") for key in keys])
    reports[1].write("2026-11-19T01-00Z", [])
    calls = Recorder()
    unlike = inventory_reports.Reports.of(watched(aws, "before-call", calls), own, pipeline).unlike()
    found = [next(unlike)]
    assert calls.made.count("GetQueryResults") == 1, "the rest is asked for when it is wanted"
    found += unlike
    assert sorted(found) == keys
    assert calls.made.count("GetQueryResults") == 3
    assert calls.made.count("StartQueryExecution") == 1, "each would scan the reports anew"


def test_the_count_has_as_much_time_as_the_differences(aws, own, pipeline, reports, monkeypatch):
    for side in reports:
        side.write("2026-11-19T01-00Z", [])
    joined = inventory_reports.Reports.of(aws, own, pipeline)
    monkeypatch.setattr(inventory_reports, "QUERY_TIMEOUT_S", 0)
    with pytest.raises(WaitError):
        joined.count_same(Findings(1))
    with pytest.raises(WaitError):
        next(joined.unlike())


def test_only_keys_that_pass_the_filter(aws, own, pipeline, reports):
    names = ["in/a.csv", "in/a.txt", "out/a.csv", "v"]
    for side in reports:
        side.write("2026-11-19T01-00Z", [(name, True, False, len(name), side.source) for name in names])
    wide = own.model_copy(update={"audit": own.audit.model_copy(update=LARGE)})
    filtered = replace(pipeline, filters=(KeyFilter("in/", ".csv"),))
    assert list(inventory_reports.Reports.of(aws, wide, filtered).unlike()) == ["in/a.csv"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fileFormat": "CSV"}, "in CSV, not of"),
        ({"sourceBucket": "another"}, "the report is of another"),
        ({"fileSchema": "message s3.inventory { required binary key (UTF8);}"}, "lacks size, e_tag"),
    ],
)
def test_reports_that_cannot_be_compared_are_refused(aws, own, reports, changed, message):
    reports[0].write("2026-11-19T01-00Z", [], **changed)
    with pytest.raises(RunbookError, match=message):
        audited(aws, own, "backup", **LARGE)


def test_when_the_older_of_both_newest_reports_was_begun(aws, own, pipeline, reports):
    for side, dates in zip(reports, [("2026-11-18", "2026-11-20"), ("2026-11-19",)], strict=True):
        for dated in dates:
            side.write(f"{dated}T01-00Z", [])
    begun = inventory_reports.newest(aws, own, pipeline)
    assert begun.isoformat() == "2026-11-19T01:00:00+00:00"


def test_reports_that_are_older_than_a_freeze_release_nothing(aws, own, pipeline, reports):
    """A cut-over of so many objects is judged by reports; those of before the freeze prove nothing."""
    timeline = remaining.Timeline.of(own, pipeline)
    timeline.note(0, is_frozen=True)
    found = []
    for dated in ("2026-11-19T01-00Z", "2126-11-19T01-00Z"):
        for side in reports:
            side.write(dated, [])
        points = Checklist()
        remaining.enter(points, aws, own, pipeline, audited(aws, own, "backup", **LARGE))
        assert [each.what for each in points.left_out] == ["backup: metadata and tags"]
        found.append(points[1])
    assert [point.holds for point in found] == [False, True]
    assert found[0].evidence.startswith("begun 2026-11-19 01:00 UTC, frozen 20")
    timeline.note(0, is_frozen=False)
    assert timeline.frozen_since() is None
    timeline.path.unlink()


def test_a_damaged_manifest_is_refused(aws, own, reports):
    reports[0].manifest(f"{reports[0].keys}/2026-11-19T01-00Z/", b"{}", "0" * 32)
    with pytest.raises(RunbookError, match="is not what its checksum says"):
        audited(aws, own, "backup", **LARGE)


def test_without_reports_nothing_is_listed_and_it_says_what_to_do(aws, own, reports):
    with pytest.raises(RunbookError, match="no S3 Inventory report under .* above audit.inventory_above"):
        audited(aws, own, "backup", **LARGE)


def test_without_the_audit_s_own_resources_it_says_what_to_run(aws, own, pipeline, reports):
    elsewhere = own.model_copy(update={"prefix": "nobody"})
    with pytest.raises(NotDeployedError, match="runbook run audit"):
        inventory_reports.Reports.of(aws, elsewhere, pipeline)


def test_s3_is_told_to_report_what_is_read(reports):
    for side in reports:
        assert side.configuration["IsEnabled"]
        assert "Filter" not in side.configuration
        assert side.place["AccountId"] == "000000000000"
        fields = side.configuration["OptionalFields"]
        assert sorted(fields) == sorted(COLUMNS) == sorted(inventory_configurations.FIELDS)
        compared = {"key", *(COLUMNS[field].split()[0] for field in fields)}
        assert compared == inventory_reports.COLUMNS.keys()


def test_cloudwatch_is_asked_for_the_daily_count(aws, pipeline):
    assert inventory_reports.daily_count(aws, pipeline.source) == 0  # the local AWS counts no objects
