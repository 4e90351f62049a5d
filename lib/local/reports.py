"""What is said of the corrections: a table, a report of each for MiniStack's developers, and warnings."""

import json
from hashlib import sha256
from inspect import cleandoc
from textwrap import fill

from filelock import FileLock

from lib.base.errors import ParameterError
from lib.base.paths import write_atomically
from lib.local.in_server.correction import ABSENT, Correction
from lib.local.in_server.corrections import CORRECTIONS
from lib.local.install import installed_packages
from lib.local.originals import to_review, version

ISSUES = "https://github.com/ministackorg/ministack/issues"
COLUMNS = 100  # of a report
# How a report's code reaches a MiniStack that runs.
CLIENT = """
import boto3


def client(service, region="us-east-1", key=("test", "test")):
    return boto3.Session(*key).client(service, region, endpoint_url="http://localhost:4566")
"""


def table() -> list[dict[str, str]]:
    """Return a row for each correction: its name, what is wrong, AWS's word, whether upstream knows."""
    return [
        {
            "correction": each.name,
            "what MiniStack does": each.title,
            "what AWS documents": each.aws,
            "upstream": each.upstream,
        }
        for each in CORRECTIONS.values()
    ]


def report(name: str) -> str:
    """Return a report for MiniStack's developers, in Markdown.

    Args:
        name: The correction's.

    Raises:
        ParameterError: There is none of that name.
    """
    if name not in CORRECTIONS:
        raise ParameterError(f"No correction is called {name!r}; `runbook local corrections` lists them.")
    correction = CORRECTIONS[name]
    parts = [
        f"# {correction.title}",
        f"**Version:** MiniStack {version()}",
        "## What MiniStack does",
        fill(correction.ministack, COLUMNS, break_on_hyphens=False),
        "## What AWS documents",
        fill(correction.aws, COLUMNS, break_on_hyphens=False),
        "\n".join(f"- {source}" for source in correction.sources),
        "## How to reproduce",
        _reproduction(correction),
        "## Proposed change",
        fill(correction.change, COLUMNS, break_on_hyphens=False),
        _places(correction),
        f"<!-- Upstream ({ISSUES}): {correction.upstream}. -->",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reproduction(correction: Correction) -> str:
    if not correction.reproduce:
        return "\n".join(f"{number}. {step}" for number, step in enumerate(correction.steps, 1))
    code = f"{CLIENT.strip()}\n\n\n{cleandoc(correction.reproduce)}"
    return (
        "Start MiniStack with `AUTH=true`, and run this. It ends without an error if MiniStack does as AWS:"
        f"\n\n```python\n{code}\n```"
    )


def _places(correction: Correction) -> str:
    lines = [
        f"- `{target}`{' (not there yet)' if digest == ABSENT else ''}"
        for target, digest in correction.replaces.items()
    ]
    return "\n".join(["Where, in MiniStack's code:\n", *lines]) if lines else ""


def warnings() -> list[str]:
    """Return what has changed in MiniStack since it was reviewed, and what to do; empty if nothing has.

    To look takes seconds, so what was found is kept with what is installed.
    """
    packages = installed_packages()
    if packages is None:
        return []
    environment = packages.parents[2]
    known = {each.name: each.replaces | each.goes_by for each in CORRECTIONS.values()}
    key = sha256(json.dumps(known).encode() + (environment / "stamp").read_bytes()).hexdigest()
    kept = environment / "to_review.json"
    with FileLock(kept.with_suffix(".lock")):  # several servers may start at the same time
        found = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
        if found.get("key") != key:
            found = {"key": key, "lines": [str(each) for each in to_review(packages)]}
            write_atomically(kept, json.dumps(found))
    return found["lines"]


def warning() -> str:
    """Return the warnings as one text; empty if there are none."""
    if not (lines := warnings()):
        return ""
    return "\n".join(
        [
            f"warning: MiniStack {version()} is not what was reviewed, so the local AWS may behave otherwise "
            "than it says. To review:",
            *(f"  {line}" for line in lines),
            "Read what is there now; mend or remove the correction, or keep the new digest in its record in "
            "lib/local/in_server/corrections/. CONTRIBUTING.md says how MiniStack is upgraded.",
        ]
    )
