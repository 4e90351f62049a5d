"""The command line, as people use it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from support import notebook_files
from support.command_line import runbook

from lib.cli.options import FIRST
from lib.engine.ledger import Ledger
from lib.local.ministack import LocalAws

COMMANDS = ["run", "plan", "destroy", "status", "output", "env", "lab", "local"]
COMMANDS += ["unlock", "rollback", "params", "audit", "redrive", "history", "verify", "adopt"]
LOCAL_COMMANDS = ["start", "stop", "status", "reset", "corrections"]
RUNBOOK = Path(sys.executable).with_name("runbook")


def is_one_line(result: Result) -> bool:
    return result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [[], *([c] for c in COMMANDS), *(["local", c] for c in LOCAL_COMMANDS)])
def test_every_command_has_help(command: list[str]) -> None:
    result = runbook(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_the_help_lists_every_command() -> None:
    listed = runbook("--help").stdout
    assert all(command in listed for command in COMMANDS)


def test_version() -> None:
    assert runbook("--version").stdout.count(".") == 2


def test_a_command_begins_without_what_only_some_need() -> None:
    heavy = ["IPython", "jinja2", "matplotlib", "pandas", "papermill", "pyathena", "rich.markdown"]
    code = f"import sys, lib.cli.main; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "migrat"], "did you mean migrate"),
        (["run", "destroy"], "runbook destroy"),
        (["destroy", "nothing"], "unknown pipeline 'nothing'; there are: migrate"),
        (["run", "--set", "migrate.bach_size=5"], "did you mean migrate.batch_size"),
        (["run", "--set", "migrate.batch_size=ten"], "migrate.batch_size"),
        (["plan", "--set", "account_id=00000000000"], "must be 12 digits; found"),
        (["run", "--set", "migrate.batch_size"], "write NAME=VALUE"),
        (["run", "--set", "migrate=1", "--set", "migrate.batch_size=5"], "given as a whole"),
        (["run", "--set", "kms_key_arns=[1"], "--set kms_key_arns=[1"),
        (["run", "--mode", "aply"], "'apply', 'plan' or 'move'"),
        (["run", "--params", "params/nothing.yaml"], "params/nothing.yaml: cannot be read"),
        (["env", "--set", "target=azure"], "target"),
        (["status", "--set", "env=Prod"], "env"),
        (["output", "--set", "prefix=1"], "prefix"),
        (["plan", "destroy", "migrat"], "unknown pipeline 'migrat' – did you mean migrate?"),
        (["plan", "migrate", "--keep-data"], "runbook plan destroy --keep-data"),
        (["plan", "destroy", "--out", "plan.json"], "use --json"),
        (["plan", "--markdown", "--json"], "choose one of them"),
        (["plan", "--out", "README.md/plan.json"], "--out README.md/plan.json: cannot be written"),
        (["run", "--junit", "docs"], "--junit docs: cannot be written: Is a directory"),
        (["verify", "nosuch"], "nosuch: there is no such file"),
        (["verify", "--sha256", "zz"], "must be 64 digits"),
        (["export", "terraform", "migrate", "--to", "README.md"], "is a file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_done(
    home: Path, arguments: list[str], said: str
) -> None:
    result = runbook(*arguments)
    assert result.exit_code == 2
    assert is_one_line(result)
    assert said in result.stderr
    assert not home.exists()


def test_an_account_id_that_yaml_takes_for_octal_is_itself(home: Path, tmp_path: Path) -> None:
    params = tmp_path / "octal.yaml"
    params.write_text("account_id: 012345670123\n")
    Ledger("runbook", "local", "012345670123").record_outputs("index", {"bucket": "files"})
    assert runbook("output", "index.bucket", "--params", str(params)).stdout == "files\n"


def test_status_does_not_start_the_local_aws(home: Path) -> None:
    for command in (["status"], ["local", "status"]):
        result = runbook(*command)
        assert result.exit_code == 0
        assert "does not run" in result.stdout
    assert not (home / ".local-aws" / "state" / "server.json").exists()


AWS = ["--set", "target=aws"]
NOBODY = [
    (["local", "reset"], "say --yes"),
    (["destroy"], "say --yes"),
    (["destroy", *AWS], "say --confirm local"),
    (["destroy", "--yes", *AWS], "say --confirm local"),
    (["run", "migrate", *AWS], "say --yes"),
]


@pytest.mark.parametrize(("command", "said"), NOBODY)
def test_what_cannot_be_undone_is_not_done_where_nobody_can_answer(
    home: Path, command: list[str], said: str
) -> None:
    result = runbook(*command)
    assert (result.exit_code, is_one_line(result)) == (1, True)
    assert said in result.stderr
    assert not (home / "runs").exists()


@pytest.mark.parametrize("answer", ["n\n", "no\n", "N", "local2\n", "what?\n"])
@pytest.mark.parametrize("command", [one for one, _ in NOBODY])
def test_a_no_that_is_piped_in_stops_it_on_every_target(home: Path, command: list[str], answer: str) -> None:
    result = runbook(*command, input=answer)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was done" in result.stderr
    assert not (home / "runs").exists()


def test_the_name_of_another_environment_confirms_nothing(home: Path) -> None:
    result = runbook("destroy", "--confirm", "dev", *AWS)
    assert (result.exit_code, is_one_line(result)) == (2, True)
    assert "the environment is 'local'; nothing was done" in result.stderr


def test_output_of_what_is_not_deployed_says_what_to_do(home: Path) -> None:
    result = runbook("output")
    assert (result.exit_code, is_one_line(result)) == (1, True)
    assert "runbook run" in result.stderr


def test_output_as_lines_as_a_value_and_as_json(home: Path) -> None:
    made = {"source_bucket": "from", "target_bucket": "to"}
    Ledger("runbook", "local", "000000000000").record_outputs("migrate", made)
    lines = "migrate.source_bucket = from\nmigrate.target_bucket = to\n"
    assert runbook("output").stdout == lines
    assert runbook("output", "migrate.target_bucket").stdout == "to\n"
    assert json.loads(runbook("output", "--json").stdout) == {"migrate": made}
    for nothing, code in (("migrat", 2), ("migrate.bucket", 2), ("backup", 1), ("backup.primary_bucket", 1)):
        result = runbook("output", nothing)
        assert (result.exit_code, is_one_line(result)) == (code, True), nothing
    Ledger("runbook", "local", "000000000000").record_outputs("index", {"bucket": "files"})
    assert runbook("output", "migrate").stdout == lines
    assert json.loads(runbook("output", "migrate", "--json").stdout) == made
    assert json.loads(runbook("output", "index.bucket", "--json").stdout) == "files"
    unknown = runbook("output", "migrate.bucket")
    assert (unknown.exit_code, unknown.stdout, is_one_line(unknown)) == (2, "", True)
    assert "did you mean migrate.target_bucket? `runbook output` shows all" in unknown.stderr


def test_a_run_ends_with_a_table_a_report_and_what_to_try_next(home: Path, notebooks: Path, aws: str) -> None:
    told = {"summary": "1 created", "counts": {"to create": 1}, "table": {"columns": [], "data": []}}
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(told))
    notebook_files.write(notebooks / "90_destroy.ipynb")
    result = runbook("run", "--yes", "--params", aws)
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("10_migrate:")]
    assert re.fullmatch(r"10_migrate: ok, \d+ s", line), "a line each where no bar is to be seen"
    assert "\r" not in result.output
    for expected in ("10_migrate", "ok", "1 created"):
        assert expected in result.stdout
    for expected in ("index.html", "Next"):
        assert expected in result.stderr
        assert expected not in result.stdout
    files = {path.name for path in (home / "runs" / "latest").iterdir()}
    assert files == {
        "10_migrate.ipynb",
        "10_migrate.html",
        "index.html",
        "kernels.log",
        "tables.js",
        "zoom.js",
    }


def test_a_failing_notebook_is_exit_code_1_with_its_cell_and_no_traceback(
    home: Path, notebooks: Path, aws: str
) -> None:
    notebook_files.write(notebooks / "10_migrate.ipynb", "x = 1", "raise ValueError('no such thing')")
    result = runbook("run", "migrate", "--yes", "--params", aws)
    assert result.exit_code == 1
    assert "error: 10_migrate, cell 4: ValueError: no such thing\n" in result.stderr
    assert "    raise ValueError('no such thing')\n" in result.stderr
    assert "10_migrate.ipynb" in result.stderr
    assert "Traceback" not in result.stderr
    assert (home / "runs" / "latest" / "index.html").exists()


def test_a_parameter_error_in_a_notebook_is_one_line_and_exit_code_2(
    home: Path, notebooks: Path, aws: str
) -> None:
    source = "from lib.base.errors import ParameterError; raise ParameterError('account_id: not yours')"
    notebook_files.write(notebooks / "10_migrate.ipynb", source)
    result = runbook("run", "--yes", "--params", aws)
    assert (result.exit_code, result.stderr) == (2, "error: account_id: not yours\n")


def test_what_a_run_leaves_out_is_said_and_is_exit_code_5(home: Path, notebooks: Path, aws: str) -> None:
    source = "from lib.engine.checklist import Checklist\nChecklist().leave_out('a.csv', 'customer key')"
    notebook_files.write(notebooks / "70_audit.ipynb", source)
    result = runbook("run", "--yes", "--params", aws)
    assert result.exit_code == 5
    assert "70_audit: left out: a.csv: customer key\n" in result.stdout
    assert "customer key" in (home / "runs" / "latest" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(("to_create", "code"), [(1, 3), (0, 0)])
def test_a_plan_shows_the_rows_and_tells_by_its_exit_code_whether_anything_differs(
    home: Path, notebooks: Path, aws: str, to_create: int, code: int
) -> None:
    columns = ["action", "type", "name", "region", "why"]
    table = {"columns": columns, "data": [["create", "S3 bucket", "a-bucket", "us-east-1", "is not there"]]}
    told = {"summary": "", "counts": {"to create": to_create, "unchanged": 5}, "table": table}
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(told), "print(mode)")
    result = runbook("plan", "migrate", "--params", aws)
    assert result.exit_code == code
    assert "a-bucket" in result.stdout
    (executed,) = home.glob("runs/*/10_migrate.ipynb")
    assert notebook_files.stream(executed) == "plan\n"
    assert not (home / "runs" / "latest").exists(), "a plan is nobody's latest run"


def test_destroy_runs_its_notebook_for_the_pipelines_that_are_named(
    home: Path, notebooks: Path, aws: str
) -> None:
    parameters = 'pipeline = ""\nmode = "plan"'
    notebook_files.write(notebooks / "90_destroy.ipynb", "print(mode, pipeline)", parameters=parameters)
    assert runbook("destroy", "10_migrate", "--confirm", "test", "--params", aws).exit_code == 0
    executed = home / "runs" / "latest" / "90_destroy-migrate.ipynb"
    assert notebook_files.stream(executed) == "apply migrate\n"


def test_the_plan_of_a_destruction_is_of_the_pipelines_that_are_named(
    home: Path, notebooks: Path, aws: str
) -> None:
    parameters = 'pipeline = ""\nmode = "apply"\nkeep_data = False'
    going = {"summary": "", "counts": {"to delete": 1}, "table": {"columns": [], "data": []}}
    told = ["print(mode, pipeline, keep_data)", notebook_files.tell(going)]
    notebook_files.write(notebooks / "90_destroy.ipynb", *told, parameters=parameters)
    notebook_files.write(notebooks / "10_migrate.ipynb", "raise AssertionError('it is not asked for')")
    result = runbook("plan", "destroy", "migrate", "10_migrate", "--keep-data", "--params", aws)
    assert result.exit_code == 3
    assert f"destroy migrate --keep-data --params {aws}  # do what the plan says" in result.stderr
    executed = {path.stem: notebook_files.stream(path) for path in home.glob("runs/*/*.ipynb")}
    assert executed == {"90_destroy-migrate-keep_data": "plan migrate True\n"}
    notebook_files.write(notebooks / "90_destroy.ipynb", told[0], parameters=parameters)
    nothing = runbook("plan", "destroy", "--params", aws)
    assert (nothing.exit_code, "Next" in nothing.stderr) == (0, False)
    assert [notebook_files.stream(path) for path in home.glob("runs/*/90_destroy.ipynb")] == ["plan  False\n"]


def test_after_a_destruction_it_is_said_what_can_be_done_then(home: Path, notebooks: Path, aws: str) -> None:
    parameters = 'pipeline = ""\nmode = "apply"\nkeep_data = False'
    notebook_files.write(notebooks / "90_destroy.ipynb", "print(mode)", parameters=parameters)
    Ledger("runbook", "test", "111122223333").record_outputs("index", {"bucket": "files"})
    of_one = runbook("destroy", "index", "--confirm", "test", "--params", aws).stderr
    assert f"status --params {aws} " in of_one
    assert f"run index --params {aws} " in of_one
    of_all = runbook("destroy", "--confirm", "test", "--params", aws).stderr
    assert " status " not in of_all
    assert f"run --params {aws} " in of_all


def test_status_tells_what_exists_on_the_local_aws(local_aws: LocalAws) -> None:
    result = runbook("status", "--set", "env=empty")
    assert result.exit_code == 0, result.output
    assert local_aws.endpoint_url in result.stdout
    assert "migrate: no resources" in result.stdout


def test_outputs_are_those_of_the_prefix(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    for prefix in ("runbook", "other"):
        Ledger(prefix, "local", "000000000000").record_outputs("index", {"bucket": f"{prefix}-bucket"})
    assert runbook("output", "index.bucket").stdout == "runbook-bucket\n"
    assert runbook("output", "index.bucket", "--set", "prefix=other").stdout == "other-bucket\n"


def test_help_lists_first_what_one_needs_first():
    listed = re.findall(r"^│ ([a-z]+) ", runbook("--help").stdout, re.MULTILINE)
    assert listed[:4] == ["lab", "run", "plan", "status"]
    assert set(FIRST) <= set(listed)
