"""Going back: what one run created is deleted, and only that."""

from dataclasses import dataclass

import pandas as pd

from lib.inventory import Destroyed, Inventory
from lib.ledger import Ledger
from lib.lock import PIPELINE, locked
from lib.parameters import Parameters
from lib.target import Target


@dataclass(frozen=True)
class Rollback:
    """What a rollback did.

    Attributes:
        deleted: What the run had created.
        changed: What it had changed: type, name, region. That stays changed; the next run sets it anew.
    """

    deleted: Destroyed
    changed: pd.DataFrame

    def __repr__(self) -> str:
        if self.changed.empty:
            return repr(self.deleted)
        return f"{self.deleted!r}\nchanged by that run, and left so:\n{self.changed.to_string(index=False)}"


def rollback(target: Target, parameters: Parameters, run: str, pipeline: str = "") -> Rollback:
    """Delete what a run created, with all that is in it.

    Args:
        target: The AWS to work on.
        parameters: Of the environment.
        run: The run's id, as the ledger has it.
        pipeline: Only this one's; empty for all.

    Returns:
        What was deleted, and what the run had only changed.

    Raises:
        LockError: If somebody else works on the environment.
    """
    ledger = Ledger(parameters.env, parameters.account_id)
    created = touched(ledger, "run", run, pipeline)
    changed = {
        arn: f for arn, f in touched(ledger, "changed_by", run, pipeline).items() if arn not in created
    }
    inventory = Inventory(target, parameters, pipeline)
    with locked(target, parameters) as lock:
        found = [item for item in inventory.existing() if item.is_ours and item.found.arn in created]
        for item in found:
            lock.require()
            inventory.delete(item)
        for arn in created:
            ledger.gone(arn)
        for name in {facts["pipeline"] for facts in created.values()} - set(ledger.pipelines()):
            ledger.forget(name)
        lock.leave()
    return Rollback(Destroyed(found), _table(changed))


def touched(ledger: Ledger, how: str, run: str, pipeline: str = "") -> dict[str, dict[str, str]]:
    """Return what a run created or changed, as the ledger has it; the lock's home is not the run's.

    Args:
        ledger: Of the environment.
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


def _table(entries: dict[str, dict[str, str]]) -> pd.DataFrame:
    rows = [(facts["noun"], facts["name"], facts["region"]) for facts in entries.values()]
    return pd.DataFrame(rows, columns=["type", "name", "region"])
