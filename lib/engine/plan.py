"""Plans: what has to happen to each resource, what is left behind, and what was done, shown as tables."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import pandas as pd

from lib.base.folded import Folded
from lib.base.told import COUNTS
from lib.resources.base import Resource, Settings
from lib.resources.policies import canonical

VALUE_CHARACTERS = 60  # how much of a value a plan shows
ACTIONS = {"create": "to create", "change": "to change", "delete": "to delete", "unchanged": "unchanged"}
PAST = {"create": "created", "change": "changed", "delete": "deleted"}
PAST_WHY = {"does not exist": "did not exist", "is not wanted any more": "was not wanted any more"}


@dataclass(frozen=True)
class Step:
    """What has to happen to one resource.

    Attributes:
        resource: Which.
        found: Its settings as they are; None if it does not exist.
        changes: Those of its desired settings that differ.
        wanted: Whether it shall exist.
    """

    resource: Resource
    found: Settings | None
    changes: Settings
    wanted: bool = True

    @property
    def action(self) -> Literal["create", "change", "delete", "unchanged"]:
        """What will happen."""
        if not self.wanted:
            return "delete"
        if self.found is None:
            return "create"
        return "change" if self.changes else "unchanged"

    @property
    def why(self) -> str:
        """What is there now, what shall be, and what is to be known of it."""
        return "; ".join(filter(None, [*self._reasons(), self.resource.note]))

    def _reasons(self) -> Iterator[str]:
        if not self.wanted:
            yield "is not wanted any more"
        elif self.found is None:
            yield "does not exist"
        else:
            for name, value in self.changes.items():
                yield from _differences(name, self.found.get(name), value)


@dataclass(frozen=True)
class Left:
    """Something that exists and is ours, but that the parameters do not describe any more.

    Attributes:
        noun, name, region: What it is, and where.
        why: What becomes of it.
        is_accepted: Whether a move has left it there on purpose.
    """

    noun: str
    name: str
    region: str
    why: str
    is_accepted: bool = False

    @property
    def action(self) -> Literal["left behind", "kept"]:
        """What is the matter with it."""
        return "kept" if self.is_accepted else "left behind"

    def __str__(self) -> str:
        return f"{self.noun} {self.name} in {self.region}"


@dataclass(frozen=True)
class Warned:
    """Something that AWS takes, and advises against.

    Attributes:
        noun, name, region: Of what.
        why: What it is, and what to do; or why it is so, if that was said.
        is_waived: Whether somebody has said that it shall be so.
    """

    noun: str
    name: str
    region: str
    why: str
    is_waived: bool = False

    @property
    def action(self) -> Literal["warning", "waived"]:
        """What the plan calls it."""
        return "waived" if self.is_waived else "warning"


class Plan(list[Step]):
    """The steps of all resources, shown as a table, what is left behind, and what AWS advises against.

    Attributes:
        left: What exists and is described no more.
        warned: What AWS advises against, also what was waived.
    """

    words: ClassVar[dict[str, str]] = ACTIONS

    def __init__(self, steps: Iterable[Step] = (), left: Iterable[Left] = (), warned: Iterable[Warned] = ()):
        super().__init__(steps)
        self.left, self.warned = list(left), list(warned)

    @property
    def left_behind(self) -> list[Left]:
        """What is left, and nobody has said that it shall stay."""
        return [one for one in self.left if not one.is_accepted]

    def count(self, action: object, /) -> int:
        """Return how many steps have this action."""
        return sum(step.action == action for step in self)

    def table(self) -> pd.DataFrame:
        """Return one row a resource: action, type, name, region, why."""
        steps = [(s.action, s.resource.noun, s.resource.name, s.resource.region, s.why) for s in self]
        rest = [(one.action, one.noun, one.name, one.region, one.why) for one in self._rest()]
        return pd.DataFrame([*steps, *rest], columns=["action", "type", "name", "region", "why"])

    def _rest(self) -> Iterator[Left | Warned]:
        yield from self.left
        yield from self.warned

    def __str__(self) -> str:
        counts = Counter({word: self.count(action) for action, word in self.words.items()})
        counts.update(one.action for one in self._rest())
        return ", ".join(f"{count} {word}" for word, count in counts.items())

    def __repr__(self) -> str:
        return f"{self.table().to_string(index=False)}\n{self}"

    def _html(self) -> str:
        return f"{self.table().to_html(index=False)}<p>{self}</p>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        counts = {word: self.count(action) for action, word in ACTIONS.items()}
        warnings = [one for one in self.warned if not one.is_waived]
        counts |= {"left behind": len(self.left_behind)} if self.left_behind else {}
        counts |= {"warnings": len(warnings)} if warnings else {}
        return {
            "text/plain": repr(self),
            "text/html": self._html(),
            COUNTS: {
                "summary": str(self),
                "counts": counts,
                "table": self.table().to_dict("split", index=False),
            },
        }


class Done(Plan):
    """The steps of a plan, after they were taken."""

    words = {**ACTIONS, **PAST}

    def table(self) -> pd.DataFrame:
        """Return one row a resource: what was done, type, name, region, why."""
        past = {f"^{now}": then for now, then in PAST_WHY.items()}
        return super().table().replace({"action": PAST}).replace({"why": past}, regex=True)

    def _html(self) -> str:
        # The plan has just shown the same rows.
        return Folded(self.table(), str(self))._repr_html_()


def _differences(name: str, found: object, wanted: object) -> Iterator[str]:
    """Yield what differs, inside of dicts too: of a policy only what was changed in a statement."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        yield f"{name}: {_short(found)} → {_short(wanted)}"
        return
    for key in sorted(found.keys() | wanted.keys()):
        if canonical(found.get(key)) != canonical(wanted.get(key)):
            yield from _differences(f"{name}.{key}", found.get(key), wanted.get(key))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"
