"""The checklist: points that are computed, each with its evidence."""

from dataclasses import dataclass

import pandas as pd

from lib.errors import RunbookError
from lib.plan import Plan


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


class Checklist(list[Point]):
    """Points in the order in which they were checked, shown as a table."""

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

    def table(self) -> pd.DataFrame:
        """Return one row a point: ✓ or ✗, the claim, the evidence."""
        rows = [("✓" if point.holds else "✗", point.claim, point.evidence) for point in self]
        return pd.DataFrame(rows, columns=["", "claim", "evidence"])

    def require(self) -> pd.DataFrame:
        """Return the table if every point holds.

        Raises:
            RunbookError: With the points that do not, or if there are none at all.
        """
        failed = [f"{point.claim} ({point.evidence})" for point in self if not point.holds]
        if failed or not self:
            raise RunbookError(f"{len(failed)} of {len(self)} points do not hold: {'; '.join(failed)}")
        return self.table()
