"""What the roles of an environment say: which buckets it has adopted, and what lives in other accounts."""

from dataclasses import dataclass

from lib.resources.base import GLOBAL_REGION, Adopted, Scope
from lib.resources.iam import Role
from lib.resources.other_account import OtherAccount
from lib.target import Target


@dataclass(frozen=True)
class Told:
    """What the roles say, each thing once.

    Attributes:
        adopted: The buckets that the environment's pipelines have adopted.
        others: Their buckets that live in other accounts.
    """

    adopted: tuple[Adopted, ...]
    others: tuple[OtherAccount, ...]


def by_roles(target: Target, scope: Scope) -> Told:
    """Return what the roles of an environment say.

    Args:
        target: The AWS to look at.
        scope: The environment's.
    """
    listed = Role.descriptions(target.client("iam", GLOBAL_REGION))
    ours = [(scope.pipeline_of(name), text) for name, text in listed if name.startswith(scope.beginning)]
    adopted = (one for pipeline, text in ours for one in Adopted.described(pipeline, text))
    others = (one for pipeline, text in ours for one in OtherAccount.described(pipeline, text))
    return Told(tuple(dict.fromkeys(adopted)), tuple(dict.fromkeys(others)))
