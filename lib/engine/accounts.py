"""Other accounts in which buckets of an environment live: known by its parameters, its roles, and its ledger.

See docs/decisions/0028-a-bucket-in-another-account.md.
"""

from collections.abc import Iterable

from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.resources.other_account import OtherAccount
from lib.target import Target

ACCOUNT, ROLE = "account", "by_role"  # what the ledger says of what is in another account


def known(
    target: Target, parameters: Parameters, pipeline: str = "", roles: Iterable[OtherAccount] = ()
) -> list[str]:
    """Return the other accounts in which something of an environment may live; the target learns the ways.

    Args:
        target: The AWS to look at.
        parameters: Whose. Where they say how to get into an account, that counts.
        pipeline: Of which pipeline; empty for all.
        roles: What its roles say.
    """
    found = [*roles, *_by_ledger(parameters), *parameters.scope().others]
    ours = {one.account_id: one for one in found if one.pipeline == pipeline or not pipeline}
    target.learn(ours.values())
    return sorted(ours.keys() - {target.account_id})


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
