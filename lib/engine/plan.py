"""Plans: what has to happen to each resource, what is left behind, and what was done, shown as tables."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, ClassVar, Literal

from lib.base import frames
from lib.base.difference import first_differing
from lib.base.folded import Folded
from lib.base.told import COUNTS, named
from lib.resources.base import Resource, Settings
from lib.resources.policies import canonical

if TYPE_CHECKING:
    import pandas as pd

VALUE_CHARACTERS = 60  # how much of a value a plan shows
ACTIONS = {"create": "to create", "change": "to change", "delete": "to delete", "unchanged": "unchanged"}
# How a plan marks what it will do, in the order in which it is shown; what is not among them is folded.
SIGNS = {
    "warning": "!",
    "left behind": "!",
    "create": "+",
    "created": "+",
    "change": "~",
    "changed": "~",
    "delete": "−",
    "deleted": "−",
    "waived": "·",
    "kept": "·",
}
# Of each mark on a light ground and on a dark one, legible on both: https://www.w3.org/TR/WCAG22/#contrast-minimum
LIGHT = {"make": "#1a7f37", "change": "#8a5c00", "lose": "#c11f2b"}
DARK = {"make": "#56d364", "change": "#e3b341", "lose": "#ff8a80"}
COLOURS = {"+": "make", "~": "change", "−": "lose", "!": "lose"}
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
        difference: The changes of policies, code and other long settings, as the lines of a unified diff.
    """

    resource: Resource
    found: Settings | None
    changes: Settings
    wanted: bool = True
    difference: tuple[str, ...] = ()

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

    @property
    def unchangeable(self) -> list[str]:
        """Those of the settings that differ which nothing can change while the resource lives."""
        return [
            name for name in self.changes if name in self.resource.unchangeable and self.found is not None
        ]

    def _reasons(self) -> Iterator[str]:
        if not self.wanted:
            yield "is not wanted any more"
        elif self.found is None:
            yield "does not exist"
        else:
            for name, value in self.changes.items():
                yield from _differences(name, self.found.get(name), value)
            if self.unchangeable:
                yield "which cannot be changed: a run refuses it, and says what to do instead"


@dataclass(frozen=True)
class Left:
    """Something that exists and is ours, but that the parameters do not describe any more.

    Attributes:
        noun: What it is.
        name: Its name.
        region: Where it is.
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
        return named(self.noun, self.name, self.region)


@dataclass(frozen=True)
class Warned:
    """Something that AWS takes, and advises against.

    Attributes:
        noun: Of which type of resource.
        name: The resource's.
        region: Where that is.
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

    def table(self) -> "pd.DataFrame":
        """Return one row a resource: action, type, name, region, why."""
        import pandas as pd

        steps = [(s.action, s.resource.noun, s.resource.name, s.resource.region, s.why) for s in self]
        rest = [(one.action, one.noun, one.name, one.region, one.why) for one in self._rest()]
        return pd.DataFrame([*steps, *rest], columns=["action", "type", "name", "region", "why"])

    def _rest(self) -> Iterator[Left | Warned]:
        yield from self.left
        yield from self.warned

    def __str__(self) -> str:
        counts = Counter({word: self.count(action) for action, word in self.words.items()})
        counts.update(one.action for one in self._rest())
        if not counts.total():
            return "nothing is described: run the cells above, which say what shall exist, then this one"
        return ", ".join(f"{count} {word}" for word, count in counts.items())

    def shown(self) -> "pd.DataFrame":
        """Return the rows of `table` but those that are unchanged, marked; what to look at comes first."""
        table = self.table()
        order = {action: number for number, action in enumerate(SIGNS)}
        rows = table[table["action"].isin(SIGNS)].sort_values(
            "action", key=lambda actions: actions.map(order), kind="stable"
        )
        return rows.assign(action=[f"{SIGNS[action]} {action}" for action in rows["action"]])

    def _unchanged(self) -> "pd.DataFrame":
        table = self.table()
        return table[~table["action"].isin(SIGNS)].drop(columns=["action", "why"])

    def __repr__(self) -> str:
        rows = self.shown()
        return "\n".join([*([frames.text(rows)] if len(rows) else []), str(self)])

    def _html(self) -> str:
        rows, unchanged = self.shown(), self._unchanged()
        parts = [_in_colour(frames.html(rows))] if len(rows) else []
        if len(unchanged):
            parts.append(Folded(unchanged, f"{len(unchanged):,} unchanged")._repr_html_())
        return "".join([*parts, f"<p>{escape(str(self))}</p>"])

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
                # By what each is, and where: a role may have the name of its function.
                "differences": {
                    named(s.resource.noun, s.resource.name, s.resource.region): "\n".join(s.difference)
                    for s in self
                    if s.difference
                },
            },
        }


class Done(Plan):
    """The steps of a plan, after they were taken."""

    words = {**ACTIONS, **PAST}

    def table(self) -> "pd.DataFrame":
        """Return one row a resource: what was done, type, name, region, why."""
        past = {f"^{now}": then for now, then in PAST_WHY.items()}
        return super().table().replace({"action": PAST}).replace({"why": past}, regex=True)

    def _html(self) -> str:
        # The plan has just shown the same rows.
        return Folded(self.table(), str(self))._repr_html_()


def _in_colour(html: str) -> str:
    """Return a page's table in which the marks have their colours; the words say the same without them."""
    return STYLE + re.sub(
        r"<td>([-+~−!·]) ([a-z ]+)</td>",
        lambda found: f'<td style="white-space:nowrap;{_colour(found[1])}">{found[1]} {found[2]}</td>',
        html,
    )


def _colour(sign: str) -> str:
    return f"color:var(--runbook-{COLOURS[sign]})" if sign in COLOURS else ""


def _named(colours: Mapping[str, str]) -> str:
    return ";".join(f"--runbook-{name}:{colour}" for name, colour in colours.items())


# JupyterLab says whether its theme is light; a report goes by what the person prefers.
STYLE = (
    f"<style>:root{{{_named(LIGHT)}}}[data-jp-theme-light=false]{{{_named(DARK)}}}"
    "@media screen and (prefers-color-scheme:dark){:root:not(:has([data-jp-theme-light=true])){"
    f"{_named(DARK)}}}}}</style>"
)


def _differences(name: str, found: object, wanted: object) -> Iterator[str]:
    """Yield what differs, inside of dicts too: of a policy only what was changed in a statement."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        was, shall_be = repr(found), repr(wanted)
        if max(len(was), len(shall_be)) > VALUE_CHARACTERS:
            was, shall_be = first_differing(was, shall_be)
        yield f"{name}: {_short(was)} → {_short(shall_be)}"
        return
    for key in sorted(found.keys() | wanted.keys()):
        if canonical(found.get(key)) != canonical(wanted.get(key)):
            yield from _differences(f"{name}.{key}", found.get(key), wanted.get(key))


def _short(text: str) -> str:
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"
