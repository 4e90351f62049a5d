"""Environments of earlier versions: planned, applied, known and destroyed by today's code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import earlier
from support.described import describe

from lib.base.paths import ROOT
from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.engine.lock import PIPELINE
from lib.local import ministack
from lib.parameters import Parameters
from lib.target import connect

PIPELINES = ["migrate", "backup", "index", "summarize", "ingest"]
# The first that deployed all five on this MiniStack, one in the middle, one just before data was protected.
COMMITS = {"first": "cfcf021", "middle": "624f930", "last": "d17fe71"}


def checkout(commit: str, folder: Path) -> Path:
    """Put the files of a commit into a folder; where history was not fetched, the test is skipped."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)
    if archive.returncode:
        pytest.skip(f"commit {commit} is not here: {archive.stderr.decode().strip()}")
    folder.mkdir()
    subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("commit", COMMITS.values(), ids=list(COMMITS))
def test_what_an_earlier_version_deployed_is_operated_by_todays(tmp_path, monkeypatch, commit):
    folder = checkout(commit, tmp_path / "earlier")
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    parameters = Parameters.check({"env": "upgrade", "exercise": False})
    connect(parameters)  # which starts the local AWS
    try:
        program = [sys.executable, Path(earlier.__file__), folder, parameters.env, *PIPELINES]
        subprocess.run(program, cwd=folder / "notebooks", check=True, env=os.environ, timeout=900)
        target = connect(parameters)  # whose rights were the earlier version's meanwhile
        ledger = Ledger.of(parameters)
        assert set(ledger.outputs()) == set(PIPELINES)
        before = {item.found.arn for item in Inventory(target, parameters).existing()}
        for name in PIPELINES:
            stack = describe(name, target, parameters)
            plan = stack.plan()
            if plan.left_behind:  # what a later version does otherwise, and leaves by a move
                assert {one.noun for one in plan.left_behind} <= {"Glue crawler"}
                stack.parameters = stack.parameters.model_copy(update={"mode": "move"})
            assert not [step for step in plan if step.action == "delete" and step.resource.holds_data]
            stack.apply()
            assert stack.plan().count("unchanged") == len(stack.resources)
        after = {item.found.arn for item in Inventory(target, parameters).existing()}
        held = {
            arn
            for arn in before
            if ":table/" in arn and ":dynamodb:" in arn or arn.startswith("arn:aws:s3:::")
        }
        assert {arn for arn in held if "#" not in arn} <= after, "nothing that holds data is gone"
        Inventory(target, parameters).destroy()
        Inventory(target, parameters).prove_empty()
        assert set(ledger.pipelines()) <= {PIPELINE}
    finally:
        ministack.reset()
