"""Other accounts in which buckets of an environment live: known by its parameters, its roles, and its ledger.

See docs/decisions/0028-a-bucket-in-another-account.md.
"""

from collections.abc import Iterable

from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, Scope
from lib.resources.iam import Role
from lib.resources.other_account import OtherAccount
from lib.target import Target

ACCOUNT, ROLE = "account", "by_role"  # what the ledger says of what is in another account


def known(target: Target, parameters: Parameters, pipeline: str = "") -> list[str]:
    """Return the other accounts in which something of an environment may live; the target learns the ways.

    Args:
        target: The AWS to look at.
        parameters: Whose. Where they say how to get into an account, that counts.
        pipeline: Of which pipeline; empty for all.
    """
    return told(target, parameters, pipeline, by_roles(target, parameters.scope()))


def told(
    target: Target, parameters: Parameters, pipeline: str = "", roles: Iterable[OtherAccount] = ()
) -> list[str]:
    """Return them as `known` does, of a pipeline whose roles were looked at already.

    Args:
        target: As for `known`.
        parameters: As for `known`.
        pipeline: As for `known`.
        roles: What its roles say.
    """
    found = [*roles, *_by_ledger(parameters), *parameters.scope().others]
    ours = {one.account_id: one for one in found if one.pipeline == pipeline or not pipeline}
    target.learn(ours.values())
    return sorted(ours.keys() - {target.account_id})


def by_roles(target: Target, scope: Scope) -> list[OtherAccount]:
    """Return the buckets of an environment's pipelines that live in other accounts, as its roles say.

    Args:
        target: The AWS to look at.
        scope: The environment's.
    """
    found = Role.descriptions(target.client("iam", GLOBAL_REGION))
    ours = ((name, text) for name, text in found if name.startswith(scope.beginning))
    said = [one for name, text in ours for one in OtherAccount.described(scope.pipeline_of(name), text)]
    return list(dict.fromkeys(said))


def facts(target: Target, account_id: str) -> dict[str, str]:
    """Return what the ledger is to say of something that lives in another account; nothing of all else.

    Args:
        target: It knows the way there.
        account_id: The account that it lives in; empty for the environment's own.
    """
    if account_id in ("", target.account_id):
        return {}
    return {ACCOUNT: account_id, ROLE: target.role_in(account_id)}


def _by_ledger(parameters: Parameters) -> list[OtherAccount]:
    return [
        OtherAccount(facts["pipeline"], "", facts[ACCOUNT], facts[ROLE])
        for facts in Ledger.of(parameters).entries().values()
        if ACCOUNT in facts
    ]
