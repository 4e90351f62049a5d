"""The report of a drill that has failed, which must be written too."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
from pytest import MonkeyPatch
from support.cleanup import remove
from support.the_five import pipelines

from lib.engine.checklist import Checklist
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.execution.drill_report import DrillReport
from lib.operate import log_events
from lib.operate.recovery import drill as drills
from lib.operate.recovery.drill import Drill, compare
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import connect

COLUMNS = ["key", "bytes", "sha256", "headers", "tags"]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_drill_that_failed_is_reported_as_such(target, parameters, tmp_path, monkeypatch: MonkeyPatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    drill = Drill(target, pipelines(parameters)["backup"], "runbook-drill/2026-01-02T03-04-05Z/")
    before = pd.DataFrame([("<b>.csv", 3, "abc", "{}", "{}"), ("gone", 1, "d", "{}", "{}")], columns=COLUMNS)
    lags = pd.DataFrame({"key": ["a", "b"], "lag": [0.5, None]})
    checklist = Checklist()
    checklist.check("all was restored", False, "1 objects")
    recovered = NOW + timedelta(seconds=7)
    objects = compare(before, before[:1])
    report = DrillReport(drill, parameters, NOW, NOW, recovered, lags, objects, checklist)
    facts = report.facts().set_index("fact")["value"]
    assert facts["recovery point achieved (against the RPO)"].startswith("nan s, of 2 versions")
    assert facts["recovery time achieved (against the RTO)"] == "7.000 s, 4 bytes"
    files = report.write()
    page, told = (tmp_path / name for name in files["file"])
    assert page.name == "000000000000-runbook-test-2026-01-02T03-04-05Z.html"
    told = json.loads(told.read_text())
    assert told["passed"] == "NO"
    assert (told["rpo_seconds"], told["rto_seconds"]) == (None, 7.0), "a lag that is unknown is not left out"
    assert [each["content"] for each in told["objects"]] == [True, False]
    assert "&lt;b&gt;.csv" in page.read_text()
    assert "<td>NO</td>" in page.read_text()
    assert "2026-01-02 03:04:12.000 UTC" in page.read_text()


def test_a_page_shows_the_beginning_of_hashes_and_keys_without_the_folder(target, parameters):
    drill = Drill(target, pipelines(parameters)["backup"], "runbook-drill/2026-01-02T03-04-05Z/")
    table = pd.DataFrame(
        {"key": [f"{drill.prefix}a.csv", "b.csv"], "version": "1", "sha256": "0123456789abcdef"}
    )
    assert drill.short(table).to_dict("list") == {"key": ["a.csv", "b.csv"], "sha256": 2 * ["0123456789ab"]}
    compared = drill.short(compare(*2 * [pd.DataFrame([("a", 1, 64 * "0", "{}", "{}")], columns=COLUMNS)]))
    assert compared[["sha256 before", "sha256 after"]].map(len).to_numpy().tolist() == [[12, 12]]


def test_what_a_repair_has_had_copied_is_no_measure_of_how_far_behind_the_copies_are(
    target, parameters, monkeypatch: MonkeyPatch
):
    lines = [
        {"message": "copied", "version": "a", "lag_seconds": 0.5, "told_later": True},
        {"message": "copied", "version": "b", "lag_seconds": 2.0},
        {"message": "in place", "version": "b", "lag_seconds": 9.0},
        {"message": "copied", "version": "b", "lag_seconds": 5.0},
    ]
    monkeypatch.setattr(log_events, "lines", lambda *_: lines)
    drill = Drill(target, pipelines(parameters)["backup"], "runbook-drill/2026-01-02T03-04-05Z/")
    assert drill._logged_lags(pd.Timestamp(NOW)) == {"b": 2.0}


def test_a_drill_elsewhere_removes_its_own_bucket_where_data_is_protected(local_aws):
    parameters = Parameters.check({"env": "tdrill", "deletion_protection": "ENABLED"})
    target, pipeline = connect(parameters), pipelines(parameters)["backup"]
    ends = Stack(target, parameters, "backup")
    for end in (pipeline.source_bucket, pipeline.destination_bucket):
        ends.add(end)
    try:
        ends.apply()
        for end in ends.resources.values():
            ends.client(end).put_object(Bucket=end.name, Key="in/a.csv", Body=b"a")
        stack = Stack(target, parameters, "restore")
        compared = drills.elsewhere(stack, pipeline, "in/")
        assert compared[drills.SAME].all(axis=None)
        assert not [*Bucket.names(target.client("s3", "us-east-1"), stack.scope)]
    finally:
        remove(ends)
        Inventory(target, parameters.model_copy(update={"deletion_protection": "DISABLED"})).destroy()
