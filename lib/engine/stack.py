"""A pipeline as a whole: its resources described, planned, applied and drawn."""

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError

from lib.base.errors import (
    DescribedTwiceError,
    LeftBehindError,
    NotOursError,
    ProtectedError,
    ReplacementError,
    RunbookError,
    UnfinishedError,
)
from lib.base.retry import retry_passing
from lib.base.waits import Wait, progress
from lib.engine import accounts, adoption, moving, preflight
from lib.engine.description import Description
from lib.engine.inventory import Existing, Inventory
from lib.engine.ledger import Ledger, run_id
from lib.engine.lock import Lock, locked
from lib.engine.plan import PAST, Done, Left, Plan, Step
from lib.engine.rollback import BACK_FROM_A_MOVE, Rollback, rollback, touched
from lib.parameters import Parameters
from lib.resources.base import SOURCE, TAG_ENV, Adopted, Link, Resource, Settings, differences
from lib.resources.iam import Role
from lib.resources.other_account import OtherAccount
from lib.resources.s3 import Bucket, BucketNotification
from lib.resources.s3_freeze import Freeze, freezes_of
from lib.target import Target, protects_data

if TYPE_CHECKING:
    import pandas as pd

AnyResource = TypeVar("AnyResource", bound=Resource)


class Stack:
    """The resources of one pipeline in one environment, in the order in which they depend on each other."""

    def __init__(self, target: Target, parameters: Parameters, pipeline: str):
        """Begin an empty one.

        Args:
            target: The AWS to work on.
            parameters: Whose it is, and what the run is to do: `mode`, `exercise`.
            pipeline: The pipeline's name, such as `migrate`.
        """
        self.target = target
        self.parameters = parameters
        self.scope = replace(parameters.scope(pipeline), protects=protects_data(parameters))
        self.ledger = Ledger.of(parameters)
        self.resources: dict[str, Resource] = {}
        self.unwanted: dict[str, Resource] = {}
        self.staying: dict[str, Resource] = {}
        self._described: dict[str, Description] = {}
        self.is_whole = True
        self.frozen: list[Left] = []

    @property
    def applies(self) -> bool:
        """Whether this run may write: `mode` is not `plan`."""
        return self.parameters.mode != "plan"

    @property
    def exercises(self) -> bool:
        """Whether this run uploads samples and checks what becomes of them: not into what is frozen."""
        return self.applies and self.parameters.exercise and not self.frozen

    @property
    def working_since(self) -> "pd.Timestamp":
        """From when on all of it has worked as it is described, by the ledger; now, if that does not tell.

        Nothing was changed since, and an event has come by each notification.
        """
        import pandas as pd

        entries, times = self.ledger.entries(), []
        for resource in self.resources.values():
            facts = entries.get(resource.arn, {})
            needed = ("at", "heard") if isinstance(resource, BucketNotification) else ("at",)
            if facts.get("state") != "made" or not all(name in facts for name in needed):
                return pd.Timestamp.now("UTC")
            times += [pd.Timestamp(facts[name]) for name in needed]
        return max(times, default=pd.Timestamp.now("UTC"))

    def add(self, resource: AnyResource, wanted: bool = True) -> AnyResource:
        """Describe a resource; nothing is made yet.

        Args:
            resource: Only refers to resources that were added before.
            wanted: Whether it shall exist; if not, it is deleted if it is there.

        Returns:
            The same resource, which now knows its full name and ARN; or, if it is a bucket and the parameters
            name one that is there, that one. If it was described just so before, as when a cell is run again,
            the one that was added then, with what was set on it since.

        Raises:
            ParameterError: If the parameters name a bucket that cannot be adopted.
            DescribedTwiceError: If it was described before, and otherwise.
        """
        resource = self._in_place(resource)
        new = Description.of(resource, wanted)
        before = self._described.setdefault(resource.arn, new)
        if differing := before.differing(new):
            raise DescribedTwiceError(
                f"{resource} is described twice in {self.scope.pipeline}, but not alike: "
                f"{'; '.join(differing)}. For a second one give it another name than {resource.what!r}. To "
                "describe this one otherwise, run the notebook again from the cell that makes the stack, or "
                "use stack.replace"
            )
        described = (self.resources if wanted else self.unwanted).setdefault(resource.arn, resource)
        return cast(AnyResource, described)

    def _in_place(self, resource: AnyResource) -> AnyResource:
        """Return a resource of this scope, or the bucket that is adopted in its place."""
        resource.scope = self.scope
        if isinstance(resource, Bucket) and resource.is_made and resource.is_elsewhere:
            self.client(resource)  # here it shows whether one gets in there
        adopted = self.scope.adoption(resource.what) if isinstance(resource, Bucket) else None
        if adopted and resource.is_made:
            found = adoption.adopt(self.target, self.scope, cast(Bucket, resource), adopted)
            return cast(AnyResource, found)
        return resource

    def replace(self, resource: AnyResource, wanted: bool = True) -> AnyResource:
        """Describe a resource otherwise than before.

        Args:
            resource: As for `add`; those that were added stay as they are, and may refer to the old one.
            wanted: As for `add`.

        Returns:
            The same resource.
        """
        resource.scope = self.scope
        here, elsewhere = (self.resources, self.unwanted) if wanted else (self.unwanted, self.resources)
        here[resource.arn] = resource
        elsewhere.pop(resource.arn, None)
        self._described[resource.arn] = Description.of(resource, wanted)
        return resource

    def _let_guests_in(self) -> None:
        """Have the buckets that live in another account let in the roles that are to work there."""
        roles = [one for one in self.resources.values() if isinstance(one, Role)]
        for one in self.resources.values():
            if isinstance(one, Bucket) and one.is_made:
                one.guests = roles if one.is_elsewhere else []

    def keep(self, resource: AnyResource) -> AnyResource:
        """Describe a resource that is not made, but stays if it is there, with what is in it.

        Args:
            resource: As for `add`.
        """
        resource.scope = self.scope
        self.staying[resource.arn] = resource
        return resource

    def plan(self) -> Plan:
        """Compare every resource with what exists, after the preflight, and find what is left. Reads only.

        Raises:
            ParameterError: If a waiver is of no warning that there is.
            PreflightError: If AWS would refuse the stack as it is described, or a rule of one's own does;
                lists all reasons.
            NotOursError: If something exists under our name that this runbook did not make.
        """
        self.ledger.begin(run_id(), self.parameters.mode)
        self._let_guests_in()
        warned = preflight.require(self)
        ledger = self.ledger.entries()
        # What is not wanted goes backwards, as in destroy: first what needs the others.
        unwanted = [self._step(one, ledger, wanted=False) for one in reversed(self.unwanted.values())]
        described = progress("Plan", [*self.resources.values()], unit="resource")
        steps = [self._step(resource, ledger) for resource in described]
        self.frozen = [*self._frozen()]
        items = self._left(steps)
        superseded = [self._superseded(item) for item in items]
        old = [self._step(one, ledger, wanted=False) for one in superseded if one]
        rest = [item for item, one in zip(items, superseded, strict=True) if not one]
        left = [*self.frozen, *moving.rows(rest, ledger)]
        left += [key for step in steps for key in moving.left_key(self.target, step.resource, step.found)]
        steps = [*(step for step in (*old, *unwanted) if step.found is not None), *steps]
        return Plan(steps, left, [*warned, *preflight.require_own(self, steps, left)])

    def _frozen(self) -> Iterator[Left]:
        """Yield the freezes of the buckets that the pipeline reads, whichever environment's they are."""
        for one in self.resources.values():
            if isinstance(one, Bucket) and SOURCE in one.role.split("+"):
                for name in freezes_of(self.client(one), one.name):
                    why = f"{one.name} is frozen: {Freeze.stays}"
                    yield Left(Freeze.noun, name, one.region, why, is_accepted=True)

    def _superseded(self, item: Existing) -> Resource | None:
        """Describe what is simply deleted once nothing describes it; None of all else."""
        found = item.type.superseded(item.found, {**self.unwanted, **self.resources})
        if found:
            found.scope = self.scope
        return found

    def _left(self, steps: Iterable[Step] = ()) -> list[Existing]:
        """Return what is there of the pipeline and described no more; of a part of it, nobody can say."""
        described = self.resources.keys() | self.unwanted.keys() | self.staying.keys()
        roles = [step.found or {} for step in steps if isinstance(step.resource, Role)]
        texts = [found.get("description", "") for found in roles]
        adopted = [one.arn for text in texts for one in Adopted.described(self.scope.pipeline, text)]
        if not self.is_whole:
            return []
        others = [one for text in texts for one in OtherAccount.described(self.scope.pipeline, text)]
        return moving.left_of(self.target, self.parameters, self.scope, described, adopted, others)

    def apply(self, sleep: Callable[[float], None] = time.sleep) -> Plan:
        """Create what is missing, change what differs, delete what is not wanted. Mode `plan` writes nothing.

        Whoever applies holds the environment's lock meanwhile. Mode `move` also leaves in order what is
        described no more: docs/decisions/0014-a-move-keeps-what-holds-data.md.

        Args:
            sleep: Waits between two looks, in a move.

        Returns:
            What was done; for mode `plan` what would be.

        Raises:
            PreflightError: As for `plan`.
            LeftBehindError: If something is described no more, and the mode is not `move`.
            ReplacementError: If what differs cannot be changed while the resource lives.
            LockError: If somebody else works on the environment.
            UnfinishedError: If AWS refused something; says where it stands, and how to go on or go back.
        """
        plan = self.plan()
        if not self.applies:
            print("mode is 'plan': nothing was written")
            return plan
        for one in self.frozen:
            print(f"{one.why}. Nothing is tried out on it")
        moves = self.parameters.mode == "move" and plan.left_behind
        if plan.left_behind and not moves:
            raise LeftBehindError(moving.refusal(self.parameters, self.scope.pipeline, plan.left_behind))
        if fixed := [step for step in plan if step.unchangeable]:
            raise ReplacementError(moving.replacement(self.scope.pipeline, fixed))
        self.ledger.confirm(step.resource.arn for step in plan if step.action == "unchanged")
        todo = [step for step in plan if step.action != "unchanged"]
        if todo or moves:
            with locked(self.target, self.parameters) as lock:
                self._take_all(self._move(todo, lock, sleep) if moves else todo, lock)
        left = plan.left
        if moves:
            left = [*self.frozen, *moving.rows(self._left(), self.ledger.entries())]
            print(f"moved: {len(plan.left) - len(left)} removed where they were, {len(left)} kept there")
        return Done(plan, left, plan.warned)

    def _move(self, todo: list[Step], lock: Lock, sleep: Callable[[float], None]) -> list[Step]:
        """Leave the old place, so that events always have somewhere to go; returns the steps that remain."""
        first = [step for step in todo if step.action == "create" and step.resource.receives]
        self._take_all(first, lock)
        inventory = Inventory(self.target, self.parameters)
        moving.close(inventory, self._left(), lock, sleep)
        moving.accept(inventory, self._left(), self.scope.pipeline)
        return [step for step in todo if step not in first]

    def rollback(self) -> Rollback:
        """Delete what this run created of this pipeline, and only that; what is kept or changed is named."""
        return rollback(self.target, self.parameters, run_id(), self.scope.pipeline)

    def record_outputs(self, **resources: Resource) -> "pd.DataFrame":
        """Write down what others want to know of the pipeline, for `runbook output`.

        Args:
            resources: Names to resources, such as `source_bucket=source`.

        Returns:
            Names and values as a table.
        """
        import pandas as pd

        outputs = {name: resource.output(self.client(resource)) for name, resource in resources.items()}
        self.ledger.record_outputs(self.scope.pipeline, outputs)
        return pd.DataFrame(outputs.items(), columns=["output", "value"])

    def client(self, resource: Resource):
        """Return the boto3 client that a resource is read and written with."""
        return self.target.client_of(resource)

    def links(self) -> list[Link]:
        """Return the arrows between those resources that really exist, read from the account."""
        found = [(resource, resource.read(self.client(resource))) for resource in self.resources.values()]
        return [
            link for resource, settings in found if settings is not None for link in resource.links(settings)
        ]

    def not_ours(self) -> list[Step]:
        """Return what exists under our names, but was made by somebody else, and how it differs. Reads only.

        Raises:
            NotOursError: If the runbook made it, but for another environment or pipeline.
        """
        ledger = self.ledger.entries()
        found = [(each, each.read(self.client(each))) for each in self.resources.values()]
        theirs = [(each, it) for each, it in found if it is not None and not self._is_ours(each, it, ledger)]
        for each, it in theirs:
            if it["tags"].get(TAG_ENV):
                raise NotOursError(
                    f"{each} has the tags {it['tags']}: it is of another environment's runbook"
                )
        return [Step(each, it, differences(it, each.desired())) for each, it in theirs]

    def adopt(self) -> list[Step]:
        """Take over what exists under our names, by our tags: from now on it is changed, and destroyed.

        Nothing else of it is changed here, and no rollback deletes it, since no run of ours has created it.

        Returns:
            What was taken over, and how it differs from what is described; the next run changes that.

        Raises:
            NotOursError: As for `not_ours`.
            LockError: If somebody else works on the environment.
        """
        with locked(self.target, self.parameters) as lock:
            steps = self.not_ours()
            for step in steps:
                lock.require()
                self.ledger.intend(step.resource.arn, **self._facts(step.resource), changed_by=run_id())
                tags = {"tags": step.resource.desired()["tags"]}
                retry_passing(sleep=time.sleep)(step.resource.update, self.client(step.resource), tags)
                self.ledger.made(step.resource.arn)
        return steps

    def _is_ours(self, resource: Resource, found: Settings, ledger: Container[str]) -> bool:
        """Tell by the tags whose it is; what it is to the pipeline may be older than its tag for that."""
        if not resource.taggable or resource.arn in ledger:
            return True
        return self.scope.tags.items() <= found["tags"].items()

    def _step(self, resource: Resource, ledger: dict, wanted: bool = True) -> Step:
        found = resource.read(self.client(resource))
        if found is not None and not self._is_ours(resource, found, ledger):
            raise NotOursError(
                f"{resource.noun} {resource.name} in {resource.region} exists, but with the tags "
                f"{found['tags']} instead of {self.scope.tags}: this runbook did not make it. Choose another "
                f"prefix or env, or remove it; or, if it shall be ours, `runbook adopt "
                f"{self.scope.pipeline}`"
            )
        changes = differences(found, resource.desired())
        lines: Iterable[str] = ()
        if wanted and found is not None and changes and not self.applies:  # whoever plans, reviews
            lines = resource.difference(self.client(resource), found, changes)
        return Step(resource, found, changes, wanted, tuple(lines))

    def _facts(self, resource: Resource) -> dict[str, Any]:
        """Return what the ledger keeps of a resource."""
        facts = {"noun": resource.noun, "name": resource.name, "region": resource.region}
        facts |= accounts.facts(self.target, resource.account_id)
        return {"pipeline": self.scope.pipeline, "needs": resource.needs, **facts}

    def _take_all(self, steps: list[Step], lock: Lock) -> None:
        """Take steps in order; if one cannot be taken, say where it stands."""
        with Wait("Apply", total=len(steps), unit="resource") as wait:
            for number, step in enumerate(wait.each(steps)):
                wait.say(f"{step.action} {step.resource}")
                lock.require()
                try:
                    self._take(step)
                except KeyboardInterrupt:
                    print(self._standing(steps, number))
                    raise
                except (ClientError, BotoCoreError, RunbookError) as error:
                    raise UnfinishedError(f"{error}\n{self._standing(steps, number)}") from error

    def _standing(self, steps: list[Step], number: int) -> str:
        """Say what was done, what was not, and what can be done now."""
        step, pipeline = steps[number], self.scope.pipeline
        created = len(touched(self.ledger, "run", run_id(), pipeline))
        back = "there is nothing to take back, since this run created nothing"
        if created and self.parameters.mode == "move":
            back = BACK_FROM_A_MOVE
        elif created:
            back = (
                f"`runbook rollback --run {run_id()}`, or stack.rollback(), removes the {created} that this "
                "run created or was about to, and no store that holds anything of others"
            )
        done = Counter(PAST[step.action] for step in steps[:number])
        counts = ", ".join(f"{count} {word}" for word, count in done.items()) or "nothing done"
        return (
            f"{pipeline} stopped at step {number + 1} of {len(steps)}, to {step.action} {step.resource}: "
            f"{counts} before it, {len(steps) - number - 1} not begun. `runbook status` lists what exists. "
            f"To go on: run it again. To go back: {back}"
        )

    def _take(self, step: Step) -> None:
        resource, client = step.resource, self.client(step.resource)
        if step.action == "delete":
            for found in [f for f in resource.find(client, self.scope) if f.arn == resource.arn]:
                if why := resource.protection(client, found, by_us=self.scope.protects):
                    raise ProtectedError(f"{resource} is protected from deletion: {why}")
                patiently = retry_passing("changing", "busy", sleep=time.sleep)
                if not self.scope.protects:
                    patiently(resource.unprotect, client, found)
                patiently(resource.delete, client, found.identifier)
            self.ledger.gone(resource.arn)
            return
        how = "run" if step.action == "create" else "changed_by"
        self.ledger.intend(resource.arn, **self._facts(resource), **{how: run_id()})
        retry_passing(sleep=time.sleep)(resource.make, client)
        self.ledger.made(resource.arn)
