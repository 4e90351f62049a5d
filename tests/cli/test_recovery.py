"""After a run that stopped in the middle: how to go on is said, and how to go back is done."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from support import notebook_files
from support.command_line import runbook

from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.engine.lock import KEY, PIPELINE, Lock, this_holder
from lib.local.ministack import LocalAws
from lib.parameters import Parameters
from lib.target import connect

STEP = """
from lib.parameters import Parameters
from lib.resources.sqs import Queue
from lib.engine.stack import Stack
from lib.target import connect

parameters = Parameters.check({"env": env})
stack = Stack(connect(parameters), parameters, "migrate")
stack.add(Queue("files", "us-east-1"))
"""


def a_run_that_fails(notebooks: Path, *options: str) -> Result:
    parameters = 'env = "local"\nmode = "apply"'
    notebook_files.write(
        notebooks / "10_migrate.ipynb", STEP, "stack.apply()", "1 / 0", parameters=parameters
    )
    return runbook("run", "--set", "env=failing", *options)


def test_a_run_that_fails_says_how_to_go_on_and_how_to_go_back(local_aws: LocalAws, notebooks: Path) -> None:
    failed = a_run_that_fails(notebooks)
    assert failed.exit_code == 1
    ledger = Ledger("runbook", "failing", "000000000000")
    back = f"rollback --run {ledger.last_run().id} --set env=failing  # go back: delete the 1"
    assert back in failed.stderr
    assert "run --set env=failing" in failed.stderr
    refused = runbook("rollback", "--set", "env=failing")
    assert (refused.exit_code, "say --yes" in refused.stderr) == (1, True)
    done = runbook("rollback", "--yes", "--set", "env=failing")
    assert "runbook-failing-migrate-files" in done.stdout
    assert "1 deleted" in done.stdout
    again = runbook("rollback", "--set", "env=failing")
    assert (again.exit_code, "nothing to take back" in again.stdout) == (0, True)


def test_what_is_proposed_keeps_to_what_was_asked(local_aws, notebooks: Path, tmp_path: Path) -> None:
    report = tmp_path / "a report.xml"
    failed = a_run_that_fails(notebooks, "migrate", "--jobs", "1", "--junit", str(report), "--no-exercise")
    words = f"run migrate --no-exercise --junit '{report}' --jobs 1 --set env=failing  # go on"
    assert words in failed.stderr
    gone = runbook("rollback", "--yes", "--set", "env=failing")
    assert "1 deleted" in gone.stdout


def test_going_back_is_not_proposed_for_what_keeps_findings_alone(local_aws, notebooks: Path) -> None:
    parameters = 'env = "local"\nmode = "apply"'
    step = STEP.replace('"migrate"', '"audit"')
    notebook_files.write(notebooks / "70_audit.ipynb", step, "stack.apply()", "1 / 0", parameters=parameters)
    failed = runbook("run", "audit", "--set", "env=failing")
    assert failed.exit_code == 1
    assert "run audit --set env=failing  # go on" in failed.stderr
    assert "rollback" not in failed.stderr
    assert "1 deleted" in runbook("rollback", "--yes", "--set", "env=failing").stdout


def test_the_last_run_is_the_one_that_ran_last_and_no_older_one_goes(
    local_aws: LocalAws, notebooks: Path
) -> None:
    """A run that made nothing, a plan, an unknown run: none of them takes an older run's things."""
    env = ["--set", "env=failing"]
    ledger = Ledger("runbook", "failing", "000000000000")
    a_run_that_fails(notebooks)
    first = ledger.last_run().id
    named = a_run_that_fails(notebooks, "migrate", "--no-exercise")
    assert "run migrate --no-exercise --set env=failing  # go on" in named.stderr, "as it was asked"
    assert "rollback" not in named.stderr, "it created nothing"
    for again in (a_run_that_fails(notebooks), runbook("plan", "migrate", *env)):
        assert ledger.last_run().id != first
        assert f"rollback --run {ledger.last_run().id}" not in again.output
        done = runbook("rollback", "--yes", *env)
        assert (done.exit_code, done.stdout.startswith("nothing to take back")) == (0, True)
        assert f"{first} created 1" in done.stdout
    unknown = runbook("rollback", "--yes", "--run", "never", *env)
    assert (unknown.exit_code, "no such run" in unknown.stderr, first in unknown.stderr) == (2, True, True)
    assert "1 deleted" in runbook("rollback", "--yes", "--run", first, *env).stdout
    assert runbook("rollback", "--yes", *env).exit_code == 0


@pytest.mark.parametrize(
    "command", [["rollback"], ["rollback", "--yes"], ["adopt", "index"], ["adopt", "index", "--yes"]]
)
def test_while_somebody_works_nothing_is_listed_and_nobody_is_asked(
    local_aws: LocalAws, somebody, command: list[str]
) -> None:
    parameters = Parameters.check({"env": "watched"})
    lock = Lock(connect(parameters), parameters)
    lock.acquire()
    them = replace(this_holder("arn:theirs"), run="hers", user="anna", host="desk")
    somebody("s3").put_object(Bucket=lock.home.name, Key=KEY, Body=json.dumps(vars(them)).encode())
    refused = runbook(*command, "--set", "env=watched")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert f"is locked by {them}" in refused.stderr
    lock.break_it(them)


def test_a_rollback_names_what_it_keeps_and_why(local_aws: LocalAws, notebooks: Path, somebody) -> None:
    store = STEP.replace("lib.resources.sqs import Queue", "lib.resources.s3 import Bucket")
    store = store.replace("Queue(", "Bucket(")
    parameters = 'env = "local"\nmode = "apply"'
    notebook_files.write(
        notebooks / "10_migrate.ipynb", store, "stack.apply()", "1 / 0", parameters=parameters
    )
    assert runbook("run", "--set", "env=keeping").exit_code == 1
    bucket, s3 = "runbook-keeping-migrate-files-000000000000-us-east-1", somebody("s3")
    s3.put_object(Bucket=bucket, Key="theirs", Body=b"1")
    done = runbook("rollback", "--yes", "--set", "env=keeping")
    assert done.exit_code == 0
    for part in ("'theirs', which that run did not put there", bucket, "runbook destroy"):
        assert part in done.stdout
    s3.delete_object(Bucket=bucket, Key="theirs")
    s3.delete_objects(
        Bucket=bucket,
        Delete={
            "Objects": [
                {"Key": version["Key"], "VersionId": version["VersionId"]}
                for listed in ("Versions", "DeleteMarkers")
                for version in s3.list_object_versions(Bucket=bucket)[listed]
            ]
        },
    )
    assert "1 deleted" in runbook("rollback", "--yes", "--set", "env=keeping").stdout


def test_what_ran_last_is_not_guessed_from_a_ledger_of_before(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    (tmp_path / "run_data").mkdir()
    facts = {"pipeline": "index", "noun": "n", "name": "n", "region": "us-east-1", "state": "made"}
    entries = {"arn:aws:s3:::runbook-local-index-files-000000000000-us-east-1": {**facts, "run": "2026-a"}}
    content = {"account_id": "000000000000", "entries": entries, "outputs": {}}
    (tmp_path / "run_data" / "local.json").write_text(json.dumps(content))
    refused = runbook("rollback", "--yes")
    assert (refused.exit_code, "--run 2026-a" in refused.stderr) == (2, True)


def test_with_rollback_a_run_that_fails_leaves_nothing(local_aws: LocalAws, notebooks: Path) -> None:
    failed = a_run_that_fails(notebooks, "--rollback")
    assert failed.exit_code == 1
    assert "1 deleted" in failed.stderr
    parameters = Parameters.check({"env": "failing"})
    assert {
        item.found.name.split("-")[2] for item in Inventory(connect(parameters), parameters).existing()
    } == {PIPELINE}
    assert Ledger.of(parameters).pipelines() == [PIPELINE]
