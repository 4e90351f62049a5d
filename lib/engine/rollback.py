"""Going back: what one run created is deleted, and only that; what holds anything of others is kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lib.base import frames
from lib.base.errors import LockError, RunbookError, UnfinishedError
from lib.base.shown import counted
from lib.engine.contents import Contents
from lib.engine.inventory import Destroyed, Existing, Inventory
from lib.engine.ledger import Ledger
from lib.engine.lock import PIPELINE, Lock, locked
from lib.parameters import Parameters
from lib.resources.base import TAG_ENV
from lib.resources.s3 import Bucket
from lib.target import Target

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "nothing to take back: run {run} created nothing that is still there"
BACK_FROM_A_MOVE = (
    "put the parameters back as they were, and run with --mode move: a rollback would not bring back what it "
    "has removed where things were, and events would have nowhere to go"
)
WAY_ON = (
    "Kept, each for its reason. To go on with them: `runbook run` makes again what they lack. To remove them "
    "too, with all that is in them: `runbook destroy`"
)


@dataclass(frozen=True)
class Rollback:
    """What a rollback did.

    Attributes:
        run: The run that it took back.
        deleted: What the run had created.
        kept: What it had created, too, and why it was not deleted: type, name, region, why.
        changed: What it had changed: type, name, region. That stays changed; the next run sets it anew.
    """

    run: str
    deleted: Destroyed
    kept: "pd.DataFrame"
    changed: "pd.DataFrame"

    def __repr__(self) -> str:
        is_nothing = not self.deleted and self.kept.empty
        parts = [NOTHING.format(run=self.run) if is_nothing else repr(self.deleted)]
        if len(self.kept):
            parts += ["kept:", frames.text(self.kept), WAY_ON]
        if len(self.changed):
            parts += ["changed by that run, and left so:", frames.text(self.changed)]
        return "\n".join(parts)


def rollback(target: Target, parameters: Parameters, run: str, pipeline: str = "") -> Rollback:
    """Delete what a run created, but no store that holds anything that the run did not put there.

    Such a store is kept with all that it needs; so is what cannot be deleted now. The rest is deleted.

    Args:
        target: The AWS to work on.
        parameters: Whose run: `account_id`, `prefix` and `env`; those of pipelines say what is the run's own.
        run: The run's id, as the ledger has it.
        pipeline: Only this one's; empty for all.

    Returns:
        What was deleted, what was kept, and what the run had only changed.

    Raises:
        RunbookError: If the run was a move; says how to go back.
        LockError: If somebody else works on the environment.
        UnfinishedError: If AWS refused to delete something; all else was done.
    """
    ledger = Ledger.of(parameters)
    require_no_move(ledger, run)
    created = touched(ledger, "run", run, pipeline)
    changed = touched(ledger, "changed_by", run, pipeline)
    changed = _table([{**facts} for arn, facts in changed.items() if arn not in created])
    if not created:
        return Rollback(run, Destroyed([]), _table([], "why"), changed)
    with locked(target, parameters, is_run=False) as lock:
        going = judge(target, parameters, run, pipeline)
        refused = going.carry_out(lock)
    done = Rollback(run, Destroyed(going.deleted), going.table(), changed)
    if refused:
        raise UnfinishedError(f"{done!r}\n{refused} could not be deleted: run the rollback again")
    return done


@dataclass
class Going:
    """What is about to be taken back.

    Attributes:
        inventory: What the environment has.
        ledger: What runs have written down.
        contents: Of the stores that the run created.
        entries: What the ledger knows, ARN to facts.
        created: Those of them that the run created.
        kept: Why something is not deleted, by its ARN.
        deleted: What was deleted so far.
    """

    inventory: Inventory
    ledger: Ledger
    contents: Contents
    entries: dict[str, dict]
    created: dict[str, dict]
    kept: dict[str, str] = field(default_factory=dict)
    deleted: list[Existing] = field(default_factory=list)

    @property
    def going(self) -> list[Existing]:
        """What is to be deleted, in an order that works."""
        return [item for item in self.contents.items if item.found.arn not in self.kept]

    def table(self) -> "pd.DataFrame":
        """Return what is kept: type, name, region, why."""
        return _table([{**self.created[arn], "why": why} for arn, why in self.kept.items()], "why")

    def decide(self, run: str) -> None:
        """Find what has to be kept, and what that needs."""
        for item in self.contents.items:
            if why := self._why_kept(item):
                self.kept[item.found.arn] = why
        self._keep_what_later_runs_need(run)
        self._keep_needs()
        kept_in = {self.created[item.found.arn]["pipeline"] for item in self._kept_items(Bucket)}
        for item in self.going:
            if self.created[item.found.arn]["pipeline"] in kept_in and (n := self.contents.messages(item)):
                self.kept[item.found.arn] = (
                    f"about {counted(n, 'message')} in it, perhaps of objects that are kept"
                )
        self._keep_needs()

    def carry_out(self, lock: Lock) -> int:
        """Delete what goes; return how much of it AWS refused to delete, which is kept and named."""
        refused, buckets_again = 0, True
        for item in self.going:
            lock.require()
            if item.type is Bucket and buckets_again:  # nothing that writes into them is left
                self._look_into_buckets()
                buckets_again = False
            try:
                why = self._delete(item)
            except LockError:
                raise
            except (ClientError, BotoCoreError, RunbookError) as error:
                why, refused = f"it was not deleted: {error}", refused + 1
            if why:
                self.kept[item.found.arn] = why
                self._keep_needs()
            else:
                self.deleted.append(item)
                self.ledger.gone(item.found.arn)
        self._write_down()
        return refused

    def _delete(self, item: Existing) -> str:
        """Delete it, unless it is to be kept after all; returns why then."""
        if item.found.arn in self.kept:  # what was kept a moment ago needs it
            return self.kept[item.found.arn]
        if item.type is Bucket:  # what others put meanwhile is seen as it is deleted
            self.inventory.delete(item, only=self.contents.passed[item.found.arn])
            return ""
        if why := self.contents.foreign(item):  # what others put meanwhile
            return why
        self.inventory.unprotect(item)  # as the run itself has protected it
        self.inventory.delete(item)
        return ""

    def _look_into_buckets(self) -> None:
        """Find what others put meanwhile, in all buckets before the first is gone: copies are compared."""
        for item in [item for item in self.going if item.type is Bucket]:
            if why := self.contents.foreign(item):
                self.kept[item.found.arn] = why

    def _why_kept(self, item: Existing) -> str:
        facts, tags = self.created[item.found.arn], item.found.tags
        if tags is not None and TAG_ENV not in tags and facts["state"] == "made":
            return "its tags are gone: it may be somebody else's by now"
        parts = (
            other for arn, other in self.ledger.entries().items() if arn.startswith(f"{item.found.arn}#")
        )
        for part in parts:
            if part.get("run") != facts["run"]:
                return f"{part['noun']} {part['name']}, which that run did not create, is a part of it"
        client = self.inventory.client(item)
        if why := item.type.protection(client, item.found, by_us=False):  # ours the run has given it
            return f"it is protected from deletion: {why}"
        return self.contents.foreign(item)

    def _keep_what_later_runs_need(self, run: str) -> None:
        ids = [each.id for each in self.ledger.runs()]
        later = set(ids[ids.index(run) + 1 :]) if run in ids else set()
        for facts in self.entries.values():
            if facts.get("run") in later:
                self._keep_all(facts.get("needs", []), f"{facts['noun']} {facts['name']} of a later run")

    def _keep_needs(self) -> None:
        """Keep what is needed by what is kept, and what that needs."""
        todo = list(self.kept)
        while todo:
            arn = todo.pop()
            item = next((item for item in self.contents.items if item.found.arn == arn), None)
            needs = [*self.created[arn].get("needs", []), *(self.contents.locations(item) if item else [])]
            facts = self.created[arn]
            todo += self._keep_all(needs, f"{facts['noun']} {facts['name']}, which is kept,")

    def _keep_all(self, arns: list[str], who: str) -> list[str]:
        """Keep things since something needs them; returns those that were not kept before."""
        new = [arn for arn in arns if arn in self.created and arn not in self.kept]
        self.kept |= dict.fromkeys(new, f"{who} needs it")
        return new

    def _kept_items(self, kind: type) -> Iterator[Existing]:
        return (item for item in self.contents.items if item.type is kind and item.found.arn in self.kept)

    def _write_down(self) -> None:
        """What the run created and does not exist is gone, and so is what a pipeline told others of it."""
        there = {item.found.arn for item in self.contents.items}
        for arn in self.created.keys() - there - self.inventory.new("intended"):
            self.ledger.gone(arn)
        names = {item.found.name for item in self.deleted}
        for pipeline, outputs in self.ledger.outputs().items():
            left = {name: value for name, value in outputs.items() if not _is_of(value, names)}
            if left != outputs:
                self.ledger.record_outputs(pipeline, left)
        for name in {facts["pipeline"] for facts in self.created.values()} - set(self.ledger.pipelines()):
            self.ledger.forget(name)


def judge(target: Target, parameters: Parameters, run: str, pipeline: str = "") -> Going:
    """Find what a rollback would delete, and what it would keep, and why. Reads only.

    Args:
        target: The AWS to look at.
        parameters: As for `rollback`.
        run: The run's id, as the ledger has it.
        pipeline: Only this one's; empty for all.
    """
    ledger = Ledger.of(parameters)
    created = touched(ledger, "run", run, pipeline)
    inventory = Inventory(target, parameters, pipeline)
    items = [item for item in inventory.ours() if item.found.arn in created]
    going = Going(
        inventory, ledger, Contents(target, parameters, items, ledger.puts()), ledger.entries(), created
    )
    going.decide(run)
    return going


def require_no_move(ledger: Ledger, run: str) -> None:
    """Go on only if a run can be taken back.

    Args:
        ledger: Where the run is written down.
        run: The run's id.

    Raises:
        RunbookError: If it was a move; says how to go back.
    """
    if any((each.id, each.mode) == (run, "move") for each in ledger.runs()):
        raise RunbookError(f"run {run} was a move, nothing was done. To go back: {BACK_FROM_A_MOVE}")


def touched(ledger: Ledger, how: str, run: str, pipeline: str = "") -> dict[str, dict]:
    """Return what a run created or changed, as the ledger has it; the lock's home is not the run's.

    Args:
        ledger: As for `require_no_move`.
        how: `run` for what it created, `changed_by` for what it changed.
        run: The run's id.
        pipeline: Only this one's; empty for all.
    """
    return {
        arn: facts
        for arn, facts in ledger.entries().items()
        if facts.get(how) == run and facts["pipeline"] != PIPELINE
        if not pipeline or facts["pipeline"] == pipeline
    }


def _is_of(value: str, names: set[str]) -> bool:
    """Return whether an output is one of these names, or a URL that ends in one."""
    return value in names or value.rpartition("/")[2] in names


def _table(entries: list[dict], *more: str) -> "pd.DataFrame":
    import pandas as pd

    rows = [(each["noun"], each["name"], each["region"], *(each[name] for name in more)) for each in entries]
    return pd.DataFrame(rows, columns=["type", "name", "region", *more])
