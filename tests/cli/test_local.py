"""`runbook local`: what of MiniStack is corrected, and that it is what was reviewed."""

from pathlib import Path

import pytest
from support.command_line import runbook

from lib.local import reports


def test_corrections_are_listed_and_each_is_a_report(home: Path) -> None:
    listed = runbook("local", "corrections")
    assert listed.exit_code == 0
    for said in ("s3-multipart-tags", "CreateMultipartUpload: the tags", "not reported by us"):
        assert said in listed.stdout
    report = runbook("local", "corrections", "s3-multipart-tags")
    assert report.stdout.startswith("# CreateMultipartUpload")
    assert "API_CreateMultipartUpload.html" in report.stdout and "```python" in report.stdout
    assert not (home / ".local-aws" / "state" / "server.json").exists()  # it starts nothing


def test_a_correction_that_there_is_not_is_an_error() -> None:
    result = runbook("local", "corrections", "nothing")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert "`runbook local corrections` lists them" in result.stderr


def test_a_local_aws_that_is_not_what_was_reviewed_is_said(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(reports, "warnings", lambda: ["one: ministack.app:app has changed"])
    for command in ("status", "corrections"):
        result = runbook("local", command)
        assert result.exit_code == 0
        assert "one: ministack.app:app has changed" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notification: soon", "'soon' is no number"),
        ("nothing: 1", "nothing named nothing is late; known: notification"),
        ("5", "shall hold names and seconds"),
        ("a: [", "cannot be read"),
    ],
)
def test_times_of_a_lag_that_are_none_are_refused_before_anything_starts(home: Path, tmp_path, text, said):
    times = tmp_path / "times.yaml"
    times.write_text(text)
    result = runbook("local", "start", "--lag-seconds", str(times))
    assert result.exit_code == 2
    assert said in result.stderr
    assert runbook("local", "start", "--lag-scale", "-1").exit_code == 2
    assert runbook("local", "start", "--lag-latency-ms", "-1").exit_code == 2
    assert not (home / ".local-aws" / "state" / "server.json").exists()
