"""The checklist: points that are computed, each with its evidence, and what could not be looked at."""

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lib.base.errors import RunbookError
from lib.base.shown import counted
from lib.base.told import FOUND, LEFT_OUT, POINTS
from lib.engine.ledger import RUN_VARIABLE
from lib.engine.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


def tell(found: str) -> None:
    """Say in a few words what was found, for the table of `runbook run`; in the notebook one sees it anyway.

    Args:
        found: Such as `3 objects missing`; what is said last counts.
    """
    if os.environ.get(RUN_VARIABLE):
        _display({FOUND: found}, raw=True)


@dataclass(frozen=True)
class Point:
    """One point.

    Attributes:
        claim: What shall be true.
        holds: Whether it is.
        evidence: What was seen.
    """

    claim: str
    holds: bool
    evidence: str


@dataclass(frozen=True)
class LeftOut:
    """Something that was to be looked at, and was not.

    Attributes:
        what: What it is, such as a pipeline or a key.
        reason: Why, and what can be done.
    """

    what: str
    reason: str

    def __repr__(self) -> str:
        return f"left out: {self.what}: {self.reason}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/plain": repr(self), LEFT_OUT: asdict(self)}


class Checklist(list[Point]):
    """Points in the order in which they were checked, and what was left out, shown as a table."""

    def __init__(self) -> None:
        """Begin an empty one."""
        super().__init__()
        self.left_out: list[LeftOut] = []

    def leave_out(self, what: str, reason: str) -> None:
        """Say that something was not looked at: here, in the table, and in what `runbook run` prints.

        It is no failure, but no success either: `runbook run` then ends with exit code 5.

        Args:
            what: What it is, such as a pipeline or a key.
            reason: Why, and what can be done.
        """
        self.left_out.append(LeftOut(what, reason))
        _display(self.left_out[-1])

    def check(self, claim: str, holds: bool, evidence: object) -> None:
        """Add a point.

        Args:
            claim: What shall be true.
            holds: Whether it is.
            evidence: What was seen; shown as text.
        """
        self.append(Point(claim, bool(holds), str(evidence)))

    def check_plan(self, plan: Plan) -> None:
        """Add a point for each type of resource: all that were described exist, and are as described.

        Args:
            plan: Of a stack, made just now.
        """
        for noun in dict.fromkeys(step.resource.noun for step in plan):
            steps = [step for step in plan if step.resource.noun == noun]
            well = [step.resource.name for step in steps if step.action == "unchanged"]
            wrong = [f"{step.resource.name}: {step.why}" for step in steps if step.action != "unchanged"]
            claim = f"{noun}: as described"
            self.check(claim, not wrong, "; ".join(wrong) or f"{len(well)} of {len(steps)}")
        if plan.left_behind:
            self.check("nothing is left behind", False, "; ".join(map(str, plan.left_behind)))

    def table(self) -> "pd.DataFrame":
        """Return one row a point: ✓ or ✗, the claim, the evidence; and `left out` with what and why."""
        import pandas as pd

        rows = [("✓" if point.holds else "✗", point.claim, point.evidence) for point in self]
        rows += [("left out", each.what, each.reason) for each in self.left_out]
        return pd.DataFrame(rows, columns=["", "claim", "evidence"])

    def require(self) -> "pd.DataFrame":
        """Return the table if every point holds.

        Raises:
            RunbookError: With the points that do not, or if there are none at all.
        """
        if os.environ.get(RUN_VARIABLE):  # for JUnit's file and --json: there is nothing in it for a reader
            _display({POINTS: [asdict(point) for point in self]}, raw=True)
        failed = [f"{point.claim} ({point.evidence})" for point in self if not point.holds]
        if failed or not self:
            do = "does" if len(failed) == 1 else "do"
            points = f"{len(failed)} of {counted(len(self), 'point')}"
            raise RunbookError(f"{points} {do} not hold: {'; '.join(failed)}")
        return self.table()


def _display(shown: object, raw: bool = False) -> None:
    from IPython.display import display  # here, since the command line imports this, and shows nothing so

    display(shown, raw=raw)
