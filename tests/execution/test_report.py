"""The report of a run: whole without a network, and nothing in it is taken for HTML."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from support import notebook_files

from lib.base import told
from lib.base.paths import ROOT
from lib.engine.ledger import Ledger
from lib.engine.recording import Recording, Who
from lib.engine.records import sealed
from lib.execution import report, run
from lib.execution.report import write_report
from lib.execution.run import Job, Result
from lib.parameters import Parameters
from lib.parameters.sections import Migrate

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)

WHO = Who(
    caller="arn:aws:iam::111122223333:user/u", user="anna", host="desk", machine="m", pid=1, command="runbook"
)
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
    assert '<div class="runbook-picture"><svg role="img"' in page  # drawn, by whatever browser opens it
    assert 'class="mermaid"' not in page
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', page) == ["tables.js", "zoom.js", "index.html"]
    assert not re.search(r"""(?:import|url)\(["']?https?:""", page)
    assert "DataTable" in (folder / "tables.js").read_text("utf-8")


def test_the_report_says_who_did_what_and_keeps_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    folder = run.new_folder(NOW)
    recorded = Recording(PARAMETERS, "the-run", WHO, {})
    recorded.told |= {"folder": folder, "deleted": ["S3 bucket <b> in us-east-1"]}
    told.note("recovery time", achieved_s="3.2", objective_s=900)
    ledger = Ledger.of(PARAMETERS)
    record = sealed({**recorded.end(ledger, None, last=False), "number": 7, "previous": "0f" * 32})
    point = {"claim": "all is there", "holds": False, "evidence": "1 of 2"}
    result = Result("30_index", "failed", points=[point])
    index = write_report(folder, [result], PARAMETERS, NOW, record)
    text = index.read_text("utf-8")
    for expected in (
        "arn:aws:iam::111122223333:user/u",
        "anna@desk",
        "S3 bucket &lt;b&gt; in us-east-1",
        "recovery time",
        "objective s: 900",
        "0 of 1 hold",
        "all is there",
        f"<code>{record['digest']}</code>",
        f"<code>{'0f' * 32}</code>",
        "It is number 7",
    ):
        assert expected in text
    assert json.loads((folder / "record.json").read_text("utf-8")) == record
    differing, usual = text.split("with their defaults")
    assert ("migrate.batch_size" in differing, "migrate.batch_size" in usual) == (True, False)
    del record["number"]
    text = write_report(folder, [], PARAMETERS, NOW, record).read_text("utf-8")
    assert "It only looked" in text


def test_a_chart_that_cannot_be_drawn_stays_readable():
    page = '<div class="jp-Mermaid"><pre class="mermaid">\nno chart at all &lt;b&gt;\n</pre></div>'
    assert report._with_pictures(page) == page


def test_the_links_of_a_page_lead_to_pages_and_documents(tmp_path):
    page = (
        '<a href="20_backup.ipynb">a</a><a href="30_index.ipynb#x">b</a>'
        '<a href="../docs/parameters.md#migrate">c</a>'
        '<a href="#here">d</a><a href="https://x/y.ipynb">e</a><a href="nowhere.md">f</a>'
    )
    (folder := tmp_path / "runs" / "r").mkdir(parents=True)
    links = re.findall('href="([^"]*)"', report._with_links(page, folder, ["20_backup"]))
    assert links[0] == "20_backup.html"
    assert links[3:] == ["#here", "https://x/y.ipynb", "nowhere.md"]
    for link, there in ((links[1], "notebooks/30_index.ipynb"), (links[2], "docs/parameters.md")):
        path, _, anchor = link.partition("#")
        assert (folder / unquote(path)).resolve() == ROOT / there
        assert anchor
