"""Finding, executing and reporting notebooks; with small ones of our own."""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import psutil
import pytest
from support import notebook_files
from support.servers import eventually

from lib.base import call_ledger
from lib.base.errors import ParameterError
from lib.engine.ledger import RUN_VARIABLE
from lib.execution import run
from lib.execution.bars import Bars
from lib.execution.run import Job, Result
from lib.parameters import Parameters
from lib.parameters.sections import Migrate

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
PARAMETERS = Parameters(target="aws", env="test", account_id="111122223333", migrate=Migrate(batch_size=7))


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runbooks."""
    for name in ("00_start", "01_tour", "10_migrate", "90_destroy", "draft"):
        notebook_files.write(tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
    return tmp_path


def execute(tmp_path: Path, *sources: str) -> Result:
    notebook = notebook_files.write(tmp_path / "10_some.ipynb", *sources)
    folder = tmp_path / "out"
    folder.mkdir()
    (result,) = run.execute_all([Job(notebook)], PARAMETERS, folder)
    return result


def test_without_a_name_all_are_taken_in_order_but_neither_the_tour_nor_destroy(notebooks: Path) -> None:
    assert [path.stem for path in run.select([])] == ["00_start", "10_migrate"]


@pytest.mark.parametrize("name", ["migrate", "10_migrate", "10_migrate.ipynb", "notebooks/10_migrate.ipynb"])
def test_a_runbook_is_found_by_each_of_its_names(notebooks: Path, name: str) -> None:
    assert run.select([name, "migrate"]) == [notebooks / "10_migrate.ipynb"]


def test_notebooks_that_make_nothing_have_no_plan():
    real = Path(__file__).parents[2] / "notebooks"
    assert run.has_a_plan(real / "10_migrate.ipynb")
    assert not run.has_a_plan(real / "00_start.ipynb")
    assert not run.has_a_plan(real / "72_redrive.ipynb")


def test_an_unknown_name_is_answered_with_the_known_ones(notebooks: Path) -> None:
    with pytest.raises(ParameterError, match="'migrat' – did you mean migrate.*tour, migrate, destroy"):
        run.select(["migrat"])


def test_two_runs_in_one_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    names = [run.new_folder(NOW).name for _ in range(3)]
    assert names == ["2026-01-31T23-59-59Z", "2026-01-31T23-59-59Z-2", "2026-01-31T23-59-59Z-3"]


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    path = tmp_path / "10_conflict.ipynb"
    path.write_text("<<<<<<< HEAD")
    (result,) = run.execute_all([Job(path)], PARAMETERS, tmp_path / "out")
    assert (result.outcome, result.failure.kind) == ("failed", "RunbookError")
    assert "10_conflict.ipynb cannot be read" in result.failure.message


def test_a_notebook_gets_every_parameter_also_those_that_its_cell_does_not_name(tmp_path: Path) -> None:
    result = execute(tmp_path, "print(target, migrate['batch_size'], env, audit['repair'], kms_key_arns)")
    assert (result.outcome, result.failure) == ("ok", None)
    assert notebook_files.stream(result.executed) == "aws 7 test False []\n"


def test_the_audit_reads_the_sections_of_the_pipelines(tmp_path: Path) -> None:
    """The first cells of the real notebook, with values that no default has."""
    audit = nbformat.read(run.NOTEBOOKS / "70_audit.ipynb", as_version=4)
    show = nbformat.v4.new_code_cell("print(parameters.model_dump_json())")
    code = [cell for cell in audit.cells if cell.cell_type == "code"]
    read = next(number for number, cell in enumerate(code) if "parameters = " in cell.source)
    audit.cells = [*code[: read + 1], show]
    nbformat.write(audit, tmp_path / "70_audit.ipynb")
    other = {"backup": {"dr_region": "eu-west-1", "delete_sync": False}, "migrate": {"key_prefix": "in/"}}
    (folder := tmp_path / "out").mkdir()
    given = Parameters.check({"env": "other", "observe": {"hours": 7}, **other})
    (result,) = run.execute_all([Job(tmp_path / "70_audit.ipynb")], given, folder)
    assert result.failure is None
    assert Parameters.model_validate_json(notebook_files.stream(result.executed)) == given


def test_there_are_no_progress_bars_in_what_was_executed(tmp_path: Path) -> None:
    result = execute(tmp_path, "from tqdm import tqdm\nfor _ in tqdm(range(3)): print('.', end='')")
    assert notebook_files.stream(result.executed) == "..."


def test_the_kernel_is_this_interpreter_whatever_kernels_the_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "theirs", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    result = execute(tmp_path, "import os, sys; print(sys.executable); print(os.getcwd())")
    assert notebook_files.stream(result.executed).splitlines() == [sys.executable, str(tmp_path)]


def test_the_kernel_knows_where_its_calls_to_aws_are_written(tmp_path: Path) -> None:
    source = "from lib.base.call_ledger import ledger\nledger().path.write_text('{}')"
    assert execute(tmp_path, source).outcome == "ok"
    assert (tmp_path / "out" / "calls.jsonl").read_text() == "{}"


def test_a_failure_tells_the_cell_and_the_message(tmp_path: Path) -> None:
    failure = execute(tmp_path, "x = 1", "raise ValueError('no such thing')").failure
    assert (failure.kind, failure.message) == ("ValueError", "no such thing")
    assert failure.source == "raise ValueError('no such thing')"


def test_a_kernel_that_dies_is_a_failure(tmp_path: Path) -> None:
    result = execute(tmp_path, "import os; os._exit(3)")
    assert (result.outcome, result.failure.kind) == ("failed", "DeadKernelError")


def test_after_a_failure_the_others_are_not_run(tmp_path: Path) -> None:
    bad = notebook_files.write(tmp_path / "10_bad.ipynb", "1 / 0")
    good = notebook_files.write(tmp_path / "20_good.ipynb")
    (folder := tmp_path / "out").mkdir()
    results = list(run.execute_all([Job(bad), Job(good)], PARAMETERS, folder))
    assert [result.outcome for result in results] == ["failed", "not run"]
    assert {path.name for path in folder.iterdir()} == {"10_bad.ipynb", "kernels.log"}


def test_what_was_found_is_told_beside_what_was_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "some-run")
    looks = "from lib.engine.checklist import tell"
    result = execute(tmp_path, looks, 'tell("6 objects, none sent")', 'tell("3 objects missing")', "1 / 0")
    assert (result.outcome, result.found, result.told) == ("failed", "3 objects missing", "3 objects missing")
    made = Result("10_a", "ok", made={"summary": "1 created"}, found="3 objects missing")
    assert made.told == "3 objects missing; 1 created"
    assert Result("10_a", "ok", made={"summary": "1 created"}).told == "1 created"


def test_what_was_told_last_is_what_was_made(tmp_path: Path) -> None:
    table = {"columns": ["action", "name"], "data": [["create", "a"]]}
    first = {"summary": "1 to create", "counts": {"to create": 1, "unchanged": 0}, "table": table}
    last = {"summary": "0 created", "counts": {"to create": 0, "unchanged": 1}, "table": table}
    result = execute(tmp_path, notebook_files.tell(first), notebook_files.tell(last))
    assert (result.summary, result.differs) == ("0 created", False)
    assert result.rows == [{"action": "create", "name": "a"}]
    assert Result("10_first", "ok", made=first).differs


def wait_for(name: str) -> str:
    """Return the source of a cell that waits for a file, and fails if it does not come."""
    return (
        f"import time, pathlib\nfor _ in range(600):\n    if pathlib.Path({name!r}).exists(): break\n"
        f"    time.sleep(0.1)\nelse: raise TimeoutError({name!r})"
    )


def touch(name: str) -> str:
    return f"import pathlib; pathlib.Path({name!r}).touch()"


def write(path: Path, *sources: str, beside: tuple[str, ...] = ()) -> Job:
    notebook = nbformat.read(notebook_files.write(path, *sources), 4)
    if beside:
        notebook.metadata["runbook"] = {"beside": list(beside)}
    nbformat.write(notebook, path)
    return Job(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where executed copies go."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_notebooks_that_say_so_run_at_the_same_time_and_the_others_after_them(tmp_path, folder):
    jobs = [
        write(tmp_path / "10_a.ipynb", touch("a"), wait_for("b"), "print('a')", beside=("b",)),
        write(tmp_path / "20_b.ipynb", touch("b"), wait_for("a"), wait_for("out/10_a.ipynb"), touch("end")),
        write(tmp_path / "30_c.ipynb", "import os; print(os.path.exists('end'))"),
    ]
    ended: list[Result] = []
    results = run.execute_all(jobs, PARAMETERS, folder, at_once=2, ended=ended.append)
    assert [(result.name, result.outcome) for result in results] == [
        ("10_a", "ok"),
        ("20_b", "ok"),
        ("30_c", "ok"),
    ], [result.failure for result in results]
    assert notebook_files.stream(results[2].executed) == "True\n"
    assert sorted(result.name for result in ended) == ["10_a", "20_b", "30_c"]


def test_a_plan_needs_no_order(tmp_path, folder):
    jobs = [
        write(tmp_path / "10_a.ipynb", wait_for("b"), touch("a")),
        write(tmp_path / "20_b.ipynb", touch("b"), wait_for("a")),
    ]
    plan = PARAMETERS.model_copy(update={"mode": "plan"})
    assert [result.outcome for result in run.execute_all(jobs, plan, folder, at_once=2)] == ["ok", "ok"]


def test_when_one_fails_those_at_work_go_on_and_no_other_begins(tmp_path, folder):
    names = ("a", "b", "c")
    jobs = [
        write(tmp_path / "10_a.ipynb", wait_for("failing"), "print('to its end')", beside=names),
        write(tmp_path / "20_b.ipynb", wait_for("out/10_a.ipynb"), "1 / 0", beside=names),
        write(tmp_path / "30_c.ipynb", beside=names),
    ]
    results = run.execute_all(
        jobs, PARAMETERS, folder, at_once=2, ended=lambda _: (tmp_path / "failing").touch()
    )
    assert [result.outcome for result in results] == ["ok", "failed", "not run"]
    assert notebook_files.stream(results[0].executed) == "to its end\n"
    assert results[1].failure.kind == "ZeroDivisionError", results[1].failure


def test_a_kernel_that_dies_takes_no_other_with_it(tmp_path, folder):
    jobs = [
        write(
            tmp_path / "10_a.ipynb", touch("a"), wait_for("out/20_b.ipynb"), "print('alive')", beside=("b",)
        ),
        write(tmp_path / "20_b.ipynb", wait_for("a"), "import os; os._exit(3)"),
    ]
    results = run.execute_all(jobs, PARAMETERS, folder, at_once=2)
    assert [result.outcome for result in results] == ["ok", "failed"]
    assert results[1].failure.kind == "DeadKernelError"


def test_the_calls_of_several_kernels_are_whole_lines_in_one_file(tmp_path, folder):
    calls = (
        "from lib.base.call_ledger import Call, ledger\n"
        "call = Call('t', 's3', 'PutObject', 'r', 'b/' + 'k' * 9000, '', (), 'ok', 1)\n"
        "for _ in range(300): ledger()._append(call)"
    )
    jobs = [
        write(tmp_path / "10_a.ipynb", touch("a"), wait_for("b"), calls, beside=("b",)),
        write(tmp_path / "20_b.ipynb", touch("b"), wait_for("a"), calls),
    ]
    results = run.execute_all(jobs, PARAMETERS, folder, at_once=2)
    assert [result.outcome for result in results] == ["ok", "ok"], [result.failure for result in results]
    assert len(list(call_ledger.read(folder / "calls.jsonl"))) == 600


HERE = "import os; open(f'{name}.pid', 'w').write(str(os.getpid()))"
SLEEP = "import time; time.sleep(600)"
STUBBORN = "import time\nwhile True:\n    try: time.sleep(600)\n    except KeyboardInterrupt: pass"


class Run:
    """Two notebooks that are at work in a process of their own, and a third that would come after them."""

    def __init__(self, tmp_path: Path, *last: str) -> None:
        names = ("a", "b", "c")
        for number, name in enumerate(names):
            source = HERE.replace("{name}", name)
            source = f"{source}\n{last[number % len(last)]}"
            write(tmp_path / f"{number}0_{name}.ipynb", source, beside=names)
        (tmp_path / "out").mkdir()
        self.folder = tmp_path
        program = [sys.executable, str(Path(__file__).parents[1] / "support" / "running_notebooks.py")]
        self.process = subprocess.Popen([*program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        eventually(lambda: self.process.poll() is not None or all(self.text(f"{n}.pid") for n in names[:2]))
        self.kernels = [psutil.Process(int(self.text(f"{name}.pid"))) for name in names[:2]]

    def text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def outcomes(self) -> list[str]:
        """What became of the notebooks, when the process has ended; no kernel works any more."""
        said, _ = self.process.communicate(timeout=120)
        psutil.wait_procs(self.kernels, timeout=60)
        assert not any(kernel.is_running() for kernel in self.kernels)
        return said.split()


def test_one_that_is_stopped_before_its_thread_began_has_ended(tmp_path, folder):
    with Bars() as bars, ThreadPoolExecutor(1) as threads:
        one = run._Execution(Job(tmp_path / "10_a.ipynb"), PARAMETERS, folder, bars)
        one.stop(1)
        one.begin(threads)
    assert one.future.done()
    assert one.result() == Result("10_a", "not run")


def test_ctrl_c_ends_all_that_are_at_work(tmp_path):
    running = Run(tmp_path, SLEEP)
    running.process.send_signal(signal.SIGINT)
    assert running.outcomes() == ["interrupted", "interrupted", "not-run"]
    executed = nbformat.read(tmp_path / "out" / "00_a.ipynb", 4)
    assert [output.ename for output in executed.cells[-1].outputs] == ["KeyboardInterrupt"]


def test_who_asks_twice_waits_for_no_kernel(tmp_path):
    running = Run(tmp_path, SLEEP, STUBBORN)
    running.process.send_signal(signal.SIGINT)
    eventually(lambda: "00_a: interrupted" in (tmp_path / "ended.txt").read_text())
    running.process.send_signal(signal.SIGINT)
    assert running.outcomes() == ["interrupted", "interrupted", "not-run"]


def test_the_kernels_of_a_run_that_is_killed_end_too(tmp_path):
    running = Run(tmp_path, SLEEP)
    running.process.kill()
    assert running.outcomes() == []
    assert running.process.returncode == -signal.SIGKILL
