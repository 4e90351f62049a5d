"""Finding, executing and reporting notebooks; with small ones of our own."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from support import notebook_files

from lib.base.errors import ParameterError
from lib.execution import run
from lib.execution.run import Job, Result
from lib.parameters import Parameters
from lib.parameters.sections import Migrate

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
PARAMETERS = Parameters(target="aws", env="test", account_id="111122223333", migrate=Migrate(batch_size=7))


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runbooks."""
    for name in ("00_start", "10_migrate", "90_destroy", "draft"):
        notebook_files.write(tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
    return tmp_path


def execute(tmp_path: Path, *sources: str) -> Result:
    notebook = notebook_files.write(tmp_path / "10_some.ipynb", *sources)
    folder = tmp_path / "out"
    folder.mkdir()
    (result,) = run.execute_all([Job(notebook)], PARAMETERS, folder)
    return result


def test_without_a_name_all_runbooks_are_taken_in_order_but_not_destroy(notebooks: Path) -> None:
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
    with pytest.raises(ParameterError, match="'migrat' – did you mean migrate.*start, migrate, destroy"):
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
    audit.cells = [*[cell for cell in audit.cells if cell.cell_type == "code"][:3], show]
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
    assert [path.name for path in folder.iterdir()] == ["10_bad.ipynb"]


def test_what_was_told_last_is_what_was_made(tmp_path: Path) -> None:
    table = {"columns": ["action", "name"], "data": [["create", "a"]]}
    first = {"summary": "1 to create", "counts": {"to create": 1, "unchanged": 0}, "table": table}
    last = {"summary": "0 created", "counts": {"to create": 0, "unchanged": 1}, "table": table}
    result = execute(tmp_path, notebook_files.tell(first), notebook_files.tell(last))
    assert (result.summary, result.differs) == ("0 created", False)
    assert result.rows == [{"action": "create", "name": "a"}]
    assert Result("10_first", "ok", made=first).differs
