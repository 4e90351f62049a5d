"""docs/real-account.md and docs/live.md: their commands, as they stand there, in order, on the local AWS.

They are run by its root with the AWS CLI (`make tools`), envsubst and jq; what they have made is worked with.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass, replace
from string import Template

import pytest
import yaml
from support.described import describe
from support.somebodys import clients_of_root

from lib.base.errors import PreflightError
from lib.base.paths import ROOT
from lib.engine.inventory import Inventory
from lib.execution.live_run import new_env
from lib.local.deployer import ROOT_KEY, new_session
from lib.parameters import Parameters
from lib.target import Target, connect

GUIDE = (ROOT / "docs/real-account.md").read_text("utf-8")
LIVE = (ROOT / "docs/live.md").read_text("utf-8")
COMMANDS, DOCUMENTS, WORKFLOWS = (
    re.compile(rf"^```{kind}\n(.*?)^```", re.DOTALL | re.MULTILINE) for kind in ("sh", "json", "yaml")
)
ACCOUNT, OTHER, LOCAL = "123456789012", "222222222222", "000000000000"
TOOLS = ROOT / ".cache/tools/bin"
ENV = "live*"
TIMEOUT_S = 600


@dataclass
class Guided:
    """What the guide's reader has by its commands.

    Attributes:
        prefix: What the names begin with.
        boundary_arn: The permissions boundary.
        target: The local AWS, as the deployer's role.
    """

    prefix: str
    boundary_arn: str
    target: Target

    def parameters(self, boundary_arn: str) -> Parameters:
        given = {"prefix": self.prefix, "env": new_env(), "permissions_boundary_arn": boundary_arn}
        return Parameters.check({**given, "exercise": False})


def script(prefix: str) -> str:
    """All commands of the guide, for the local AWS; those of the other account as its root."""
    assert GUIDE.count("env=dev") == 1
    found = []
    for block in COMMANDS.findall(GUIDE.replace("env=dev ", f"env='{ENV}' ", 1)):
        text = block.replace(ACCOUNT, LOCAL).replace("prefix=runbook", f"prefix={prefix}")
        if "deployer-boundary-policy.json" in text:  # as its comment says, for live
            text = text.replace("; do ", " lib/policies/live-policy.json; do ", 1)
        elsewhere = "other_account_id=" in text
        found.append(f"export AWS_ACCESS_KEY_ID={OTHER if elsewhere else ROOT_KEY}\n{text}")
    return "set -euo pipefail\n" + "\n".join(found)


@pytest.fixture(scope="module")
def guided(local_aws, tmp_path_factory, somebody) -> Guided:
    missing = [name for name in ("envsubst", "jq", "bash") if not shutil.which(name)]
    if missing or not (TOOLS / "aws").exists():
        pytest.skip(f"not installed: {', '.join(missing) or 'the AWS CLI: make tools'}")
    prefix, folder = f"g{secrets.token_hex(3)}", tmp_path_factory.mktemp("guide")
    for name in ("lib", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "trust.json").write_text(DOCUMENTS.findall(GUIDE)[0].replace(ACCOUNT, LOCAL))
    environment = {
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_CA_BUNDLE": local_aws.ca_bundle,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        ["bash", "-c", script(prefix)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    arn = f"arn:aws:iam::{LOCAL}:policy/{prefix}-{ENV.rstrip('*')}-boundary"
    return Guided(prefix, arn, as_role(somebody, prefix))


def as_role(somebody, prefix: str) -> Target:
    """The local AWS as the role of section 3, with what MiniStack asks for otherwise than AWS."""
    name = f"{prefix}-deployer"
    text = (ROOT / "lib/local/deployer-policy.json").read_text()
    (asked,) = json.loads(Template(text).substitute(account_id=LOCAL, prefix=prefix, env=ENV)).values()
    iam = somebody("iam")
    iam.put_role_policy(RoleName=name, PolicyName="ministack", PolicyDocument=json.dumps(asked))
    role = f"arn:aws:iam::{LOCAL}:role/{name}"
    trust = json.loads(DOCUMENTS.findall(GUIDE)[0].replace(ACCOUNT, LOCAL))
    assert trust["Statement"][0].pop("Condition"), "of the second factor, which the local AWS has not"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    key = somebody("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    session = new_session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    local = connect(Parameters.check({"prefix": prefix}))
    target = replace(local, session=session, caller="", _clients={})
    return replace(target, caller=target.client("sts", "us-east-1").get_caller_identity()["Arn"], _clients={})


def test_the_role_has_all_policies_and_the_boundary_is_there(guided, somebody):
    iam = somebody("iam")
    attached = iam.list_attached_role_policies(RoleName=f"{guided.prefix}-deployer")["AttachedPolicies"]
    names = {one["PolicyName"].removeprefix(f"{guided.prefix}-deployer-") for one in attached}
    assert names >= {"storage", "messaging", "compute", "monitoring", "boundary", "live", "other-account"}
    assert iam.get_policy(PolicyArn=guided.boundary_arn)["Policy"]["Arn"] == guided.boundary_arn
    assert guided.target.caller == f"arn:aws:sts::{LOCAL}:assumed-role/{guided.prefix}-deployer/me"


def test_parameters_without_the_boundary_are_refused_before_anything_is_made(guided, somebody):
    parameters = guided.parameters("")
    with pytest.raises(PreflightError, match="deployer-boundary.*") as refused:
        describe("index", guided.target, parameters).apply()
    assert "set permissions_boundary_arn" in str(refused.value)
    names = [one["Name"] for one in somebody("s3").list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith(parameters.scope().beginning)]


def test_with_it_a_pipeline_is_made_and_destroyed(guided, somebody):
    parameters = guided.parameters(guided.boundary_arn)
    stack = describe("index", guided.target, parameters)
    stack.apply()
    assert stack.plan().count("unchanged") == len(stack.resources)
    role = somebody("iam").get_role(RoleName=stack.scope.name("index"))["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == guided.boundary_arn
    inventory = Inventory(guided.target, parameters)
    assert len(inventory.destroy()) == len(stack.resources)
    inventory.prove_empty()


def test_the_key_and_the_role_of_the_other_account_are_made(guided, somebody, local_aws):
    keys = [one["KeyId"] for one in somebody("kms").list_keys()["Keys"]]
    described = [somebody("kms").describe_key(KeyId=key)["KeyMetadata"]["Description"] for key in keys]
    assert f"{guided.prefix}-prod" in described
    theirs = clients_of_root(local_aws, OTHER)("iam")
    assert theirs.get_role(RoleName=f"{guided.prefix}-prod-elsewhere")["Role"]["Arn"].split(":")[4] == OTHER


def commands_of_live() -> list[str]:
    (block,) = COMMANDS.findall(LIVE)
    shown = [line.partition("#")[0].strip() for line in block.splitlines()]
    return [line for line in shown if line.startswith("make live")]


@pytest.mark.parametrize("command", commands_of_live())
def test_the_commands_of_the_live_tier_name_the_boundary_and_are_understood(command, tmp_path):
    """With --dry-run, by which AWS is asked nothing, and the Makefile's own rule, without its installing."""
    (block,) = COMMANDS.findall(LIVE)
    variables = "".join(f"{line}\n" for line in block.splitlines() if not line.startswith("make"))
    dry = command.replace('ARGS="', 'ARGS="--dry-run ').replace("--dry-run --dry-run", "--dry-run")
    dry = dry.replace("make live", "make --no-print-directory -o .venv/installed live")
    environment = {**os.environ, "RUNBOOK_HOME": str(tmp_path)}
    call = ["bash", "-ec", variables + dry]
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    assert "Dry run: AWS was asked nothing" in done.stdout
    assert f"boundary  arn:aws:iam::{ACCOUNT}:policy/runbook-live-boundary" in done.stdout


def test_whatever_runs_in_the_guide_s_workflow_is_cleaned_by_a_step_of_its_own():
    (workflow,) = [text for text in WORKFLOWS.findall(GUIDE) if "jobs:" in text]
    job = yaml.safe_load(workflow)["jobs"]["live"]
    ran, cleaned = (step for step in job["steps"] if "make live" in step.get("run", ""))
    assert "--clean-only" not in ran["run"] and "permissions_boundary_arn=" in ran["run"]
    assert ("--clean-only" in cleaned["run"], cleaned["if"]) == (True, "always()")
    assert ran["timeout-minutes"] + cleaned["timeout-minutes"] <= job["timeout-minutes"]
