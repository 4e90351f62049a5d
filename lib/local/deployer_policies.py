"""The deployer's managed policies: from the published file to the user on the local AWS."""

import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

from botocore.client import BaseClient

from lib.base.paths import ROOT

# Each of them {"<name>": {policy document}, …}. Placeholders: ${account_id}, ${prefix}, ${env}; IAM's own
# variables are written with two dollars, $${aws:username}.
POLICY_FILES = (
    ROOT / "lib" / "policies" / "deployer-policy.json",
    ROOT / "lib" / "policies" / "live-policy.json",  # for a rehearsal of the live tier
    # Where MiniStack asks for a right on another resource than AWS does.
    ROOT / "lib" / "local" / "deployer-policy.json",
)
ROLES_POLICY_FILE = ROOT / "lib" / "policies" / "other-account-policy.json"  # its placeholder: ${role_arn}
ADOPTED_POLICY_FILE = ROOT / "lib" / "policies" / "adopted-bucket-policy.json"  # its placeholder: ${bucket}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_CHARACTERS = 6144
MAX_POLICIES = 10
MAX_VERSIONS = 5


def render(
    *, account_id: str, prefix: str, env: str, adopted: Sequence[str] = (), roles: Sequence[str] = ()
) -> dict[str, str]:
    """Fill in the policy files; of equal names in two of them the later one counts.

    Args:
        account_id: The account, 12 digits.
        prefix: What the names of all resources begin with.
        env: The environment's name.
        adopted: Names of buckets that are somebody else's, and that it may use.
        roles: ARNs of roles of other accounts that it may take on.

    Returns:
        Each policy's name, `<prefix>-<env>-deployer-<name in the file>`, and its document without whitespace.

    Raises:
        ValueError: A placeholder is unknown, or there is more than IAM allows.
    """
    policies: dict[str, dict] = {}
    for file in POLICY_FILES:
        policies |= _fill_in(file, account_id=account_id, prefix=prefix, env=env)
    policies |= _for_others(adopted, roles)
    if len(policies) > MAX_POLICIES:
        raise ValueError(f"{len(policies)} deployer policies; IAM attaches at most {MAX_POLICIES} to a user")
    documents = {}
    for name, policy in policies.items():
        document = json.dumps(policy, separators=(",", ":"))
        if len(document) > MAX_CHARACTERS:
            raise ValueError(f"policy {name} has {len(document)} characters; IAM allows {MAX_CHARACTERS}")
        documents[f"{prefix}-{env}-deployer-{name}"] = document
    return documents


def _for_others(buckets: Sequence[str], roles: Sequence[str]) -> dict[str, dict]:
    """Return the policy for others' buckets and roles: one, since no more fit, with all of them in it."""
    files = [(ADOPTED_POLICY_FILE, "bucket", buckets), (ROLES_POLICY_FILE, "role_arn", roles)]
    statements = []
    for file, placeholder, values in files:
        filled_in = [_fill_in(file, **{placeholder: value}) for value in values]
        each = [policy["Statement"] for sections in filled_in for policy in sections.values()]
        statements += [
            {**alike[0], "Resource": [statement["Resource"] for statement in alike]}
            for alike in zip(*each, strict=True)
        ]
    return {"adopted": {"Version": "2012-10-17", "Statement": statements}} if statements else {}


def _fill_in(file: Path, **values: str) -> dict[str, dict]:
    try:
        return json.loads(Template(file.read_text("utf-8")).substitute(values))
    except KeyError as error:
        raise ValueError(f"{file}: unknown placeholder {error}; known: {', '.join(values)}") from None


def attach(iam: BaseClient, user_name: str, documents: dict[str, str], account_id: str) -> None:
    """Make the user's managed policies exactly these.

    Args:
        iam: A client that may do so.
        user_name: The user, which exists.
        documents: Each policy's name and document, as `render` returns them.
        account_id: The account, 12 digits.
    """
    wanted = {f"arn:aws:iam::{account_id}:policy/{name}": document for name, document in documents.items()}
    for arn, document in wanted.items():
        _ensure_policy(iam, arn, document)
        iam.attach_user_policy(UserName=user_name, PolicyArn=arn)
    for attached in iam.list_attached_user_policies(UserName=user_name)["AttachedPolicies"]:
        if attached["PolicyArn"] not in wanted:
            iam.detach_user_policy(UserName=user_name, PolicyArn=attached["PolicyArn"])


def _ensure_policy(iam: BaseClient, arn: str, document: str) -> None:
    try:
        default = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    except iam.exceptions.NoSuchEntityException:
        iam.create_policy(PolicyName=arn.rpartition("/")[2], PolicyDocument=document)
        return
    version = iam.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"]
    if version["Document"] != json.loads(document):  # botocore has parsed it
        _make_room(iam, arn)
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)


def _make_room(iam: BaseClient, arn: str) -> None:
    """Delete the oldest versions until there is room for one more."""
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    versions.sort(key=lambda version: int(version["VersionId"].removeprefix("v")))
    spare = [version for version in versions if not version["IsDefaultVersion"]]
    for version in spare[: max(0, len(versions) - MAX_VERSIONS + 1)]:
        iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
