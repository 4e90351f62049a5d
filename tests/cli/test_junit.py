"""Checklists as JUnit's XML."""

from xml.etree import ElementTree

from lib.cli.junit import write
from lib.execution.run import Failure, Result

POINTS = [
    {"claim": "S3 bucket: as described", "holds": True, "evidence": "2 of 2"},
    {"claim": "all arrived <&>", "holds": False, "evidence": "1 of 2\x1b[31m"},
]


def test_a_suite_for_each_notebook_and_a_case_for_each_point(tmp_path):
    failed = Failure("RunbookError", "1 of 2 points do not hold", 3)
    results = [
        Result("10_migrate", "ok", 1.5, points=POINTS[:1], left_out=[{"what": "a.csv", "reason": "its key"}]),
        Result("20_backup", "failed", 2, points=POINTS, failure=failed),
        Result("30_index", "not run"),
    ]
    write(tmp_path / "new" / "junit.xml", results)
    root = ElementTree.parse(tmp_path / "new" / "junit.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
    }
    migrate, backup, index = root
    assert [case.get("name") for case in migrate] == [
        "S3 bucket: as described",
        "left out: a.csv",
        "runs to its end",
    ]
    (wrong,) = [case for case in backup if case.find("failure") is not None]
    assert (wrong.get("name"), wrong.find("failure").get("message")) == (
        "all arrived <&>",
        r"1 of 2\x1b[31m",
    )
    (ended,) = [case for case in backup if case.find("error") is not None]
    assert ended.find("error").get("message") == "1 of 2 points do not hold"
    assert index[0].find("skipped") is not None
