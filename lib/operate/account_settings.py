"""The account itself: what its owner has set for everything in it. Reads only."""

import pandas as pd
from botocore.exceptions import ClientError

from lib.base.refusals import is_denied
from lib.target import Target

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
SETTINGS = {
    "BlockPublicAcls": "nobody can give everybody access by an ACL",
    "IgnorePublicAcls": "an ACL that gives everybody access does not count",
    "BlockPublicPolicy": "nobody can give everybody access by a bucket's policy",
    "RestrictPublicBuckets": "a bucket whose policy gives everybody access is for its own account only",
}
ON, OFF, NOT_KNOWN = "on", "off", "not known"
HOW = "docs/real-account.md, 4, says how; the runbook does not, since it concerns all buckets of the account"


def public_access_block(target: Target) -> pd.DataFrame:
    """Look whether the account blocks public access to all its buckets, and print what that comes to.

    Args:
        target: The account to look at.

    Returns:
        One row a setting: its name, `on`, `off` or `not known`, and what it means.
    """
    found, finding = _read(target)
    print(finding)
    rows = [(name, found.get(name, NOT_KNOWN), meaning) for name, meaning in SETTINGS.items()]
    return pd.DataFrame(rows, columns=["setting", "state", "if it is on"])


def _read(target: Target) -> tuple[dict[str, str], str]:
    """Return the settings that could be read, and what they come to."""
    client = target.client("s3control", target.home_region)
    try:
        answer = client.get_public_access_block(AccountId=target.account_id)
    except client.exceptions.NoSuchPublicAccessBlockConfiguration:
        return _states({}), f"the account blocks no public access: {HOW}"
    except ClientError as error:
        refusal = error.response["Error"]
        if is_denied(error):
            return {}, f"{refusal['Code']}: to look, the deployer needs s3:GetAccountPublicAccessBlock"
        return {}, f"this AWS does not tell: {refusal['Code']}: {refusal['Message']}"
    states = _states(answer["PublicAccessBlockConfiguration"])
    if missing := [name for name, state in states.items() if state == OFF]:
        return states, f"the account does not block all public access: {', '.join(missing)} off. {HOW}"
    return states, "the account blocks all public access"


def _states(block: dict[str, bool]) -> dict[str, str]:
    return {name: ON if block.get(name) else OFF for name in SETTINGS}
