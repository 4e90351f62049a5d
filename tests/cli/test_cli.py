"""The command line, as people use it."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import Result
from support import notebook_files
from typer.testing import CliRunner

from lib.base.errors import TargetError
from lib.cli.exports import require_endpoint
from lib.cli.main import app
from lib.engine import lock
from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.execution import run
from lib.local import reports
from lib.local.ministack import LocalAws
from lib.parameters import Parameters
from lib.target import connect

COMMANDS = ["run", "plan", "destroy", "status", "output", "env", "lab", "local"]
COMMANDS += ["unlock", "rollback", "params"]
LOCAL_COMMANDS = ["start", "stop", "status", "reset", "corrections"]
AWS = "target: aws\nenv: test\naccount_id: '111122223333'\n"
RUNBOOK = Path(sys.executable).with_name("runbook")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where nothing is yet."""
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of parameters for a real account, which no test asks anything, not even for its lock."""
    monkeypatch.setattr(lock, "connect", lambda parameters: None)
    monkeypatch.setattr(lock, "locked", lambda target, parameters: nullcontext())
    path = tmp_path / "aws.yaml"
    path.write_text(AWS)
    return str(path)


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runbooks."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(run, "NOTEBOOKS", folder)
    return folder


def runbook(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "migrat"], "did you mean migrate"),
        (["run", "destroy"], "runbook destroy"),
        (["destroy", "nothing"], "unknown pipeline 'nothing'; there are: migrate"),
        (["run", "--set", "migrate.bach_size=5"], "did you mean migrate.batch_size"),
        (["run", "--set", "migrate.batch_size=ten"], "migrate.batch_size"),
        (["plan", "--set", "account_id=00000000000"], "12 digits in quotes"),
        (["run", "--set", "migrate.batch_size"], "write NAME=VALUE"),
        (["run", "--set", "migrate=1", "--set", "migrate.batch_size=5"], "given as a whole"),
        (["run", "--set", "kms_key_arns=[1"], "--set kms_key_arns=[1"),
        (["run", "--mode", "aply"], "'apply', 'plan' or 'move'"),
        (["run", "--params", "params/nothing.yaml"], "params/nothing.yaml: cannot be read"),
        (["env", "--set", "target=azure"], "target"),
        (["status", "--set", "env=Prod"], "env"),
        (["output", "--set", "prefix=1"], "prefix"),
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


def test_corrections_are_listed_and_each_is_a_report(home: Path) -> None:
    listed = runbook("local", "corrections")
    assert listed.exit_code == 0
    for said in ("s3-multipart-tags", "CreateMultipartUpload: the tags", "not reported by us"):
        assert said in listed.stdout
    report = runbook("local", "corrections", "s3-multipart-tags")
    assert report.stdout.startswith("# CreateMultipartUpload")
    assert "API_CreateMultipartUpload.html" in report.stdout and "```python" in report.stdout
    assert not (home / ".local-aws" / "state" / "server.json").exists()  # it starts nothing


def test_a_correction_that_there_is_not_is_an_error() -> None:
    result = runbook("local", "corrections", "nothing")
    assert result.exit_code == 2 and is_one_line(result)
    assert "`runbook local corrections` lists them" in result.stderr


def test_a_local_aws_that_is_not_what_was_reviewed_is_said(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(reports, "warnings", lambda: ["one: ministack.app:app has changed"])
    for command in ("status", "corrections"):
        result = runbook("local", command)
        assert result.exit_code == 0
        assert "one: ministack.app:app has changed" in result.stderr


@pytest.mark.parametrize("command", [["local", "reset"], ["destroy", "--set", "target=aws"]])
def test_what_cannot_be_undone_is_not_done_where_nobody_can_answer(home: Path, command: list[str]) -> None:
    result = runbook(*command)
    assert (result.exit_code, is_one_line(result)) == (1, True)
    assert "say --yes" in result.stderr
    assert not (home / "runs").exists()


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
    Ledger("runbook", "local", "000000000000").record_outputs("index", {"bucket": "files"})
    assert runbook("output", "migrate").stdout == lines
    assert json.loads(runbook("output", "migrate", "--json").stdout) == made
    assert json.loads(runbook("output", "index.bucket", "--json").stdout) == "files"
    unknown = runbook("output", "migrate.bucket")
    assert (unknown.exit_code, unknown.stdout, is_one_line(unknown)) == (1, "", True)
    assert "did you mean migrate.target_bucket? `runbook output` shows all" in unknown.stderr


def test_a_run_ends_with_a_table_a_report_and_what_to_try_next(home: Path, notebooks: Path, aws: str) -> None:
    told = {"summary": "1 created", "counts": {"to create": 1}, "table": {"columns": [], "data": []}}
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(told))
    notebook_files.write(notebooks / "90_destroy.ipynb")
    result = runbook("run", "--params", aws)
    assert result.exit_code == 0
    assert re.fullmatch(r"10_migrate: ok, \d+ s\n", result.stderr), "a line each where no bar is to be seen"
    for expected in ("10_migrate", "ok", "1 created", "index.html", "Next"):
        assert expected in result.stdout
    files = {path.name for path in (home / "runs" / "latest").iterdir()}
    assert files == {"10_migrate.ipynb", "10_migrate.html", "index.html"}


def test_a_failing_notebook_is_exit_code_1_with_its_cell_and_no_traceback(
    home: Path, notebooks: Path, aws: str
) -> None:
    notebook_files.write(notebooks / "10_migrate.ipynb", "x = 1", "raise ValueError('no such thing')")
    result = runbook("run", "migrate", "--params", aws)
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
    result = runbook("run", "--params", aws)
    assert (result.exit_code, result.stderr) == (2, "error: account_id: not yours\n")


def test_what_a_run_leaves_out_is_said_and_is_exit_code_5(home: Path, notebooks: Path, aws: str) -> None:
    source = "from lib.engine.checklist import Checklist\nChecklist().leave_out('a.csv', 'customer key')"
    notebook_files.write(notebooks / "70_audit.ipynb", source)
    result = runbook("run", "--params", aws)
    assert result.exit_code == 5
    assert "70_audit: left out: a.csv: customer key\n" in result.stdout
    assert "customer key" in (home / "runs" / "latest" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(("to_create", "code"), [(1, 3), (0, 0)])
def test_a_plan_shows_the_rows_and_tells_by_its_exit_code_whether_anything_differs(
    home: Path, notebooks: Path, aws: str, to_create: int, code: int
) -> None:
    table = {"columns": ["action", "name"], "data": [["create", "a-bucket"]]}
    told = {"summary": "", "counts": {"to create": to_create, "unchanged": 5}, "table": table}
    notebook_files.write(notebooks / "10_migrate.ipynb", notebook_files.tell(told), "print(mode)")
    result = runbook("plan", "migrate", "--exit-code", "--params", aws)
    assert result.exit_code == code
    assert "a-bucket" in result.stdout
    assert notebook_files.stream(home / "runs" / "latest" / "10_migrate.ipynb") == "plan\n"


def test_destroy_runs_its_notebook_for_the_pipelines_that_are_named(
    home: Path, notebooks: Path, aws: str
) -> None:
    parameters = 'pipeline = ""\nmode = "plan"'
    notebook_files.write(notebooks / "90_destroy.ipynb", "print(mode, pipeline)", parameters=parameters)
    assert runbook("destroy", "10_migrate", "--yes", "--params", aws).exit_code == 0
    executed = home / "runs" / "latest" / "90_destroy-migrate.ipynb"
    assert notebook_files.stream(executed) == "apply migrate\n"


CONFIG = """
[default]
ignore_configured_endpoint_urls = true
use_fips_endpoint = true
use_dualstack_endpoint = true
endpoint_url = https://127.0.0.1:9
s3 =
    use_accelerate_endpoint = true
[profile work]
services = elsewhere
role_arn = arn:aws:iam::111122223333:role/admin
source_profile = keys
[profile keys]
credential_process = echo '{"Version": 1, "AccessKeyId": "AKIAREAL", "SecretAccessKey": "secret"}'
[services elsewhere]
sts =
    endpoint_url = https://127.0.0.1:9
"""
ELSEWHERE = "https://127.0.0.1:9"
MISLEADING = {
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_PROFILE": "keys",
    "AWS_SESSION_TOKEN": "'x \" $y",
    "AWS_SECRET_ACCESS_KEY": "not to be told",
    "AWS_ENDPOINT_URL": ELSEWHERE,
    "AWS_ENDPOINT_URL_STS": ELSEWHERE,
    "AWS_ENDPOINT_URL_S3": ELSEWHERE,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
    "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/admin",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": ELSEWHERE,
    "AWS_DATA_PATH": "/nowhere",
    "AWS_PAGER": "cat",
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "example.com",
}


@pytest.fixture
def misled(tmp_path: Path) -> dict[str, str]:
    """An environment in which everything leads away from the local AWS."""
    (home := tmp_path / "user" / ".aws").mkdir(parents=True)
    for name in ("config", "credentials"):
        (home / name).write_text(CONFIG.replace("profile ", "") if name == "credentials" else CONFIG)
    files = {
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
    }
    return os.environ | MISLEADING | files | {"HOME": str(home.parent)}


def in_shell(shell: str, script: str, environ: dict[str, str]) -> str:
    done = subprocess.run([shell, "-c", f"set -eu\n{script}"], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_any_tool_reaches_the_local_aws_after_env(local_aws: LocalAws, misled: dict, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    script = f'eval "$("{RUNBOOK}" env)"; "{sys.executable}" -c "{who}"'
    assert in_shell(shell, script, misled) == "arn:aws:iam::000000000000:user/runbook-local-deployer\n"


def test_env_tells_no_secret_that_was_there(local_aws: LocalAws, misled: dict) -> None:
    printed = in_shell("sh", f'"{RUNBOOK}" env', misled)
    assert "not to be told" not in printed
    assert MISLEADING["AWS_SESSION_TOKEN"] not in printed


def test_env_for_a_real_account_changes_only_the_region(home: Path, aws: str, monkeypatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/our-company.pem")
    region = "export AWS_REGION=us-east-1\nexport AWS_DEFAULT_REGION=us-east-1\n"
    assert runbook("env", "--params", aws).stdout == region


def test_env_for_a_real_account_undoes_what_env_for_the_local_one_did(
    local_aws: LocalAws, misled: dict, aws: str
) -> None:
    """Also if that was done twice, and a variable was set between the two."""
    there = f'eval "$("{RUNBOOK}" env)"'
    back = f'eval "$("{RUNBOOK}" env --params "{aws}")"'
    shown = f"\"{sys.executable}\" -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = "\n".join([there, "export AWS_SESSION_TOKEN=between", there, back, shown])
    after = json.loads(in_shell("sh", script, misled))
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    ignored = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert {name: after[name] for name in after if name not in ignored} == {
        name: value for name, value in (misled | region).items() if name not in ignored
    }


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL_S3", ELSEWHERE),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_PROFILE", "work"),
    ],
)
def test_what_still_leads_elsewhere_is_refused_by_its_name(variable: str, value: str) -> None:
    ours = {
        "AWS_ENDPOINT_URL": "https://127.0.0.1:4566",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIA",
    }
    ours |= {"AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.devnull, "PATH": os.defpath}
    require_endpoint(ours, ours["AWS_ENDPOINT_URL"], "AKIA")
    with pytest.raises(TargetError, match=f"`unset {variable}`"):
        require_endpoint(ours | {variable: value}, ours["AWS_ENDPOINT_URL"], "AKIA")


def test_status_tells_what_exists_on_the_local_aws(local_aws: LocalAws) -> None:
    result = runbook("status", "--set", "env=empty")
    assert result.exit_code == 0, result.output
    assert local_aws.endpoint_url in result.stdout
    assert "migrate: no resources" in result.stdout


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
    assert (
        f"rollback --run {ledger.last_run().id} --set env=failing  # go back: delete the 1" in failed.stdout
    )
    assert "run --set env=failing" in failed.stdout
    refused = runbook("rollback", "--set", "env=failing")
    assert (refused.exit_code, "say --yes" in refused.stderr) == (1, True)
    done = runbook("rollback", "--yes", "--set", "env=failing")
    assert "runbook-failing-migrate-files" in done.stdout
    assert "1 deleted" in done.stdout
    again = runbook("rollback", "--set", "env=failing")
    assert (again.exit_code, "nothing to take back" in again.stdout) == (0, True)


def test_the_last_run_is_the_one_that_ran_last_and_no_older_one_goes(
    local_aws: LocalAws, notebooks: Path
) -> None:
    """A run that made nothing, a plan, an unknown run: none of them takes an older run's things."""
    env = ["--set", "env=failing"]
    ledger = Ledger("runbook", "failing", "000000000000")
    a_run_that_fails(notebooks)
    first = ledger.last_run().id
    for again in (a_run_that_fails(notebooks), runbook("plan", "migrate", *env)):
        assert ledger.last_run().id != first
        assert f"rollback --run {ledger.last_run().id}" not in again.stdout
        done = runbook("rollback", "--yes", *env)
        assert (done.exit_code, done.stdout.startswith("nothing to take back")) == (0, True)
        assert f"{first} created 1" in done.stdout
    unknown = runbook("rollback", "--yes", "--run", "never", *env)
    assert (unknown.exit_code, "no such run" in unknown.stderr, first in unknown.stderr) == (2, True, True)
    assert "1 deleted" in runbook("rollback", "--yes", "--run", first, *env).stdout
    assert runbook("rollback", "--yes", *env).exit_code == 0


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


def test_outputs_are_those_of_the_prefix(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    for prefix in ("runbook", "other"):
        Ledger(prefix, "local", "000000000000").record_outputs("index", {"bucket": f"{prefix}-bucket"})
    assert runbook("output", "index.bucket").stdout == "runbook-bucket\n"
    assert runbook("output", "index.bucket", "--set", "prefix=other").stdout == "other-bucket\n"


def test_with_rollback_a_run_that_fails_leaves_nothing(local_aws: LocalAws, notebooks: Path) -> None:
    failed = a_run_that_fails(notebooks, "--rollback")
    assert failed.exit_code == 1
    assert "1 deleted" in failed.stdout
    parameters = Parameters.check({"env": "failing"})
    assert Inventory(connect(parameters), parameters).existing() == []
    assert Ledger.of(parameters).entries() == {}
