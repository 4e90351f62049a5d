"""The examples of workflows: their form, and their own steps, run as GitHub runs them, on the local AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.cleanup import remove

from lib.base.paths import ROOT
from lib.execution.describing import described
from lib.execution.run import select
from lib.local.ministack import LocalAws
from lib.parameters import Parameters

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / "docs/workflows").glob("*.yml")
}
PARAMETERS = {"target": "local", "env": "flow", "exercise": False}
GH = """#!/bin/sh
echo "$@" >> "$GH_SAID"
"""


def steps(workflow: str, job: str) -> dict[str, str]:
    """The commands of a job's named steps."""
    found = WORKFLOWS[workflow]["jobs"][job]["steps"]
    return {step["name"]: step["run"] for step in found if "name" in step and "run" in step}


def test_there_are_three_and_none_has_a_key_or_more_rights_than_it_needs():
    assert WORKFLOWS.keys() == {"plan", "apply", "audit"}
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"]["contents"] == "read"
        assert workflow["permissions"]["id-token"] == "write"
        for name, job in workflow["jobs"].items():
            (role,) = [
                step["with"]["role-to-assume"]
                for step in job["steps"]
                if "role-to-assume" in step.get("with", {})
            ]
            assert role.endswith("runbook-deployer" if name == "apply" else "runbook-reader")
            assert "timeout-minutes" in job
    assert WORKFLOWS["apply"]["jobs"]["apply"]["environment"] == "production"
    assert "secrets." not in "".join(map(str, WORKFLOWS.values()))


@pytest.mark.parametrize("path", sorted((ROOT / "docs/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_every_option_that_a_step_gives_is_one_that_the_command_has(path: Path):
    from typer.main import get_command

    from lib.cli.main import app

    commands = get_command(app).commands
    for words in (line.split() for line in path.read_text("utf-8").replace("\\\n", " ").splitlines()):
        if ".venv/bin/runbook" in words:
            name, *rest = words[words.index(".venv/bin/runbook") + 1 :]
            known = {option for one in commands[name].params for option in one.opts}
            assert {word for word in rest if word.startswith("--")} <= known


@pytest.fixture
def runner(local_aws: LocalAws, tmp_path: Path) -> Iterator[tuple]:
    """Runs a step in a folder like a checkout, `runner(command)`; all that it made is removed afterwards.

    Of the notebooks two: one that deploys, and one that looks at what others have deployed.
    """
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "mine.yaml").write_text(yaml.safe_dump(PARAMETERS))
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    said = {
        name: str(tmp_path / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GH_SAID")
    }
    environ = {**os.environ, **said, "PARAMS": "params/mine.yaml", "PULL_REQUEST": "7"}
    environ["PATH"] = f"{tmp_path / 'bin'}:{environ['PATH']}"

    def run(command: str) -> int:
        for one in ("plan", "run"):
            command = command.replace(f" {one} --params", f" {one} index observe --params")
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
        return subprocess.run(shell, cwd=tmp_path, env=environ, timeout=900).returncode

    yield run, tmp_path
    for notebook in select(["observe", "index"]):
        remove(described(notebook, Parameters.check(PARAMETERS)))


@pytest.mark.long
def test_a_plan_is_commented_approved_applied_and_audited(runner):
    run, folder = runner
    for step in steps("plan", "plan").values():
        assert run(step) == 0
    assert "| create | S3 bucket |" in (folder / "plan.md").read_text("utf-8")
    assert "pr comment 7 --body-file plan.md" in (folder / "gh_said").read_text("utf-8")
    (plan,), (apply,) = steps("apply", "plan").values(), steps("apply", "apply").values()
    assert run(plan) == 0
    assert "code=3" in (folder / "github_output").read_text("utf-8")
    assert run(apply) == 0
    assert (folder / "reports" / "runbook.xml").exists()
    assert run(apply) == 3, "the plan was carried out, so it is true no more"
    assert run(plan) == 0
    assert (folder / "github_output").read_text("utf-8").splitlines()[-1] == "code=0"
    nightly = steps("audit", "audit")
    assert {name: run(step.replace("audit --", "audit index --")) for name, step in nightly.items()} == {
        "audit": 0,
        "redrive": 0,
        "drift": 0,
    }
    assert json.loads((folder / "audit.json").read_text("utf-8"))["clean"] is True
