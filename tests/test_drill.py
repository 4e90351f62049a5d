"""The report of a drill that has failed, which must be written too."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
from pytest import MonkeyPatch

from lib.checklist import Checklist
from lib.drill import Drill, compare
from lib.drill_report import DrillReport
from lib.pipelines import pipelines

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
    files = report.write()
    page, told = (tmp_path / name for name in files["file"])
    assert page.name == "test-2026-01-02T03-04-05Z.html"
    told = json.loads(told.read_text())
    assert told["passed"] == "NO"
    assert (told["rpo_seconds"], told["rto_seconds"]) == (None, 7.0), "a lag that is unknown is not left out"
    assert [each["content"] for each in told["objects"]] == [True, False]
    assert "&lt;b&gt;.csv" in page.read_text()
    assert "<td>NO</td>" in page.read_text()
    assert "2026-01-02 03:04:12.000 UTC" in page.read_text()
