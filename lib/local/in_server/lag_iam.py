"""Roles are seen late: what a role may do, and who may take it on, was set a while ago. See `lag.py`."""

import json
from collections.abc import Hashable
from copy import deepcopy

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam

from lib.local.in_server.lag import FOREVER_AGO, SECONDS, History, Names, wrapping
from lib.local.in_server.trust import trusts

ROLES = History(SECONDS["role"])
KEPT = ("InlinePolicies", "AttachedPolicies", "AssumeRolePolicyDocument")
names = Names(is_global=True)


def note_roles(at: float | None = None) -> None:
    """Note what all roles are now, those that are gone included."""
    found: dict[Hashable, dict] = {
        (account, name): deepcopy({part: role.get(part) for part in KEPT})
        for (account, name), role in list(iam._roles._data.items())
    }
    for key in {*found, *ROLES.keys()}:
        ROLES.note(key, found.get(key), at)


def seen(role_arn: str) -> dict | None:
    """Return what is seen of a role; None if it is not seen.

    Args:
        role_arn: Its ARN, or its name, which is one of the caller's account.
    """
    account = role_arn.split(":")[4] if role_arn.startswith("arn:") else get_account_id()
    return ROLES.seen((account, role_arn.rpartition("/")[2]))


def is_assumed_by(role_arn: str, service: str) -> bool:
    """Return whether a service sees a role that it may take on.

    Args:
        role_arn: As for `seen`.
        service: Such as `lambda.amazonaws.com`.
    """
    role = seen(role_arn)
    if role is None:
        return False
    trust = role["AssumeRolePolicyDocument"]
    return trusts(json.loads(trust) if isinstance(trust, str) else trust, service)


def denied(role_arn: str, actions: list[str], resource_arn: str, region: str) -> str:
    """Return which of some actions a role is not seen to be allowed; empty if it may do all.

    Args:
        role_arn: As for `seen`.
        actions: Such as `sqs:ReceiveMessage`.
        resource_arn: On what.
        region: Where.
    """
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    policies = gather_role_policies(name, account)
    for action in actions:
        asked = iam_evaluator.EvalContext(
            principal_arn=role_arn,
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource_arn,
            region=region,
        )
        if iam_evaluator.evaluate(asked, policies).decision != "Allow":
            return action
    return ""


@wrapping("ministack.core.iam_evaluator:_gather_role_policies")
def gather_role_policies(role_name: str, account_id: str) -> list:
    """Return the policies of a role that are seen."""
    role = ROLES.seen((account_id, role_name))
    if role is None:
        return []
    managed = iam_evaluator._resolve_managed_policy_document
    documents = [*(role["InlinePolicies"] or {}).values()]
    documents += [managed(arn, account_id) for arn in role["AttachedPolicies"] or ()]
    parsed = (iam_evaluator.parse_policy_document(one) for one in documents if one)
    return [statements for statements in parsed if statements]


@wrapping("ministack.services.iam:handle_request")
async def handle_request(*request: object) -> tuple:
    """Answer a request to IAM, and note what it has changed of roles."""
    answer = await handle_request.original(*request)
    note_roles()
    return answer


@wrapping("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved; what was there before is seen."""
    load.original()
    note_roles(FOREVER_AGO)


def _name(asked: dict) -> str:
    return iam._p(asked, "RoleName")


@wrapping("ministack.services.iam:_IAM_HANDLERS[CreateRole]")
def create_role(asked: dict) -> tuple:
    """Create a role, of which lists do not tell yet."""
    answer = create_role.original(asked)
    if answer[0] == 200:
        names.made(_name(asked))
    return answer


@wrapping("ministack.services.iam:_IAM_HANDLERS[DeleteRole]")
def delete_role(asked: dict) -> tuple:
    """Delete a role, of which lists still tell."""
    name = _name(asked)
    listed = iam._role_xml(name, boundary=False) if name in iam._roles else ""
    answer = delete_role.original(asked)
    if answer[0] == 200:
        names.gone(name, listed)
    return answer


@wrapping("ministack.services.iam:_IAM_HANDLERS[ListRoles]")
def list_roles(asked: dict) -> tuple:
    """List the roles of a while ago."""
    status, headers, body = list_roles.original(asked)
    text = body.decode() if isinstance(body, bytes) else body
    for name in list(iam._roles):
        if names.hides(name):
            text = text.replace(f"<member>{iam._role_xml(name, boundary=False)}</member>", "")
    ghosts = "".join(f"<member>{listed}</member>" for listed in names.ghosts())
    text = text.replace("</Roles>", f"{ghosts}</Roles>")
    return status, headers, text.encode() if isinstance(body, bytes) else text
