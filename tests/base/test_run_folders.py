"""The folders of runs: how many stay."""

import os
from time import time

from lib.base.run_folders import MOST_RUNS, forget, kept, records_of, set_records_aside


def test_old_runs_are_forgotten_but_not_the_latest_nor_what_is_no_run(tmp_path):
    runs = tmp_path / "runs"
    names = [f"2026-01-02T03-04-{second:02}Z" for second in range(10)]
    for name in [*names, "2026-01-02T03-04-09Z-2", "drills", "cutovers"]:
        (runs / name).mkdir(parents=True)
        (runs / name / "index.html").write_text("12345")
    (runs / "latest").symlink_to(names[0])
    assert [path.name for path in forget(runs, most=3)] == names[1:8]
    left = {path.name for path in runs.iterdir()}
    assert left == {names[0], *names[8:], "2026-01-02T03-04-09Z-2", "drills", "cutovers", "latest"}
    assert kept(runs) == f"4 of the last {MOST_RUNS} runs, 20 B"
    assert kept(tmp_path / "nowhere") == f"0 of the last {MOST_RUNS} runs, 0 B"


def test_a_run_at_work_is_not_forgotten_and_one_that_was_killed_is_after_a_day(tmp_path):
    names = [f"2026-01-02T03-04-0{second}Z" for second in range(4)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "calls.jsonl").touch()
    yesterday = time() - 25 * 60 * 60
    for path in (tmp_path / names[0], tmp_path / names[0] / "calls.jsonl", tmp_path / names[1]):
        os.utime(path, (yesterday, yesterday))
    (tmp_path / names[3] / "index.html").touch()
    assert [path.name for path in forget(tmp_path, most=1)] == [names[0]]


def test_records_are_counted_and_those_of_an_account_that_is_no_more_are_put_aside(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    for account in ("0" * 12, "1" * 12):
        (chain := records_of(account, "runbook", "dev") / "chain").mkdir(parents=True)
        (chain / "00000001.json").write_text("12345")
    assert kept(tmp_path / "runs", most=1) == "0 of the last 1 run, 0 B; 2 records, 10 B"
    for _ in range(2):
        set_records_aside("0" * 12)
    names = sorted(path.name for path in (tmp_path / "runs" / "records").iterdir())
    assert names[1] == f"{'1' * 12}-runbook-dev"
    assert names[0].startswith(f"{'0' * 12}-runbook-dev.until-2")
    assert "2 records" in kept(tmp_path / "runs")
