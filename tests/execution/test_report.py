"""The report of a run: whole without a network, and nothing in it is taken for HTML."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import notebook_files

from lib.execution import run
from lib.execution.report import write_report
from lib.execution.run import Job
from lib.parameters import Parameters
from lib.parameters.sections import Migrate

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)

PARAMETERS = Parameters(target="aws", env="test", account_id="111122223333", migrate=Migrate(batch_size=7))


def test_the_report_needs_no_network_and_escapes_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    chart = 'flowchart LR\n  a["S3<br/>source"]'
    show = f"display({{'text/vnd.mermaid': {chart!r}}}, raw=True)"
    notebook = notebook_files.write(tmp_path / "10_some.ipynb", show, "raise ValueError('<b>no</b>')")
    folder = run.new_folder(NOW)
    results = list(run.execute_all([Job(notebook)], PARAMETERS, folder))
    index = write_report(folder, results, PARAMETERS, NOW)

    assert (tmp_path / "runs" / "latest").resolve() == folder
    text = index.read_text("utf-8")
    assert "http" not in text and "<script" not in text
    for expected in (
        "failed",
        "10_some.html",
        "10_some.ipynb",
        "&lt;b&gt;no&lt;/b&gt;",
        "migrate.batch_size",
    ):
        assert expected in text
    page = (folder / "10_some.html").read_text("utf-8")
    assert "S3&lt;br/&gt;source" in page  # readable without mermaid.js, and whole with it
    assert "<script src=" not in page
