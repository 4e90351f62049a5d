"""Another account of the local AWS, and the role in it, made of the published files."""

import json
from string import Template

from botocore.client import BaseClient

from lib.base.paths import ROOT
from lib.local.deployer import client
from lib.local.ministack import LocalAws

ACCOUNT, OTHER, EXTERNAL_ID = "000000000000", "222222222222", "the-external-id"
POLICIES = ROOT / "lib" / "policies"


def as_owner(server: LocalAws, service: str, account_id: str = OTHER) -> BaseClient:
    """Return a client of an account's root: there, any key of 12 digits is that."""
    return client(server, service, account_id, "any")


def make_role(server: LocalAws, env: str, account_id: str = OTHER) -> str:
    """Make the role as docs/real-account.md says, and return its ARN.

    Args:
        server: The local AWS.
        env: The environment that may take it on.
        account_id: Whose it is.
    """
    names = {"prefix": "runbook", "env": env, "account_id": ACCOUNT, "other_account_id": account_id}
    deployer = f"arn:aws:iam::{ACCOUNT}:user/runbook-{env}-deployer"
    trust = filled_in("other-account-trust-policy.json", deployer_arn=deployer, external_id=EXTERNAL_ID)
    iam, name = as_owner(server, "iam", account_id), f"runbook-{env}-elsewhere"
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    policy = filled_in("other-account-role-policy.json", **names)
    iam.put_role_policy(RoleName=name, PolicyName="runbook", PolicyDocument=json.dumps(policy))
    return made["Role"]["Arn"]


def filled_in(file: str, **values: str) -> dict:
    """Return a published policy, its placeholders filled in."""
    return json.loads(Template((POLICIES / file).read_text("utf-8")).substitute(values))
