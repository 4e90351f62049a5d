"""What `runbook env` says: any tool of AWS reaches the AWS that the parameters name, and no other."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from support.command_line import runbook

from lib.base.errors import ParameterError, TargetError
from lib.cli.exports import exports, require_endpoint, usual_region
from lib.local.ministack import LocalAws
from lib.parameters import Parameters

RUNBOOK = Path(sys.executable).with_name("runbook")

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


def test_whoever_wants_to_be_somebody_else_may_make_what_the_runbook_may_not(parameters) -> None:
    told = exports(parameters, {}, as_administrator=True)
    own = exports(parameters, {})
    assert {name for name in told if told[name] != own[name]} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    keys = {name.lower(): told[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key")}
    place = {"endpoint_url": told["AWS_ENDPOINT_URL"], "verify": told["AWS_CA_BUNDLE"]}
    s3 = boto3.client("s3", region_name="us-east-1", **keys, **place)
    name = f"photos.{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=name)
    s3.delete_bucket(Bucket=name)


def test_nobody_is_given_a_key_of_a_real_account() -> None:
    aws = Parameters.check({"target": "aws", "account_id": "111122223333"})
    with pytest.raises(ParameterError, match="on AWS the credentials are yours"):
        exports(aws, {}, as_administrator=True)


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


@pytest.mark.parametrize(
    ("sections", "region"),
    [
        ({}, "us-east-1"),
        ({"migrate": {"target_region": "eu-west-3"}}, "us-east-1"),
        (
            {
                "migrate": {"source_region": "eu-west-3", "target_region": "eu-west-1"},
                "index": {"region": "eu-west-1"},
                "summarize": {"region": "eu-west-1"},
                "ingest": {"region": "eu-west-1"},
            },
            "eu-west-1",
        ),
    ],
)
def test_tools_look_first_in_the_region_in_which_most_is(sections, region):
    assert usual_region(Parameters.check(sections)) == region
