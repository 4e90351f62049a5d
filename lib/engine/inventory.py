"""The inventory: what the runbook made, found again, deleted in reverse order, and proven to be gone."""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed
from tqdm import tqdm

from lib.base.errors import LockedError, ParameterError, RunbookError
from lib.base.retry import retry_passing, seen_last
from lib.base.told import COUNTS
from lib.engine import accounts, adoption
from lib.engine.ledger import Ledger
from lib.engine.lock import PIPELINE, locked
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, TAG_ENV, Adopted, Found, Resource
from lib.resources.registry import types
from lib.resources.s3 import Bucket, first_of, has_object_lock, what_is_locked
from lib.target import Target

TYPES = types()  # in the order of deletion
# A deleted queue may be told of for 60 s: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
DELETION_S, DELETION_POLL_S = 90, 5
AGAIN = "Destroy it again when that is over; until then it is paid for"
Place = tuple[str, str]  # an account, empty for the environment's own, and a region
INVOKE_CONFIG = "event-invoke-config"  # how the ARN of such a thing ends, which has no name


@dataclass(frozen=True)
class Existing:
    """Something of our name that exists.

    Attributes:
        type: Its class.
        region: Where it is.
        found: What its service said of it.
        is_ours: Whether its tags say that this environment's runbook made it.
        account_id: In which account, 12 digits; empty for the environment's own.
    """

    type: type[Resource]
    region: str
    found: Found
    is_ours: bool
    account_id: str = ""


class Destroyed(list[Existing]):
    """What was deleted, shown as how many of each type.

    Attributes:
        locked: What had to stay, and until when: Object Lock holds it.
    """

    def __init__(self, items: Iterable[Existing] = (), locked: Iterable[str] = ()):
        """Begin with these.

        Args:
            items: What was deleted.
            locked: What had to stay.
        """
        super().__init__(items)
        self.locked = list(locked)

    def __repr__(self) -> str:
        lines = [f"{count} × {noun}" for noun, count in Counter(item.type.noun for item in self).items()]
        return "\n".join([*lines, self._summary, *(f"left: {one}. {AGAIN}" for one in self.locked)])

    @property
    def _summary(self) -> str:
        left = f", {len(self.locked)} left, which Object Lock holds" if self.locked else ""
        return f"{len(self)} deleted{left}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        notes = [f"left: {one}. {AGAIN}" for one in self.locked]
        return {"text/plain": repr(self), COUNTS: {"summary": self._summary, "notes": notes}}


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
        self._not_reached: set[str] = set()

    @cached_property
    def adopted(self) -> tuple[Adopted, ...]:
        """The buckets to which something of the environment may be attached, as the first look found them.

        A destruction takes the roles away that tell of them; whether nothing is left there is asked after it.
        """
        return adoption.known(self.target, self.parameters)

    @cached_property
    def others(self) -> list[str]:
        """The other accounts in which something may live, as the first look found them: as for `adopted`."""
        return accounts.known(self.target, self.parameters, self.scope.pipeline)

    @property
    def regions(self) -> list[str]:
        """Every region to look in: those of the parameters, of the ledger, and of all our buckets.

        A ledger may be lost, but a pipeline has a bucket in each of its regions, and S3 lists those of all.
        """
        remembered = {entry["region"] for entry in self.ledger.entries().values()}
        buckets = Bucket.regions(self.target.client("s3", GLOBAL_REGION), self.scope)
        adopted = {one.region for one in self.adopted}
        return sorted({GLOBAL_REGION, *self.parameters.regions, *remembered, *buckets, *adopted})

    def buckets(self, others: Iterable[str] | None = None) -> Iterator[tuple[str, str, str]]:
        """Yield the buckets of our name: account, name and region.

        Args:
            others: In which other accounts to look; None for all that are known.
        """
        for account_id in [self.target.account_id, *(self.others if others is None else others)]:
            client = self.target.client("s3", GLOBAL_REGION, account_id)
            for name, region in Bucket.names(client, self.scope):
                yield account_id, name, region

    def _places(self, others: Sequence[str]) -> list[Place]:
        """Return every place to look in: all regions here, and those of our buckets in other accounts."""
        elsewhere = {(account, region) for account, _, region in self.buckets(others) if account in others}
        here = [("", region) for region in self.regions]
        return [*here, *sorted(elsewhere)]

    def existing(self) -> list[Existing]:
        """List what exists under our name, of every type in every region, in the order of deletion."""
        return list(self._all(self.others))

    def _all(self, others: Sequence[str]) -> Iterator[Existing]:
        places = self._places(others)
        for kind in TYPES:
            for place in _places_of(kind, places):
                yield from self._list(kind, place)

    def of_type(self, kind: type[Resource]) -> list[Existing]:
        """List what exists under our name of one type, in every region.

        Args:
            kind: Its class.
        """
        places = self._places(self.reachable())
        return [item for place in _places_of(kind, places) for item in self._list(kind, place)]

    def table(self) -> pd.DataFrame:
        """Return one row for each thing of our name: pipeline, type, name, region, and who made it.

        Of an account that one does not get into it is printed why; all else is in the table.
        """
        rows = [
            (
                self.scope.pipeline_of(item.found.name),
                item.type.noun,
                item.found.name,
                _shown((item.account_id, item.region)),
                "this runbook" if item.is_ours else "somebody else",
            )
            for item in self._all(self.reachable())
        ]
        rows += [
            (one.pipeline, Bucket.noun, one.name, one.region, "somebody else, and adopted")
            for one in adoption.by_roles(self.target, self.parameters.scope())
            if not self.scope.pipeline or one.pipeline == self.scope.pipeline
        ]
        return pd.DataFrame(rows, columns=["pipeline", "type", "name", "region", "made by"])

    def reachable(self, others: Iterable[str] | None = None) -> list[str]:
        """Return the other accounts that one gets into; of the rest, print why not, once.

        Args:
            others: Which; None for all that are known.
        """
        found = []
        for account_id in self.others if others is None else others:
            try:
                self.target.client("s3", GLOBAL_REGION, account_id)
            except ParameterError as error:
                if account_id not in self._not_reached:
                    print(f"account {account_id} is not looked at: {error}")
                self._not_reached.add(account_id)
            else:
                found.append(account_id)
        return found

    def left_behind(self, described: Container[str]) -> list[Existing]:
        """Return what is ours but not described any more, for instance since a region or an address changed.

        What others have added to a thing of ours, such as a subscription, is not among it; nor what is in an
        account that one does not get into, which is printed.

        Args:
            described: The ARNs of what is described, such as a stack's `resources`.

        Returns:
            In the order of deletion.
        """
        known = self.ledger.entries()
        return [
            item
            for item in self._all(self.reachable())
            if item.is_ours and item.found.arn not in described and not item.type.stays
            if item.found.arn in known or self._has_our_name(item.found.arn.rpartition("#")[2])
        ]

    def _has_our_name(self, text: str) -> bool:
        beginning = self.scope.beginning
        return beginning in text or beginning.replace("-", "_") in text or text == INVOKE_CONFIG

    def destroy(self) -> "Destroyed":
        """Delete what is ours. With mode `plan`, delete nothing.

        Returns:
            How many of each type were deleted, and what Object Lock holds, which stays; none with mode
            `plan`.
        """
        if self.parameters.mode == "plan":
            print("mode is 'plan': nothing was deleted")
            return Destroyed([])
        if not any(
            item.is_ours for item in self._all(self.others)
        ):  # where there is nothing to do no lock is needed
            return Destroyed([])
        with locked(self.target, self.parameters) as lock:
            # What others made until we had the lock is ours to delete, too.
            found = [item for item in self.existing() if item.is_ours]
            ours, held = [item for item in found if item.found.identifier != lock.home.name], {}
            for item in tqdm(ours, desc="Destroy", unit="resource", leave=False, delay=1):
                lock.require()
                try:
                    self.delete(item)
                except LockedError as error:
                    held[item.found.arn] = str(error)
                    continue
                if item.account_id:
                    self.ledger.gone(item.found.arn)
            if not self.scope.pipeline:  # a pipeline alone may come again at once, and need the lock
                lock.leave()
        return Destroyed([item for item in ours if item.found.arn not in held], held.values())

    def delete(self, item: Existing, **options: object) -> None:
        """Delete one thing, whatever else is still being done to it.

        Args:
            item: The thing.
            options: Of its type's `delete`.
        """
        client = self.client(item)
        delete = retry_passing("changing", "busy", sleep=time.sleep)
        delete(item.type.delete, client, item.found.identifier, **options)

    def client(self, item: Existing):
        """Return the client of something's service, in its region and account."""
        return self.target.client(item.type.service, item.region, item.account_id)

    def prove_empty(self, sleep: Callable[[float], None] = time.sleep) -> pd.DataFrame:
        """List every service in every region again, and clear the ledger if nothing of ours is left.

        Args:
            sleep: Waits between two looks, while something is left that AWS may still be deleting.

        Returns:
            One row a type, one column a region: how many of ours exist, which are those alone that Object
            Lock holds, with the lock of the environment. Last how many of somebody else's have a
            name like ours.

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
        entries = self.ledger.entries()
        kept = [(arn, entries[arn]) for arn in self._locked if arn in entries]
        for pipeline in [self.scope.pipeline] if self.scope.pipeline else self.ledger.pipelines():
            self.ledger.forget(pipeline)
        for arn, facts in kept:  # a later destruction has to find it, perhaps in another account
            self.ledger.leave(arn, **{name: facts[name] for name in facts if name not in ("state", "at")})
        for said in self._locked.values():
            print(f"left: {said}. {AGAIN}")
        return pd.DataFrame(rows).fillna("")

    @cached_property
    def _locked(self) -> dict[str, str]:
        """What Object Lock holds of ours: ARNs to what it is, and until when."""
        found = {}
        for account_id, name, region in self.buckets():
            client = self.target.client("s3", region, account_id)
            if has_object_lock(client, name) and first_of(client, name):
                with suppress(RunbookError):  # of what is held for another reason the proof tells
                    found[f"arn:aws:s3:::{name}"] = what_is_locked(client, name)
        return found

    def _count(self) -> tuple[list[dict], list[str]]:
        """Return the rows of the proof, and the names of ours that are left and could go."""
        rows, left, places = [], [], self._places(self.others)
        for kind in TYPES:
            listed = {place: list(self._list(kind, place)) for place in _places_of(kind, places)}
            ours = [item for items in listed.values() for item in items if item.is_ours]
            left += [item.found.name for item in ours if not self._stays(item)]
            counts = {_shown(place): str(sum(e.is_ours for e in items)) for place, items in listed.items()}
            others = sum(not item.is_ours for items in listed.values() for item in items)
            rows.append({"type": kind.noun, **counts, "not ours": others})
        return rows, left

    def _stays(self, item: Existing) -> bool:
        """Return whether something has to stay: Object Lock holds it, or it is the lock of what does."""
        if item.type is not Bucket:
            return False
        is_lock = item.found.name.startswith(replace(self.scope, pipeline=PIPELINE).beginning)
        return item.found.arn in self._locked or (is_lock and bool(self._locked))

    def _list(self, kind: type[Resource], place: Place) -> Iterator[Existing]:
        account_id, region = place
        scope = replace(self.scope, adopted=() if account_id else self.adopted)
        for found in kind.find(self.target.client(kind.service, region, account_id), scope):
            yield Existing(kind, region, found, self._is_ours(found), account_id)

    def _is_ours(self, found: Found) -> bool:
        """Tell by the tags; what lost them, or never got them in a run that was killed, by the ledger."""
        if found.tags is None:
            return True
        if TAG_ENV in found.tags:
            return found.tags[TAG_ENV] == self.scope.env
        return found.arn in self.ledger.entries()


def _places_of(kind: type[Resource], places: list[Place]) -> list[Place]:
    """Return those of the places in which a type of resource is to be looked for."""
    if kind.is_global:
        return [("", GLOBAL_REGION)]
    return [place for place in places if kind.may_be_elsewhere or not place[0]]


def _shown(place: Place) -> str:
    account_id, region = place
    return f"{region} of {account_id}" if account_id else region
