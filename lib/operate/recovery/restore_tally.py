"""What is to become of the keys of a restore, or has become of them, counted."""

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from lib.base import frames
from lib.s3.versions import Version

# What becomes of a key, and what that means.
STATES = {
    "to restore": "nothing is there now",
    "to replace": "something else is there, not newer than the point in time",
    "newer": "something else is there, written after the point in time",
    "in place": "the same is there already: bytes, headers, metadata and tags",
    "archived": "in an archive class: have S3 restore it in the DR bucket first, then run again",
    "was deleted": "deleted at the point in time, and so not restored; nothing is there now",
    "came later": "did not exist at the point in time, and so not restored; nothing is there now",
    "came back": "deleted at the point in time, but there now; left: a restore deletes nothing",
    "came since": "did not exist at the point in time, but there now; left: a restore deletes nothing",
    "only here": "there now, and the DR bucket never had it; left: a restore deletes nothing",
    "restored": "copied from the DR bucket, and compared",
    "not judged": "S3 does not say enough of it; left as it is, see the problems",
    "failed": "not copied, or not the same; see the problems",
}
THERE_THEN = ("to restore", "to replace", "newer", "in place", "archived", "not judged")
KNOWN_THEN = (*THERE_THEN, "was deleted", "came back")
OTHERS = ("came back", "came since", "only here")
PROBLEMS = ("newer", "archived", "not judged", "failed")
PROBLEMS_KEPT = 1000  # of each kind


@dataclass(frozen=True)
class Outcome:
    """What is to become of a key, or has become of it.

    Attributes:
        key: The key.
        state: One of STATES.
        version: The version of the DR bucket that it is about.
        why: What went wrong.
    """

    key: str
    state: str
    version: Version | None = None
    why: str = ""


@dataclass(repr=False)
class Tally:
    """The outcomes of any number of keys, shown as a table."""

    objects: Counter = field(default_factory=Counter)
    bytes: Counter = field(default_factory=Counter)
    problematic: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.objects[outcome.state] += 1
        self.bytes[outcome.state] += outcome.version.bytes if outcome.version else 0
        if outcome.state in PROBLEMS and self.objects[outcome.state] <= PROBLEMS_KEPT:
            self.problematic.append(outcome)

    def count(self, *states: str) -> int:
        """Return how many keys are in any of these states."""
        return sum(self.objects[state] for state in states)

    @property
    def differing(self) -> int:
        """How many keys were there at the point in time, and are not, or not known to be, the same now."""
        return self.count(*THERE_THEN) - self.count("in place")

    @property
    def others(self) -> int:
        """How many keys are there now that were not there at the point in time."""
        return self.count(*OTHERS)

    @property
    def problems(self) -> pd.DataFrame:
        """The first thousand of each kind that should be restored and are not: key, version, state, why."""
        rows = [
            (p.key, p.version.id if p.version else "", p.state, p.why or STATES[p.state])
            for p in self.problematic
        ]
        return pd.DataFrame(rows, columns=["key", "version", "state", "why"])

    def table(self) -> pd.DataFrame:
        """Return one row a state: how many objects, how many bytes, and what it means."""
        found = [state for state in STATES if self.objects[state]]
        rows = [(state, self.objects[state], self.bytes[state], STATES[state]) for state in found]
        return pd.DataFrame(rows, columns=["state", "objects", "bytes", "meaning"])

    def __repr__(self) -> str:
        return frames.text(self.table())

    def _repr_html_(self) -> str:
        return frames.html(self.table())
