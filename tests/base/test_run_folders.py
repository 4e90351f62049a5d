"""The folders of runs: how many stay."""

from lib.base.run_folders import MOST_RUNS, forget, kept


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
