"""The regions that an environment is in, and those that nobody may look into.

An organisation may close regions to its accounts, and others are off until an account opts in. The parameters
name regions for pipelines, too, that are not deployed: docs/decisions/0035-a-home-and-closed-regions.md.
"""

import sys
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import TypeVar

from botocore.exceptions import ClientError

from lib.base.refusals import code_of, is_closed
from lib.engine.ledger import Ledger
from lib.engine.role_descriptions import by_roles
from lib.resources.base import Scope
from lib.resources.registry import types
from lib.resources.s3 import Bucket
from lib.target import Target

Seen = TypeVar("Seen")
GLOBAL_NOUNS = frozenset(kind.noun for kind in types() if kind.is_global)
_told: set[tuple[str, str, str]] = set()  # of which regions of which environment this process has spoken
_telling = Lock()


def remembered(ledger: Ledger) -> set[str]:
    """Return the regions in which something is by the ledger; what has no region is in none.

    Args:
        ledger: The environment's.
    """
    entries = ledger.entries().values()
    return {facts["region"] for facts in entries if facts.get("noun") not in GLOBAL_NOUNS}


class Regions:
    """Looks into the regions of an environment; in one that is closed it has nothing, and that is said.

    Only in one that the parameters alone name. Where a bucket, a role or the ledger of the environment says
    that something is, a refusal is an error: each pipeline has a bucket in each of its regions, or says in a
    role what it has adopted there, and both are listed for all regions at once.

    Attributes:
        closed: Those that were found closed: why, in AWS's words.
    """

    def __init__(self, target: Target, env: Scope):
        """Look at nothing yet.

        Args:
            target: The AWS to look at.
            env: The scope of the whole environment.
        """
        self.target, self.env = target, env
        self.closed: dict[str, str] = {}

    @cached_property
    def ours(self) -> set[str]:
        """Those in which something of the environment is, or was by the ledger; the home is one of them."""
        ledger = Ledger(self.env.prefix, self.env.env, self.env.account_id)
        buckets = Bucket.regions(self.target.client("s3", self.target.home_region), self.env)
        adopted = {one.region for one in by_roles(self.target, self.env).adopted}
        return {self.target.home_region, *remembered(ledger), *buckets, *adopted}

    def look(self, region: str, ask: Callable[[], Seen]) -> Seen | None:
        """Return what AWS tells of a region of the environment's own account; None if that is closed.

        Args:
            region: The region.
            ask: Asks there, and returns only when it was told all.

        Raises:
            ClientError: If AWS answers with another error, or refuses though something of ours is there.
        """
        try:
            return ask()
        except ClientError as error:
            if not is_closed(error) or region in self.ours:
                raise
            self._tell(region, error)
            return None

    @property
    def reason(self) -> str:
        """Why nothing is taken to be in what is closed, and what to do about it."""
        return (
            f"Parameters name it, but no bucket, role or ledger of env {self.env.env!r} does: nothing of it "
            "is taken to be there. Another region can be named (docs/real-account.md, 4)"
        )

    def _tell(self, region: str, error: ClientError) -> None:
        why = f"{code_of(error)}: {error.response['Error'].get('Message', '').strip()}"
        self.closed.setdefault(region, why)
        place = (self.env.account_id, self.env.beginning, region)
        with _telling:
            is_new = place not in _told
            _told.add(place)
        if is_new:  # on stderr, since what is printed may be a command's answer
            print(f"{region} is not looked into ({why}). {self.reason}", file=sys.stderr)
