"""How a notebook tells `runbook run` what it did, beside what it shows a person: MIME types, and names."""

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

COUNTS = "application/vnd.runbook.counts+json"  # summary, counts, table, notes
LEFT_OUT = "application/x-runbook-left-out+json"  # what was not looked at, and the reason
ADOPTING = "application/vnd.runbook.adopting+json"  # what adopting a bucket means
FOUND = "application/x-runbook-found+json"  # what was found, in a few words
# Names the file that kernels write facts to, for the record of their run; and that file in a run's folder.
FACTS_VARIABLE, KERNELS = "RUNBOOK_FACTS", "facts.jsonl"
DELETED = "deleted"  # the kind of a fact that names what a part of a run has deleted
MOST_FACTS = 1000  # that wait for the record of a run
UNCHANGED = "unchanged"  # the action of a row of what is as described already
POINTS = "application/x-runbook-points+json"  # all points of a checklist


def named(noun: str, name: str, region: str) -> str:
    """Return what something is called in a line: resources of several types may have one name.

    Args:
        noun: The type, as `Resource.noun`.
        name: Its name.
        region: Where it is.
    """
    return f"{noun} {name} in {region}"


_facts: deque[dict[str, Any]] = deque(maxlen=MOST_FACTS)


def note(kind: str, **facts: Any) -> None:
    """Have the record of this run say something, such as the lag that was measured.

    Args:
        kind: What it is about, such as `drill`.
        facts: Names to values, as JSON has them.
    """
    fact = {"kind": kind, **facts}
    if path := os.environ.get(FACTS_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(fact, default=str) + "\n")
    else:
        _facts.append(fact)


def take_facts() -> list[dict[str, Any]]:
    """Return what this process has noted since it was last asked, unless it did so for who runs it."""
    taken = list(_facts)
    _facts.clear()
    return taken
