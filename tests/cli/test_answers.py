"""The contract with machines: each answer as its published schema has it, alone on stdout; exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fastjsonschema
import pytest
from support import notebook_files
from support.command_line import runbook

from lib.base.paths import ROOT
from lib.base.told import COUNTS
from lib.cli.answers import FOLDER, schemas
from lib.cli.options import require_writable
from lib.engine.ledger import Ledger

COLUMNS = ["action", "type", "name", "region", "why"]
TOLD = {
    "summary": "1 to create",
    "counts": {"to create": 1, "unchanged": 0},
    "table": {"columns": COLUMNS, "data": [["create", "S3 bucket", "b", "us-east-1", "does not exist"]]},
}
CHECKED = """
from lib.engine.checklist import Checklist
checklist = Checklist()
checklist.check("it is there", {holds}, "seen")
checklist.require()
"""
RAISE = "from lib.base.errors import {kind}; raise {kind}('it is so')"


def answer(result, name: str) -> dict:
    """What was answered, which is all of stdout, as its published schema has it."""
    found = json.loads(result.stdout)
    schema = json.loads((FOLDER / f"{name}-1.json").read_text("utf-8"))
    fastjsonschema.compile(schema)(found)
    return found


def test_the_published_schemas_are_those_of_the_models():
    published = {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    assert published == schemas(), "run: python -m lib.cli.answers"


def test_every_command_with_json_is_in_the_document_with_its_schema():
    text = (ROOT / "docs" / "machines.md").read_text("utf-8")
    assert all(f"schemas/{name}" in text for name in schemas())


@pytest.mark.parametrize(("count", "code"), [(1, 3), (0, 0)])
def test_a_plan(home: Path, notebooks: Path, aws: str, count: int, code: int):
    told = {**TOLD, "counts": {"to create": count, "unchanged": 1}}
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(told), "print('noise')")
    result = runbook("plan", "migrate", "--json", "--params", aws)
    found = answer(result, "plan")
    assert (result.exit_code, found["exit_code"], found["differs"]) == (code, code, bool(count))
    assert found["environment"]["account_id"] == "111122223333"
    assert found["notebooks"][0]["steps"][0]["name"] == "b"


def test_a_plan_goes_on_after_a_notebook_that_cannot_be_planned(home: Path, notebooks: Path, aws: str):
    notebook_files.write(notebooks / "10_migrate.ipynb", RAISE.format(kind="RunbookError"))
    notebook_files.write(notebooks / "20_backup.ipynb", notebook_files.tell(TOLD))
    result = runbook("plan", "migrate", "backup", "--json", "--params", aws)
    found = answer(result, "plan")
    assert [one["outcome"] for one in found["notebooks"]] == ["failed", "ok"]
    assert found["notebooks"][0]["failure"]["message"] == "it is so"
    assert result.exit_code == found["exit_code"] == 1
    human = runbook("plan", "migrate", "backup", "--params", aws)
    assert ("+ create" in human.stdout, "it is so" in human.stderr) == (True, True)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (CHECKED.format(holds=True), 0),
        (CHECKED.format(holds=False), 1),
        (RAISE.format(kind="NotDeployedError"), 1),
        (RAISE.format(kind="ParameterError"), 2),
        (RAISE.format(kind="LockError"), 4),
        ("from lib.engine.checklist import Checklist\nChecklist().leave_out('a', 'b')", 5),
    ],
)
def test_a_run_ends_with_the_code_of_what_happened(
    home: Path, notebooks: Path, aws: str, tmp_path: Path, source: str, code: int
):
    notebook_files.write(notebooks / "70_audit.ipynb", source)
    junit = tmp_path / "junit.xml"
    command = ["run", "audit", "--yes", "--json", "--params", aws, "--junit", str(junit)]
    result = runbook(*command)
    assert result.exit_code == code
    if code in (2, 4):  # as if it had been seen before the first notebook
        assert answer(result, "error")["exit_code"] == code
        return
    found = answer(result, "run")
    assert found["exit_code"] == code
    assert Path(found["report"]).exists()
    points = [point["holds"] for point in found["notebooks"][0]["points"]]
    assert points == ([code == 0] if "checklist.check" in source else [])
    assert f'tests="{1 + len(points) + (code == 5)}"' in junit.read_text("utf-8")


def test_outputs_and_history_are_answered_from_what_is_known_here(home: Path):
    ledger = Ledger("runbook", "local", "000000000000")
    ledger.record_outputs("index", {"bucket": "files"})
    ledger.begin("r1", "plan")
    assert answer(runbook("output", "--json"), "output") == {"index": {"bucket": "files"}}
    (run,) = answer(runbook("history", "--json"), "history")["runs"]
    assert (run["run"], run["mode"], run["created"]) == ("r1", "plan", 0)
    assert "r1" in runbook("history").stdout
    assert answer(runbook("status", "--json"), "status")["runs"] is False


@pytest.mark.parametrize("command", ["plan", "run", "status", "output", "audit", "redrive", "history"])
def test_a_mistake_is_answered_in_json_too(home: Path, command: str):
    result = runbook(command, "--json", "--set", "env=Prod")
    found = answer(result, "error")
    assert (result.exit_code, found["exit_code"], found["error"]) == (2, 2, "ParameterError")
    assert found["message"] in result.stderr


def test_quiet_leaves_the_result_and_errors(home: Path, notebooks: Path, aws: str):
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(TOLD))
    notebook_files.write(notebooks / "20_backup.ipynb", RAISE.format(kind="RunbookError"))
    result = runbook("run", "migrate", "--yes", "--quiet", "--params", aws)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "10_migrate" in result.stdout
    failed = runbook("run", "backup", "--yes", "--quiet", "--params", aws)
    assert failed.stderr.startswith("error: 20_backup")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["plan", "--nothing"], ["status"]])
@pytest.mark.parametrize("no_color", ["1", ""])
def test_no_color_writes_no_escape_code(home: Path, arguments: list[str], no_color: str):
    """FORCE_COLOR has rich take any stream for a terminal with colours."""
    environ = {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": no_color, "TERM": "xterm-256color"}
    program = Path(sys.executable).with_name("runbook")
    done = subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, timeout=300)
    escapes = "\x1b" in done.stdout + done.stderr
    assert not escapes if no_color else escapes or arguments == ["status"]


# A role and a function of one name, as a pipeline has them.
DIFFERS = {
    "summary": "2 to change",
    "counts": {"to change": 2, "unchanged": 1},
    "table": {
        "columns": COLUMNS,
        "data": [
            ["change", "IAM role", "a_b", "us-east-1", "policy: …"],
            ["change", "Lambda function", "a_b", "us-east-1", "Code: …"],
            ["unchanged", "SQS queue", "a_b", "us-east-1", ""],
            ["warning", "IAM role", "a_b", "us-east-1", "a wildcard"],
        ],
    },
    "differences": {
        "IAM role a_b in us-east-1": "--- policy (is)\n+++ policy (shall be)\n-old\n ```\n+new",
        "Lambda function a_b in us-east-1": "-code\n+other code",
    },
}


def planning(path: Path, told: dict) -> None:
    """Write a notebook that has a plan, and tells this."""
    bundle = {"text/plain": "", COUNTS: told}
    fake = f"class Fake:\n    def plan(self):\n        display({bundle!r}, raw=True)\nstack = Fake()"
    notebook_files.write(path, fake, "stack.plan()", "print(mode)")


def test_a_plan_shows_what_is_too_long_for_a_line_as_a_diff(home: Path, notebooks: Path, aws: str):
    planning(notebooks / "10_migrate.ipynb", DIFFERS)
    shown = runbook("plan", "--params", aws).stdout
    assert "    -old\n     ```\n    +new\n" in shown
    assert "    -code\n    +other code\n" in shown
    markdown = runbook("plan", "--markdown", "--params", aws)
    assert markdown.exit_code == 3
    for part in (
        "## Plan of test in account 111122223333",
        "| change | IAM role | a\\_b | us-east-1 | policy: … |",
        "<summary>IAM role a_b</summary>\n\n````diff\n--- policy (is)\n",
        "+++ policy (shall be)\n-old\n ```\n+new\n````\n",
        "<summary>Lambda function a_b</summary>\n\n```diff\n-code\n+other code\n```",
    ):
        assert part in markdown.stdout
    found = answer(runbook("plan", "--json", "--params", aws), "plan")
    role, function, queue, warning = (each["difference"] for each in found["notebooks"][0]["steps"])
    assert role.endswith("+new")
    assert function == "-code\n+other code"
    assert (queue, warning) == ("", "")


def test_a_run_does_what_a_kept_plan_says_or_nothing(home: Path, notebooks: Path, aws: str, tmp_path: Path):
    kept, file = notebooks / "10_migrate.ipynb", tmp_path / "kept" / "plan.json"
    planning(kept, DIFFERS)
    assert runbook("plan", "--out", str(file), "--params", aws).exit_code == 3
    schema = json.loads((FOLDER / "saved-plan-1.json").read_text("utf-8"))
    fastjsonschema.compile(schema)(json.loads(file.read_text("utf-8")))
    run = ["run", "--plan", str(file), "--yes", "--params", aws]
    assert runbook(*run).exit_code == 0
    executed = max(home.glob("runs/*/10_migrate.ipynb"))
    assert notebook_files.stream(executed) == "apply\n"
    for other, said in (
        (["--set", "env=other"], "env was 'test' and is 'other'"),
        (["migrate"], "name the same"),
    ):
        refused = runbook(*run, *other)
        assert (refused.exit_code, said in refused.stderr) == (2, True)
    count = len(list(home.glob("runs/*")))
    planning(kept, {**DIFFERS, "differences": {"IAM role a_b in us-east-1": "-old\n+other"}})
    moved = runbook(*run, "--json")
    assert (moved.exit_code, answer(moved, "error")["exit_code"]) == (3, 3)
    assert "is true no more; nothing was done: 10_migrate: IAM role a_b in us-east-1 (change)" in moved.stderr
    assert len(list(home.glob("runs/*"))) == count + 1, "it planned, and did not run"
    of_this = json.loads(file.read_text())
    for newer in ({"version": "999.1.0"}, {"format": "runbook.saved-plan/2"}, {"version": "1000", "plan": 1}):
        file.write_text(json.dumps(of_this | newer))
        refused = runbook(*run)
        assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
        assert "is newer than this one" in refused.stderr
        assert "Update this checkout, or plan again with it" in refused.stderr
    file.write_text("{}")
    assert runbook(*run).exit_code == 2
    assert len(list(home.glob("runs/*"))) == count + 1


def test_a_plan_that_cannot_be_made_again_is_no_difference(
    home: Path, notebooks: Path, aws: str, tmp_path: Path
):
    kept, file = notebooks / "10_migrate.ipynb", tmp_path / "plan.json"
    planning(kept, DIFFERS)
    assert runbook("plan", "--out", str(file), "--params", aws).exit_code == 3
    notebook_files.write(kept, "stack = None", "raise OSError('no route')", "stack.plan()")
    unseen = runbook("run", "--plan", str(file), "--yes", "--json", "--params", aws)
    assert (unseen.exit_code, answer(unseen, "error")["exit_code"]) == (1, 1)
    assert "could not be seen; nothing was done" in unseen.stderr


def test_what_others_have_done_is_told_beside_a_parameter_that_is_wrong(
    home: Path, notebooks: Path, aws: str
):
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(TOLD))
    notebook_files.write(notebooks / "20_backup.ipynb", RAISE.format(kind="ParameterError"))
    result = runbook("run", "--yes", "--json", "--params", aws)
    told = answer(result, "run")
    assert (result.exit_code, told["exit_code"]) == (2, 2)
    assert [one["outcome"] for one in told["notebooks"]] == ["ok", "failed"]


def test_a_file_that_cannot_be_written_takes_nothing_of_the_answer_with_it(
    home: Path, notebooks: Path, aws: str, tmp_path: Path
):
    file = tmp_path / "kept"
    in_its_way = f"import pathlib; pathlib.Path({str(file)!r}).mkdir()"
    notebook_files.write(notebooks / "10_migrate.ipynb", in_its_way)
    for command, option, name in (("run", "--junit", "run"), ("plan", "--out", "plan")):
        result = runbook(command, "migrate", "--json", option, str(file), *more(command), "--params", aws)
        found = answer(result, name)
        assert (result.exit_code, found["exit_code"], found["notebooks"][0]["outcome"]) == (1, 1, "ok")
        assert "error: " in result.stderr
        file.rmdir()


@pytest.mark.parametrize(("command", "option"), [("run", "--junit"), ("plan", "--out")])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_done(
    home: Path, notebooks: Path, aws: str, tmp_path: Path, command: str, option: str
):
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(TOLD))
    (tmp_path / "file").write_text("as it was")
    for path in (tmp_path / "file" / "in_a_file", tmp_path):
        result = runbook(command, "migrate", "--json", option, str(path), *more(command), "--params", aws)
        assert (result.exit_code, answer(result, "error")["exit_code"]) == (2, 2)
        assert "cannot be written" in result.stderr
    assert not (home / "runs").exists()


def test_that_a_file_can_be_written_is_tried_without_a_trace(tmp_path: Path):
    (tmp_path / "file").write_text("as it was")
    for path in (tmp_path / "file", tmp_path / "new" / "one"):
        require_writable(path, "--out")
    assert (tmp_path / "file").read_text() == "as it was"
    assert not (tmp_path / "new" / "one").exists()


def more(command: str) -> list[str]:
    """What is said so that nothing is asked."""
    return ["--yes"] if command == "run" else []
