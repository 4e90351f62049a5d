"""Which notebooks may run at the same time: what they say of themselves.

Under `runbook` in its metadata a notebook says what it may run `beside`: names of notebooks, or `pipelines`
for all that deploy one. It is enough if one of two says so. Whatever nobody has said it of runs in order, and
a notebook that says nothing runs alone. One that `waits` for most of its time takes no place of those that
work. docs/decisions/0037-what-a-start-waits-for.md says why.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from lib.base.errors import RunbookError

METADATA = "runbook"
PIPELINES = "pipelines"
KNOWN = {"beside", "waits"}


def short_name(name: str) -> str:
    """Return `migrate` for `migrate`, `10_migrate`, `10_migrate.ipynb` and a path to it."""
    stem = Path(name).name.removesuffix(".ipynb")
    return stem[3:] if stem[:2].isdigit() and stem[2:3] == "_" else stem


@dataclass(frozen=True)
class Place:
    """What a notebook says of when it may run.

    Attributes:
        name: Its short name.
        beside: The short names of those that it may run at the same time as.
        waits: Whether it waits for most of its time.
    """

    name: str
    beside: frozenset[str] = frozenset()
    waits: bool = False

    @classmethod
    def of(cls, notebook: Path, pipelines: Collection[str]) -> "Place":
        """Read a notebook's metadata.

        Args:
            notebook: The file; one that cannot be read runs alone, and fails then.
            pipelines: What `pipelines` stands for.

        Raises:
            RunbookError: If it says what nobody knows.
        """
        said = _said(notebook)
        beside, waits = said.get("beside", []), said.get("waits", False)
        if set(said) - KNOWN or not isinstance(beside, list) or not isinstance(waits, bool):
            raise RunbookError(
                f"{notebook}: its metadata says {said!r} under {METADATA!r}, which can be a list `beside` "
                "and `waits`, true or false; nothing was run"
            )
        names = {short_name(str(each)) for each in beside} - {PIPELINES}
        return cls(
            short_name(notebook.name),
            frozenset(names | set(pipelines) if PIPELINES in beside else names),
            waits,
        )

    def may_run_beside(self, other: "Place") -> bool:
        """Return whether one of the two says that they may run at the same time."""
        return self.name != other.name and (other.name in self.beside or self.name in other.beside)


def _said(notebook: Path) -> dict[str, Any]:
    try:
        said = nbformat.read(notebook, as_version=4).metadata.get(METADATA, {})
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, OSError, AttributeError):
        return {}
    return said if isinstance(said, dict) else {"": said}


def may_begin(
    places: Sequence[Place], ended: Collection[int], running: Collection[int], at_once: int
) -> list[int]:
    """Return which notebooks may begin now, those first that wait.

    Args:
        places: Of all, in order.
        ended: The numbers of those that have ended.
        running: The numbers of those that are at work.
        at_once: How many may work at once, beside those that wait.
    """
    ready = [
        number
        for number, place in enumerate(places)
        if number not in ended
        and number not in running
        and all(other in ended or place.may_run_beside(places[other]) for other in {*range(number), *running})
    ]
    if at_once == 1:
        return ready[:1] if not running else []
    waiting = [number for number in ready if places[number].waits]
    working = sum(not places[number].waits for number in running)
    return waiting + [number for number in ready if not places[number].waits][: max(0, at_once - working)]
