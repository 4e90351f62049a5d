"""The inventory: what the runbook made, found again, deleted in reverse order, and proven to be gone."""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed
from tqdm import tqdm

from lib.base.errors import ParameterError, RunbookError
from lib.base.retry import retry_passing, seen_last
from lib.engine import adoption
from lib.engine.ledger import Ledger
from lib.engine.lock import locked
from lib.engine.plan import COUNTS
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, TAG_ENV, Adopted, Found, Resource
from lib.resources.registry import types
from lib.resources.s3 import Bucket
from lib.target import Target

TYPES = types()  # in the order of deletion
# A deleted queue may be told of for 60 s: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
DELETION_S, DELETION_POLL_S = 90, 5
INVOKE_CONFIG = "event-invoke-config"  # how the ARN of such a thing ends, which has no name


@dataclass(frozen=True)
class Existing:
    """Something of our name that exists.

    Attributes:
        type: Its class.
        region: Where it is.
        found: What its service said of it.
        is_ours: Whether its tags say that this environment's runbook made it.
    """

    type: type[Resource]
    region: str
    found: Found
    is_ours: bool


class Destroyed(list[Existing]):
    """What was deleted, shown as how many of each type."""

    def __repr__(self) -> str:
        lines = [f"{count} × {noun}" for noun, count in Counter(item.type.noun for item in self).items()]
        return "\n".join([*lines, f"{len(self)} deleted"])

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/plain": repr(self), COUNTS: {"summary": f"{len(self)} deleted"}}


class Inventory:
    """What exists of one environment, or of one of its pipelines, and its end."""

    def __init__(self, target: Target, parameters: Parameters, pipeline: str = ""):
        """Look at nothing yet.

        Args:
            target: The AWS to work on.
            parameters: Whose resources: `account_id`, `prefix` and `env`, and in which regions.
            pipeline: A pipeline's name, or empty for all.

        Raises:
            ParameterError: If there is no pipeline of that name.
        """
        if pipeline and pipeline not in parameters.sections():
            raise ParameterError(f"pipeline: {pipeline!r} is none of {', '.join(parameters.sections())}")
        self.target = target
        self.parameters = parameters
        self.scope = parameters.scope(pipeline)
        self.ledger = Ledger.of(parameters)

    @cached_property
    def adopted(self) -> tuple[Adopted, ...]:
        """The buckets to which something of the environment may be attached, as the first look found them.

        A destruction takes the roles away that tell of them; whether nothing is left there is asked after it.
        """
        return adoption.known(self.target, self.parameters)

    @property
    def regions(self) -> list[str]:
        """Every region to look in: those of the parameters, of the ledger, and of all our buckets.

        A ledger may be lost, but a pipeline has a bucket in each of its regions, and S3 lists those of all.
        """
        remembered = {entry["region"] for entry in self.ledger.entries().values()}
        buckets = Bucket.regions(self.target.client("s3", GLOBAL_REGION), self.scope)
        adopted = {one.region for one in self.adopted}
        return sorted({GLOBAL_REGION, *self.parameters.regions, *remembered, *buckets, *adopted})

    def existing(self) -> list[Existing]:
        """List what exists under our name, of every type in every region, in the order of deletion."""
        return list(self._all())

    def _all(self) -> Iterator[Existing]:
        regions = self.regions
        for kind in TYPES:
            for region in _regions_of(kind, regions):
                yield from self._list(kind, region)

    def table(self) -> pd.DataFrame:
        """Return one row for each thing of our name: pipeline, type, name, region, and who made it."""
        rows = [
            (
                self.scope.pipeline_of(item.found.name),
                item.type.noun,
                item.found.name,
                item.region,
                "this runbook" if item.is_ours else "somebody else",
            )
            for item in self.existing()
        ]
        rows += [
            (one.pipeline, Bucket.noun, one.name, one.region, "somebody else, and adopted")
            for one in adoption.by_roles(self.target, self.parameters.scope())
            if not self.scope.pipeline or one.pipeline == self.scope.pipeline
        ]
        return pd.DataFrame(rows, columns=["pipeline", "type", "name", "region", "made by"])

    def left_behind(self, described: Container[str]) -> list[Existing]:
        """Return what is ours but not described any more, for instance since a region or an address changed.

        What others have added to a thing of ours, such as a subscription, is not among it.

        Args:
            described: The ARNs of what is described, such as a stack's `resources`.

        Returns:
            In the order of deletion.
        """
        known = self.ledger.entries()
        return [
            item
            for item in self.existing()
            if item.is_ours and item.found.arn not in described
            if item.found.arn in known or self._has_our_name(item.found.arn.rpartition("#")[2])
        ]

    def _has_our_name(self, text: str) -> bool:
        beginning = self.scope.beginning
        return beginning in text or beginning.replace("-", "_") in text or text == INVOKE_CONFIG

    def destroy(self) -> "Destroyed":
        """Delete what is ours. With mode `plan`, delete nothing.

        Returns:
            How many of each type were deleted; none with mode `plan`.
        """
        if self.parameters.mode == "plan":
            print("mode is 'plan': nothing was deleted")
            return Destroyed([])
        if not any(item.is_ours for item in self._all()):  # where there is nothing to do no lock is needed
            return Destroyed([])
        with locked(self.target, self.parameters) as lock:
            # What others made until we had the lock is ours to delete, too.
            found = [item for item in self.existing() if item.is_ours]
            ours = [item for item in found if item.found.identifier != lock.home.name]
            for item in tqdm(ours, desc="Destroy", unit="resource", leave=False, delay=1):
                lock.require()
                self.delete(item)
            if not self.scope.pipeline:  # a pipeline alone may come again at once, and need the lock
                lock.leave()
        return Destroyed(ours)

    def delete(self, item: Existing, **options: object) -> None:
        """Delete one thing, whatever else is still being done to it.

        Args:
            item: The thing.
            options: Of its type's `delete`.
        """
        client = self.target.client(item.type.service, item.region)
        delete = retry_passing("changing", "busy", sleep=time.sleep)
        delete(item.type.delete, client, item.found.identifier, **options)

    def prove_empty(self, sleep: Callable[[float], None] = time.sleep) -> pd.DataFrame:
        """List every service in every region again, and clear the ledger if nothing of ours is left.

        Args:
            sleep: Waits between two looks, while something is left that AWS may still be deleting.

        Returns:
            One row a type, one column a region: how many of ours exist. Last how many of somebody else's have
            a name like ours.

        Raises:
            RunbookError: If something of ours is left.
        """
        retrying = Retrying(
            retry=retry_if_result(lambda answer: answer[1]),
            stop=stop_after_attempt(1 + DELETION_S // DELETION_POLL_S),
            wait=wait_fixed(DELETION_POLL_S),
            sleep=sleep,
            retry_error_callback=seen_last,
        )
        rows, left = retrying(self._count)
        if left:
            raise RunbookError(f"{len(left)} of ours are left: {', '.join(left)}; run 90_destroy again")
        for pipeline in [self.scope.pipeline] if self.scope.pipeline else self.ledger.pipelines():
            self.ledger.forget(pipeline)
        return pd.DataFrame(rows).fillna("")

    def _count(self) -> tuple[list[dict], list[str]]:
        """Return the rows of the proof, and the names of ours that are left."""
        rows, left, regions = [], [], self.regions
        for kind in TYPES:
            listed = {region: list(self._list(kind, region)) for region in _regions_of(kind, regions)}
            left += [item.found.name for items in listed.values() for item in items if item.is_ours]
            counts = {region: str(sum(e.is_ours for e in items)) for region, items in listed.items()}
            others = sum(not item.is_ours for items in listed.values() for item in items)
            rows.append({"type": kind.noun, **counts, "not ours": others})
        return rows, left

    def _list(self, kind: type[Resource], region: str) -> Iterator[Existing]:
        scope = replace(self.scope, adopted=self.adopted)
        for found in kind.find(self.target.client(kind.service, region), scope):
            yield Existing(kind, region, found, self._is_ours(found))

    def _is_ours(self, found: Found) -> bool:
        """Tell by the tags; what lost them, or never got them in a run that was killed, by the ledger."""
        if found.tags is None:
            return True
        if TAG_ENV in found.tags:
            return found.tags[TAG_ENV] == self.scope.env
        return found.arn in self.ledger.entries()


def _regions_of(kind: type[Resource], regions: list[str]) -> list[str]:
    """Return those of the regions in which a type of resource is to be looked for."""
    return [GLOBAL_REGION] if kind.is_global else regions
