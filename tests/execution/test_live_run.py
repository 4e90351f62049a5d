"""The live tier: what it refuses, what it says, and that nothing is left, rehearsed on the local AWS."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template

import psutil
import pytest
from support import notebook_files
from support.running import eventually
from typer.testing import CliRunner

from lib.base.errors import ParameterError, RunbookError, TargetError
from lib.base.paths import ROOT
from lib.cli.main import app
from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.engine.stack import Stack
from lib.execution import live_account, live_run
from lib.execution.run import NOTEBOOKS
from lib.parameters import Parameters
from lib.resources import s3
from lib.target import connect

ACCOUNT = "123456789012"
LOCAL = "000000000000"
SILENT = {"alias": [], "name": ["Sandbox"], "organisation's tags": None}


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test has: what is left of another test is not ours to find."""
    return f"t{secrets.token_hex(3)}"


@pytest.fixture
def parameters(prefix: str) -> Parameters:
    return Parameters.check({"prefix": prefix, "env": live_run.new_env()})


def runbook(*arguments: str):
    return CliRunner().invoke(app, ["live", *arguments])


def dry(*arguments: str):
    return runbook("--dry-run", "--account", ACCOUNT, "--prefix", "mine", *arguments)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects fails."""

    def refuse(parameters: Parameters) -> None:
        raise AssertionError("AWS was asked")

    monkeypatch.setattr(live_run, "connect", refuse)


def bucket(parameters: Parameters) -> Stack:
    """Deploy one bucket, with the environment's lock that this brings."""
    stack = Stack(connect(parameters), parameters, "index")
    stack.add(s3.Bucket("files", "us-east-1"))
    stack.apply()
    return stack


def names(parameters: Parameters) -> list[str]:
    return [item.found.name for item in Inventory(connect(parameters), parameters).existing()]


# --- without AWS


def test_a_dry_run_says_everything_and_asks_nobody(nobody: None) -> None:
    result = dry()
    assert result.exit_code == 0, result.stderr
    for said in (
        f"account {ACCOUNT}",
        "mine-live",
        "us-west-1",
        "00_start 10_migrate",
        "90_destroy",
        "total",
        "5.00 USD",
    ):
        assert said in result.stdout
    assert "AWS was asked nothing" in result.stdout


def test_only_the_notebooks_that_are_named(nobody: None) -> None:
    assert "runs      30_index\n" in dry("index").stdout
    assert "runs      nothing\n" in dry("--clean-only").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cap-usd", "0.01"], "above the cap of 0.01 USD"),
        (["--prefix", "prod"], "looks like production"),
        (["--account", "12345"], "12 digits"),
        (["--target", "azure"], "azure"),
        (["migrat"], "did you mean migrate"),
        (["--deny-list", "nowhere.txt"], "nowhere.txt: cannot be read"),
    ],
)
def test_refused_before_aws_is_asked(nobody: None, arguments: list[str], said: str) -> None:
    result = dry(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_account_of_the_deny_list_is_refused(nobody: None, tmp_path: Path) -> None:
    listed = tmp_path / "deny.txt"
    listed.write_text(f"# ours\n\n{ACCOUNT}  # the customers'\n")
    result = dry("--deny-list", str(listed))
    assert result.exit_code == 2
    assert f"account {ACCOUNT} stands in" in result.stderr


def test_a_line_that_is_no_account_is_refused(nobody: None, tmp_path: Path) -> None:
    (tmp_path / "deny.txt").write_text("1234-5678-9012\n")
    assert "is no account of 12 digits" in dry("--deny-list", str(tmp_path / "deny.txt")).stderr


@pytest.mark.parametrize("name", ["prod", "acme-prod", "PRODUCTION", "acme_live_eu", "prod2", "pre-prod"])
def test_names_of_production(name: str) -> None:
    assert live_account.looks_like_production(name)
    with pytest.raises(ParameterError, match="looks like production"):
        live_account.refuse_production(SILENT | {"alias": [name]})
    with pytest.raises(ParameterError, match="looks like production"):
        live_account.refuse_production(SILENT | {"organisation's tags": [f"stage={name}"]})


@pytest.mark.parametrize(
    "name", ["sandbox", "product-dev", "non-prod", "nonprod", "delivery", "alive", "olive"]
)
def test_names_of_others(name: str) -> None:
    assert not live_account.looks_like_production(name)
    live_account.refuse_production(SILENT | {"name": [name]})


def test_an_account_that_nobody_can_judge_is_refused() -> None:
    with pytest.raises(TargetError, match=r"lib/policies/live-policy\.json"):
        live_account.refuse_production(dict.fromkeys(SILENT))


def test_environments_are_new_and_fit_into_names() -> None:
    envs = {live_run.new_env() for _ in range(100)}
    assert len(envs) > 90
    assert all(live_run.ENV.fullmatch(env) for env in envs)
    Parameters.load(ROOT / "params" / "aws.yaml", prefix="runbook", env=envs.pop())


def test_the_estimate_has_all_pipelines_and_a_total() -> None:
    table = live_run.estimate(Parameters()).set_index("for a day")["usd"]
    assert {"migrate", "ingest", "crawls and queries", "total"} <= set(table.index)
    assert table["total"] == pytest.approx(table.drop("total").sum())
    assert 0 < table["total"] < 5


def test_what_no_live_run_made_is_not_cleaned(nobody: None, parameters: Parameters) -> None:
    with pytest.raises(ParameterError, match="nothing was deleted"):
        live_run.clean(parameters, "dev")


# --- on the local AWS


def test_the_account_s_names_are_read(local_aws, parameters: Parameters) -> None:
    known = live_account.known_as(connect(parameters))
    assert known["alias"] == []
    live_account.refuse_production(known)


def test_an_account_with_a_production_alias_is_refused(local_aws, somebody, prefix: str) -> None:
    somebody("iam").create_account_alias(AccountAlias="acme-prod")
    try:
        result = runbook("--account", LOCAL, "--prefix", prefix, "--target", "local", "--yes", "index")
    finally:
        somebody("iam").delete_account_alias(AccountAlias="acme-prod")
    assert result.exit_code == 2
    assert "its alias is 'acme-prod'" in result.stderr


def test_another_account_is_refused(local_aws, prefix: str) -> None:
    result = runbook("--account", ACCOUNT, "--prefix", prefix, "--target", "local", "--yes", "index")
    assert result.exit_code == 2
    assert f"the parameters say {ACCOUNT}" in result.stderr


def test_without_yes_nothing_is_done(local_aws, prefix: str) -> None:
    result = runbook("--account", LOCAL, "--prefix", prefix, "--target", "local", "index")
    assert result.exit_code == 1
    assert "say --yes. Nothing was done" in result.stderr


def test_leftovers_of_live_runs_are_found_and_removed_and_no_others(
    local_aws, parameters: Parameters
) -> None:
    other = parameters.model_copy(update={"env": "dev"})
    for each in (parameters, other):
        bucket(each)
    target = connect(parameters)
    assert live_run.leftovers(target, parameters) == [parameters.env]
    arguments = ["--account", LOCAL, "--prefix", parameters.prefix, "--target", "local", "--yes"]
    result = runbook(*arguments, "--clean-only")
    assert result.exit_code == 0, result.stderr
    assert f"Left by an earlier run: {parameters.env}" in result.stdout
    assert live_run.leftovers(target, parameters) == []
    assert names(parameters) == []
    assert not Ledger.of(parameters).path.exists()
    assert any("files" in name for name in names(other))
    Inventory(connect(other), other).destroy()


def test_ctrl_c_is_cleaned_up(local_aws, parameters: Parameters, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(jobs, parameters: Parameters, folder: Path) -> Iterator:
        bucket(parameters)
        os.kill(os.getpid(), signal.SIGTERM)  # as CI ends what it cancels
        yield

    monkeypatch.setattr(live_run, "execute_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        live_run.run(parameters, [])
    assert names(parameters) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_cannot_be_cleaned_up_is_said(
    local_aws, parameters: Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Inventory) -> None:
        raise RunbookError("1 of ours are left: x")

    monkeypatch.setattr(live_run, "execute_all", lambda jobs, parameters, folder: iter([]))
    monkeypatch.setattr(Inventory, "prove_empty", fail)
    monkeypatch.setattr(live_run._clean.retry, "sleep", lambda seconds: None)
    with pytest.raises(RunbookError, match="1 of ours are left"):
        live_run.run(parameters, [])


@pytest.mark.long
def test_what_a_cancelled_job_leaves_the_step_after_it_removes(
    local_aws, parameters: Parameters, somebody
) -> None:
    """SIGINT, SIGTERM, and SIGKILL for the whole tree: it had no time to clean."""
    arguments = ["--account", LOCAL, "--prefix", parameters.prefix, "--target", "local", "--yes"]
    command = [Path(sys.executable).with_name("runbook"), "live", *arguments, "index"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as job:
        assert eventually(lambda: job.poll() is not None or made(somebody, parameters), timeout_s=300)
        assert job.poll() is None, job.stdout.read()
        job.send_signal(signal.SIGINT)
        job.send_signal(signal.SIGTERM)
        tree = [*psutil.Process(job.pid).children(recursive=True), psutil.Process(job.pid)]
        for process in tree:
            process.kill()
    assert made(somebody, parameters), "what is left"
    result = runbook(*arguments, "--clean-only")
    assert result.exit_code == 0, result.stderr
    assert "Left by an earlier run: live" in result.stdout
    assert "is taken over: that process has ended" in result.stdout
    assert buckets_of(somebody, parameters) == []


def buckets_of(somebody, parameters: Parameters) -> list[str]:
    names = [one["Name"] for one in somebody("s3").list_buckets()["Buckets"]]
    return [name for name in names if name.startswith(f"{parameters.prefix}-live")]


def made(somebody, parameters: Parameters) -> bool:
    """Whether a pipeline has a bucket by now, besides the lock."""
    return any("-index-" in name for name in buckets_of(somebody, parameters))


@pytest.mark.long
def test_a_rehearsal_of_index_under_the_boundary_leaves_nothing_though_a_notebook_fails(
    local_aws, somebody, parameters: Parameters, tmp_path: Path
) -> None:
    """*index* with its roles under the boundary, then a notebook that fails, then nothing is left."""
    text = (ROOT / "lib" / "policies" / "permissions-boundary.json").read_text()
    document = json.loads(Template(text).substitute(account_id=LOCAL, prefix=parameters.prefix, env="live*"))
    iam = somebody("iam")
    arn = iam.create_policy(PolicyName=f"{parameters.prefix}-boundary", PolicyDocument=json.dumps(document))[
        "Policy"
    ]["Arn"]
    bounded = parameters.model_copy(update={"permissions_boundary_arn": arn})
    role_of = f"iam.get_role(RoleName='{parameters.prefix}-{parameters.env}-index-index')"
    fails = notebook_files.write(
        tmp_path / "31_fails.ipynb",
        "from lib.parameters import Parameters\nfrom lib.target import connect",
        "iam = connect(Parameters.from_notebook(globals())).client('iam', 'us-east-1')",
        f"print({role_of}['Role']['PermissionsBoundary']['PermissionsBoundaryArn'])",
        "raise ValueError('on purpose')",
        parameters='target = "local"\nenv = "local"\nprefix = "runbook"\naccount_id = "000000000000"',
    )
    results, index = live_run.run(bounded, [NOTEBOOKS / "30_index.ipynb", fails])
    assert [(r.name, r.outcome) for r in results] == [
        ("30_index", "ok"),
        ("31_fails", "failed"),
        ("90_destroy", "ok"),
    ], results
    assert results[1].failure.message == "on purpose"
    assert notebook_files.stream(results[1].executed).strip() == arn
    assert index.exists()
    assert names(parameters) == []
    assert live_run.leftovers(connect(parameters), parameters) == []
    iam.delete_policy(PolicyArn=arn)
