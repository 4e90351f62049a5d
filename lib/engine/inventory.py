"""The inventory: what the runbook made, found again, deleted in reverse order, and proven to be gone."""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from lib.base import retry
from lib.base.errors import LockedError, ParameterError, ProtectedError, RunbookError
from lib.base.retry import retry_passing, seen_last, wait_until
from lib.base.told import COUNTS, named
from lib.base.waits import Wait, progress
from lib.engine import accounts, adoption
from lib.engine.holdings import Held, holding
from lib.engine.ledger import Ledger
from lib.engine.lock import PIPELINE, locked
from lib.engine.regions import Regions, remembered
from lib.engine.role_descriptions import Told, by_roles
from lib.parameters import Parameters
from lib.resources.base import TAG_ENV, Adopted, Found, Resource
from lib.resources.registry import types
from lib.resources.s3 import Bucket, first_of, has_object_lock, what_is_locked
from lib.target import Target, protects_data

if TYPE_CHECKING:
    import pandas as pd

TYPES = types()  # in the order of deletion
# A deleted queue may be told of for 60 s: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
DELETION_S, DELETION_POLL_S = 90, 5
# Lists may not tell of what was made just now (docs/lag.md): it is looked for, by the ledger, for so long.
LISTED_S = 30
AGAIN = "Destroy it again when that is over; until then it is paid for"
Place = tuple[str, str]  # an account, empty for the environment's own, and a region
NOT_SEEN = "not looked at"
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
    """What was deleted, or would be, shown as how many of each type.

    Attributes:
        locked: What had to stay, and until when: Object Lock holds it.
        held: What was in it: how many objects, bytes, items and messages.
        would: Whether nothing was deleted, and this only says what would be.
    """

    def __init__(
        self,
        items: Iterable[Existing] = (),
        locked: Iterable[str] = (),
        held: dict[str, Held] | None = None,
        would: bool = False,
    ):
        """Begin with these.

        Args:
            items: What was deleted.
            locked: What had to stay.
            held: What was in it, by ARN.
            would: Whether it only would be.
        """
        super().__init__(items)
        self.locked, self.held, self.would = list(locked), held or {}, would

    def __repr__(self) -> str:
        lines = [f"{count} × {noun}" for noun, count in Counter(item.type.noun for item in self).items()]
        return "\n".join([*lines, self.summary, *self._notes])

    @property
    def summary(self) -> str:
        """How much it is, and what was in it, in a few words."""
        left = f", {len(self.locked)} left, which Object Lock holds" if self.locked else ""
        held = f", with {total}" if (total := sum(self.held.values(), Held())) else ""
        return f"{len(self)} {'to delete' if self.would else 'deleted'}{held}{left}"

    @property
    def _notes(self) -> list[str]:
        return [f"left: {one}. {AGAIN}" for one in self.locked]

    def table(self) -> "pd.DataFrame":
        """Return one row each, in the order of deletion: action, type, name, region, why."""
        import pandas as pd

        action = "delete" if self.would else "deleted"
        return pd.DataFrame(
            [
                (
                    action,
                    one.type.noun,
                    one.found.name,
                    _shown((one.account_id, one.region)),
                    self._holds(one),
                )
                for one in self
            ],
            columns=["action", "type", "name", "region", "why"],
        )

    def holding(self) -> "pd.DataFrame":
        """Return one row for each of them that holds anything: type, name, region, and how much."""
        table = self.table().rename(columns={"why": "holds"}).drop(columns="action")
        holds = table["holds"].str.removeprefix("holds ")
        return table.assign(holds=holds)[holds != ""]

    def _holds(self, item: Existing) -> str:
        return f"holds {held}" if (held := self.held.get(item.found.arn)) else ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        told: dict[str, object] = {"summary": self.summary, "notes": self._notes}
        if self.would:
            told |= {"counts": {"to delete": len(self)}, "table": self.table().to_dict("split", index=False)}
        return {"text/plain": repr(self), COUNTS: told}


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
        self.protects = protects_data(parameters)
        self.ledger = Ledger.of(parameters)
        self._not_reached: set[str] = set()
        self._keeps_data = False
        self._kept: set[str] = set()  # of ours, which a destruction leaves where it is
        self._records: list[str] = []  # the bucket that keeps the records of runs, if it is one of its own
        self._regions = Regions(target, parameters.scope())

    @cached_property
    def adopted(self) -> tuple[Adopted, ...]:
        """The buckets to which something of the environment may be attached, as the first look found them.

        A destruction takes the roles away that tell of them; whether nothing is left there is asked after it.
        """
        return adoption.known(self.parameters, self._told_by_roles.adopted)

    @cached_property
    def others(self) -> list[str]:
        """The other accounts in which something may live, as the first look found them: as for `adopted`."""
        told = self._told_by_roles.others
        return accounts.known(self.target, self.parameters, self.scope.pipeline, told)

    @cached_property
    def _told_by_roles(self) -> Told:
        return by_roles(self.target, self.parameters.scope())

    def regions(self, target: Target | None = None) -> list[str]:
        """Return every region to look in: those of the parameters, of the ledger, and of all our buckets.

        A ledger may be lost, but a pipeline has a bucket in each of its regions, and S3 lists those of all.

        Args:
            target: Whom to ask; None for the inventory's.
        """
        home = self.target.home_region
        buckets = Bucket.regions((target or self.target).client("s3", home), self.scope)
        adopted = {one.region for one in self.adopted}
        named = {*self.parameters.regions, *remembered(self.ledger)}
        return sorted({home, *named, *buckets, *adopted})

    def buckets(
        self, others: Iterable[str] | None = None, target: Target | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """Yield the buckets of our name: account, name and region.

        Args:
            others: In which other accounts to look; None for all that are known.
            target: Whom to ask; None for the inventory's.
        """
        for account_id in [self.target.account_id, *(self.others if others is None else others)]:
            client = (target or self.target).client("s3", self.target.home_region, account_id)
            for name, region in Bucket.names(client, self.scope):
                yield account_id, name, region

    def _places(self, others: Sequence[str], look: Target) -> list[Place]:
        """Return every place to look in: all regions here, and those of our buckets in other accounts."""
        found = self.buckets(others, look)
        elsewhere = {(account, region) for account, _, region in found if account in others}
        here = [("", region) for region in self.regions(look)]
        return [*here, *sorted(elsewhere)]

    def existing(self) -> list[Existing]:
        """List what exists under our name, of every type in every region, in the order of deletion."""
        return list(self._all(self.others))

    def ours(self) -> list[Existing]:
        """List what is ours and exists, as `existing`, once lists tell of what was made just now, too."""

        def is_whole(found: list[Existing]) -> bool:
            return self.new("made") <= {item.found.arn for item in found}

        return wait_until(
            lambda: [item for item in self.existing() if item.is_ours],
            is_whole,
            LISTED_S,
            retry.WAIT_S,
            time.sleep,
            what="lists that tell of what was made just now",
        )

    def new(self, state: str) -> set[str]:
        """Return the ARNs of what is so new that lists may not tell of it yet.

        Args:
            state: `made`, or `intended` for what a run has set out to make and may have made.
        """
        now, scope = datetime.now(UTC), self.scope.pipeline
        return {
            arn
            for arn, facts in self.ledger.entries().items()
            if facts["state"] == state and (not scope or facts["pipeline"] == scope)
            if (now - datetime.fromisoformat(facts["at"])).total_seconds() < LISTED_S
        }

    def _all(self, others: Sequence[str]) -> Iterator[Existing]:
        look = self.target.for_one_look()
        places = self._places(others, look)
        looks = [(kind, place) for kind in TYPES for place in self._places_of(kind, places)]
        for kind, place in progress("Look what exists", looks, unit="list"):
            yield from self._list(kind, place, look)

    def of_type(self, kind: type[Resource]) -> list[Existing]:
        """List what exists under our name of one type, in every region.

        Args:
            kind: Its class.
        """
        look = self.target.for_one_look()
        places = self._places(self.reachable(), look)
        return [item for place in self._places_of(kind, places) for item in self._list(kind, place, look)]

    def table(self) -> "pd.DataFrame":
        """Return one row for each thing of our name: pipeline, type, name, region, and who made it.

        Of an account that one does not get into it is printed why; all else is in the table.
        """
        import pandas as pd

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
            for one in by_roles(self.target, self.parameters.scope()).adopted
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
                self.target.client("s3", self.target.home_region, account_id)
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
        if "@" in text:  # a mailbox, which we have not named
            return False
        beginning = self.scope.beginning
        return beginning in text or beginning.replace("-", "_") in text or text == INVOKE_CONFIG

    def going(self, keep_data: bool = False) -> "Destroyed":
        """Return what a destruction would delete, and what is in it. Reads only.

        Args:
            keep_data: As for `destroy`.
        """
        ours = [item for item in self.existing() if item.is_ours and not self._is_of_runs(item)]
        return self._with_contents(_going(ours, keep_data), would=True)

    def _with_contents(self, items: list[Existing], would: bool = False) -> "Destroyed":
        counted = ((one.found.arn, holding(self.client(one), one.type, one.found)) for one in items)
        return Destroyed(items, held={arn: held for arn, held in counted if held}, would=would)

    def protected(self, items: Iterable[Existing]) -> dict[str, str]:
        """Return which of these are protected from deletion: what each is, to why. Reads only.

        Where the parameters say that data is not protected, only what was protected by hand is.

        Args:
            items: As `existing` gives them.
        """
        reasons = (
            (item, item.type.protection(self.client(item), item.found, by_us=self.protects)) for item in items
        )
        return {named(item.type.noun, item.found.name, item.region): why for item, why in reasons if why}

    def _require_unprotected(self, items: Iterable[Existing]) -> None:
        if protected := self.protected(items):
            each = "; ".join(f"{what}: {why}" for what, why in protected.items())
            raise ProtectedError(f"{len(protected)} are protected from deletion; nothing was deleted: {each}")

    def destroy(self, keep_data: bool = False) -> "Destroyed":
        """Delete what is ours. With mode `plan`, delete nothing.

        Args:
            keep_data: Whether buckets and tables stay, with all that is in them.

        Returns:
            How many of each type were deleted, with how much in them, and what Object Lock holds, which
            stays; with mode `plan` what would be deleted.

        Raises:
            ProtectedError: If something is protected from deletion; nothing was deleted then.
        """
        if self.parameters.mode == "plan":
            print("mode is 'plan': nothing was deleted")
            return self.going(keep_data)
        listed = self._all(self.others)
        if not self.new("made") and not any(item.is_ours and not self._is_records(item) for item in listed):
            return Destroyed([])  # where there is nothing to do no lock is needed
        with locked(self.target, self.parameters) as lock:
            # What others made until we had the lock is ours to delete, too.
            found = self.ours()
            found = [item for item in found if item.found.identifier != lock.home.name]
            ours, held = [item for item in found if not self._is_records(item)], {}
            ours = _going(ours, keep_data)
            self._require_unprotected(ours)
            contents = self._with_contents(ours).held
            if not self.scope.pipeline:  # all may go, also a bucket of records that shall be kept no more
                lock.records.keep_all()
            self.ledger.doubt(item.found.arn for item in ours)
            with Wait("Destroy", total=len(ours), unit="resource") as wait:
                for item in wait.each(ours):
                    wait.say(f"{item.type.noun} {item.found.name}")
                    lock.require()
                    if not self.protects:
                        self.unprotect(item)
                    try:
                        self.delete(item)
                    except LockedError as error:
                        held[item.found.arn] = str(error)
                        continue
                    lock.tell_deleted(item.type.noun, item.found.name, item.region)
                    if item.account_id:
                        self.ledger.gone(item.found.arn)
            if not self.scope.pipeline:  # a pipeline alone may come again at once, and need the lock
                lock.leave()
        gone = [item for item in ours if item.found.arn not in held]
        contents = {arn: each for arn, each in contents.items() if arn not in held}
        return Destroyed(gone, held.values(), contents)

    def unprotect(self, item: Existing) -> None:
        """Take off what protects one thing, if that is by us.

        Args:
            item: The thing.
        """
        retry_passing("changing", "busy", sleep=time.sleep)(
            item.type.unprotect, self.client(item), item.found
        )

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

    def prove_empty(
        self, sleep: Callable[[float], None] = time.sleep, keep_data: bool = False
    ) -> "pd.DataFrame":
        """List every service in every region again, and clear the ledger if nothing of ours is left.

        Args:
            keep_data: As for `destroy`.
            sleep: Waits between two looks, while something is left that AWS may still be deleting.

        Returns:
            One row a type, one column a region: how many of ours exist, which are those alone that Object
            Lock holds, with the lock of the environment; or that nobody may look there. Last how
            many of somebody else's have a name like ours.

        Raises:
            RunbookError: If something of ours is left.
        """
        import pandas as pd

        self._keeps_data = keep_data
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
        kept = [(arn, entries[arn]) for arn in self._kept if arn in entries]
        for pipeline in [self.scope.pipeline] if self.scope.pipeline else self.ledger.pipelines():
            self.ledger.forget(pipeline)
        for arn, facts in kept:  # a later destruction has to find it, perhaps in another account
            self.ledger.leave(arn, **{name: facts[name] for name in facts if name not in ("state", "at")})
        for said in self._locked.values():
            print(f"left: {said}. {AGAIN}")
        for name in self._records:
            print(
                f"kept: {name} has the records of runs, by record_lock_days; a destruction with 0 deletes it "
                "as soon as nothing in it is locked any more"
            )
        for region, why in self._regions.closed.items():
            print(f"{region}: {NOT_SEEN}, so that nothing is proven of it ({why}). {self._regions.reason}")
        return pd.DataFrame(rows).fillna("")

    @cached_property
    def _locked(self) -> dict[str, str]:
        """What Object Lock holds of ours: ARNs to what it is, and until when."""
        found = {}
        for account_id, name, region in self.buckets():
            if self._keeps_records(name):
                continue
            client = self.target.client("s3", region, account_id)
            if has_object_lock(client, name) and first_of(client, name):
                with suppress(RunbookError):  # of what is held for another reason the proof tells
                    found[f"arn:aws:s3:::{name}"] = what_is_locked(client, name)
        return found

    def _count(self) -> tuple[list[dict], list[str]]:
        """Return the rows of the proof, and the names of ours that are left and could go."""
        look = self.target.for_one_look()
        rows, left, places = [], [], self._places(self.others, look)
        self._kept, self._records = set(self._locked), []
        for kind in TYPES:
            seen = {place: self._seen(kind, place, look) for place in self._places_of(kind, places)}
            listed = [item for items in seen.values() for item in items or []]
            staying = {item.found.arn for item in listed if item.is_ours and self._stays(item)}
            self._kept |= staying
            self._records += [item.found.name for item in listed if item.is_ours and self._is_records(item)]
            left += [item.found.name for item in listed if item.is_ours and item.found.arn not in staying]
            counts = {_shown(place): _count_of_ours(items) for place, items in seen.items()}
            others = sum(not item.is_ours for item in listed)
            rows.append({"type": kind.noun, **counts, "not ours": others})
        return rows, left

    def _stays(self, item: Existing) -> bool:
        """Return whether something has to stay: Object Lock holds it, or it is the lock of what stays."""
        if self._keeps_data and item.type.holds_data:
            return True
        if item.found.arn in self._locked or self._is_records(item):
            return True
        return bool(self._locked) and self._is_of_runs(item)

    def _is_of_runs(self, item: Existing) -> bool:
        """Return whether it is the home of the environment's lock, or keeps the records of runs and stays."""
        lock = f"{replace(self.scope, pipeline=PIPELINE).beginning}lock-"
        return self._is_records(item) or (item.type is Bucket and item.found.name.startswith(lock))

    def _is_records(self, item: Existing) -> bool:
        """Return whether it keeps the records of runs, and stays by `record_lock_days`."""
        return item.type is Bucket and self._keeps_records(item.found.name)

    def _keeps_records(self, bucket: str) -> bool:
        records = f"{replace(self.scope, pipeline=PIPELINE).beginning}records-"
        return bool(self.parameters.record_lock_days) and bucket.startswith(records)

    def _places_of(self, kind: type[Resource], places: list[Place]) -> list[Place]:
        """Return those of the places in which a type of resource is to be looked for."""
        if kind.is_global:
            return [("", kind.asked_in or self.target.home_region)]
        return [place for place in places if kind.may_be_elsewhere or not place[0]]

    def _list(self, kind: type[Resource], place: Place, look: Target) -> list[Existing]:
        return self._seen(kind, place, look) or []

    def _seen(self, kind: type[Resource], place: Place, look: Target) -> list[Existing] | None:
        """Return what there is of a type in a place; None if nobody may look into that."""
        account_id, region = place
        scope = replace(self.scope, adopted=() if account_id else self.adopted)
        client = look.client(kind.service, region, account_id)

        def find() -> list[Existing]:
            listed = kind.find(client, scope)
            return [Existing(kind, region, found, self._is_ours(found), account_id) for found in listed]

        return find() if account_id or kind.is_global else self._regions.look(region, find)

    def _is_ours(self, found: Found) -> bool:
        """Tell by the tags; what lost them, or never got them in a run that was killed, by the ledger."""
        if found.tags is None:
            return True
        if TAG_ENV in found.tags:
            return found.tags[TAG_ENV] == self.scope.env
        return found.arn in self.ledger.entries()


def _going(items: Iterable[Existing], keep_data: bool) -> list[Existing]:
    return [item for item in items if not (keep_data and item.type.holds_data)]


def _count_of_ours(items: list[Existing] | None) -> str:
    return NOT_SEEN if items is None else str(sum(item.is_ours for item in items))


def _shown(place: Place) -> str:
    account_id, region = place
    return f"{region} of {account_id}" if account_id else region
