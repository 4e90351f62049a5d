"""Record which calls the handlers and the deployer make: `make record-calls`, some minutes.

With ARGS=NAME those of one handler, with ARGS=reader those of the reader.

The handlers' calls are those of their own tests, on the local AWS, IAM on. The deployer's are those of all
notebooks, run, planned and destroyed from nothing, and of the tests of what no notebook does.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from support.other_account import EXTERNAL_ID, OTHER, make_role
from support.permissions.call_needs import Shape
from support.permissions.call_shapes import shapes, write
from support.permissions.proofs import DEPLOYER, ELSEWHERE, HANDLERS, READER, RESTORE, record_of

from lib.base.call_ledger import PATH_VARIABLE, Call, read
from lib.base.paths import ROOT
from lib.local import ministack

PYTEST = [sys.executable, "-m", "pytest", "-q", "--timeout=7200"]
RUNBOOK = [str(Path(sys.executable).with_name("runbook"))]
# What the deployer does and no notebook shows: changes, brakes, redrives, rollbacks.
DEPLOYER_TESTS = (
    *("tests/resources", "--deselect=tests/resources/test_second_opinion.py"),  # which is about another AWS
    *("tests/engine/test_stack.py", "tests/engine/test_rollback.py", "tests/engine/test_lock.py"),
    *(
        "tests/operate/failures/test_redrive.py",
        "tests/operate/failures/test_brake.py",
        "tests/operate/recovery/test_restore.py",
    ),
    *("tests/operate/backfills/test_batch_job.py", "tests/operate/observe/test_dashboard.py"),
    *("tests/operate/test_other_account.py", "tests/engine/test_locked.py"),
    "tests/engine/preflight/test_account.py",
)
READER_TESTS = "tests/permissions/test_reader.py"
# Roles that are taken on, by how their names end.
TAKEN_ON = {ELSEWHERE: "-elsewhere", RESTORE: "-backup-restore"}
DIFFERS = 3  # what a plan ends with that has found anything: the calls are the same
ENV = "local"  # of params/local.yaml
DESTROY = ["destroy", "--yes"]
COMMANDS = (["run"], ["plan"], DESTROY)
# Then once more with a bucket in another account.
ELSEWHERE_NOTEBOOKS = ("migrate", "backup", "audit", "restore")


def record(folder: Path) -> None:
    """Make all the calls, and write their ledgers to a folder."""
    environment = {**os.environ, "RECORDED": str(folder), "PYTHONPATH": str(ROOT / "tests")}
    subprocess.run(
        [*PYTEST, "-p", "support.permissions.handler_recording", "tests/handlers"],
        env=environment,
        check=True,
    )
    environment = {**os.environ, PATH_VARIABLE: str(folder / "tests.jsonl")}
    subprocess.run([*PYTEST, *DEPLOYER_TESTS, READER_TESTS], env=environment, check=True)
    environment = {**os.environ, "RUNBOOK_HOME": str(folder / "home")}
    try:
        for command in COMMANDS:
            _run(command, environment)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RUNBOOK_HOME", environment["RUNBOOK_HOME"])
            role_arn = make_role(ministack.start(), ENV)
        given = [
            word
            for bucket in ("migrate.target", "backup.dr")
            for name, value in {"account_id": OTHER, "role_arn": role_arn, "external_id": EXTERNAL_ID}.items()
            for word in ("--set", f"{bucket}_{name}={value}")
        ]
        _run(["run", *ELSEWHERE_NOTEBOOKS, *given], environment)
        _run([*DESTROY, *given], environment)
    finally:
        subprocess.run([*RUNBOOK, "local", "reset", "--yes"], env=environment, check=True)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run([*RUNBOOK, *command], env=environment, check=False)
    if done.returncode not in (0, DIFFERS):
        done.check_returncode()


def record_reader(folder: Path) -> None:
    """Make the calls of the reader, by its tests."""
    environment = {**os.environ, PATH_VARIABLE: str(folder / "tests.jsonl")}
    subprocess.run([*PYTEST, READER_TESTS], env=environment, check=True)


def record_handler(folder: Path, name: str) -> None:
    """Make the calls of one handler, by its own tests and its scenario, which need not pass yet."""
    environment = {**os.environ, "RECORDED": str(folder), "PYTHONPATH": str(ROOT / "tests")}
    own = sorted((ROOT / "tests" / "handlers").glob(f"test_{name}*.py"))
    plugin = ["-p", "support.permissions.handler_recording", "-k", name]
    subprocess.run([*PYTEST, *plugin, *own, "tests/handlers/test_facts.py"], env=environment, check=False)


def compact(folder: Path) -> dict[str, dict[Shape, set[str]]]:
    """Return the shapes of all calls in a folder by policy, each with where it was seen."""
    found: dict[str, dict[Shape, set[str]]] = defaultdict(lambda: defaultdict(set))
    ledgers = [("run", path) for path in folder.glob("home/runs/*/calls.jsonl")]
    for where, path in [*ledgers, *(("tests", path) for path in folder.glob("tests.jsonl"))]:
        for policy, end in {DEPLOYER: "-deployer", READER: "-reader"}.items():
            asked = (call for call in read(path) if call.caller.endswith(end))
            calls = [call for call in asked if not is_of_an_adopted_bucket(call)]
            for shape in shapes(policy, calls, [_filling(caller) for caller in {c.caller for c in calls}]):
                found[policy][shape].add(where)
        for policy, end in TAKEN_ON.items():
            calls = [call for call in read(path) if call.caller.endswith(f"{end}/runbook")]
            fillings = [_filling_of_role(caller) for caller in {call.caller for call in calls}]
            for shape in shapes(policy, calls, fillings):
                found[policy][shape].add(where)
    for fillings in folder.glob("fillings-*.json"):
        process = fillings.stem.partition("-")[2]
        for policy, values in json.loads(fillings.read_text("utf-8")).items():
            ledger = folder / f"{Path(policy).parent.name}-{process}.jsonl"
            if policy.startswith("handlers/") and ledger.exists():
                for shape in shapes(policy, read(ledger), values):
                    found[policy][shape].add("tests")
    return found


def is_of_an_adopted_bucket(call: Call) -> bool:
    """Whether a call of `…:user/<prefix>-<env>-…` is about a bucket of others, or copies from one.

    What is needed there is in lib/policies/adopted-bucket-policy.json, and no resource of the caller's own.
    """
    ours = call.caller.rpartition("/")[2].rpartition("-")[0]
    buckets = [text.partition("/")[0] for text in (call.resource, call.source) if text]
    return call.service == "s3" and not all(bucket.startswith(f"{ours}-") for bucket in buckets)


def keep(folder: Path, which: str = "") -> None:
    """Keep the shapes of all calls in a folder, each policy's in a file, or one policy's."""
    for policy, seen in compact(folder).items():
        if which not in ("", policy):
            continue
        write(record_of(policy), seen)
        print(f"wrote {record_of(policy).relative_to(ROOT)}")


def _filling(caller: str) -> dict[str, str]:
    """Return what the policy of `arn:aws:iam::…:user/<prefix>-<env>-deployer` is filled in with."""
    prefix, env, _ = caller.rpartition("/")[2].split("-")
    return {"prefix": prefix, "env": env, "account_id": caller.split(":")[4]}


def _filling_of_role(caller: str) -> dict[str, str]:
    """Return what the policy of `arn:aws:sts::…:assumed-role/<prefix>-<env>-…/runbook` is filled in with."""
    prefix, env, *_ = caller.split("/")[1].split("-")
    ours = f"arn:aws:s3:::{prefix}-{env}"
    return {
        "prefix": prefix,
        "env": env,
        "account_id": "000000000000",
        "other_account_id": "222222222222",
        "copies_bucket_arn": f"{ours}-backup-dr-2222-000000000000-us-east-2",
        "source_bucket_arn": f"{ours}-backup-primary-000000000000-us-east-1",
        "own_buckets_arn": f"{ours}-*",
    }


if __name__ == "__main__":
    (given,) = sys.argv[1:] or [""]
    if policy := next((path for path in HANDLERS if Path(path).parent.name == given), ""):
        with tempfile.TemporaryDirectory() as temporary:
            record_handler(Path(temporary), given)
            keep(Path(temporary), policy)
    elif given == "reader":
        with tempfile.TemporaryDirectory() as temporary:
            record_reader(Path(temporary))
            keep(Path(temporary), READER)
    elif given:  # ledgers that were recorded already
        keep(Path(given))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            record(Path(temporary))
            keep(Path(temporary))
