"""Side by side with what people would use instead: `make bench`, `make bench ARGS="--only wide copies"`.

Writes docs/performance.md, each table between its marks.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from support.bench import copies, items, on_aws, profiles

from lib.base.marked import with_part
from lib.base.paths import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
MIB = 2**20
# By the names of their marks; what is computed is held to the document by tests/benchmarks/test_counts.py.
COMPUTED: dict[str, Callable[[], pd.DataFrame]] = {"calls": on_aws.calls, "growth": on_aws.growth}
MEASURED: dict[str, Callable[[], pd.DataFrame]] = {
    "wide": lambda: profiles.wide(
        [(50, profiles.WIDE_BYTES), (5_000, profiles.WIDE_BYTES), (15_781, 28 * MIB)]
    ),
    "narrow": lambda: profiles.narrow([200, 1000]),
    "billed": lambda: copies.billed(latency_ms=30, batches=20),
    "rates": lambda: copies.rates(2_000),
    "items": lambda: items.rates([10_000, 40_000]),
}


def as_markdown(table: pd.DataFrame) -> str:
    """Return a table as a part of the document."""
    lines = [tuple(table.columns), ("---",) * len(table.columns), *table.itertuples(index=False)]
    return "\n" + "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines) + "\n"


def machine() -> str:
    """Return on what is measured."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, load average {load}"
    )


def write(name: str, table: pd.DataFrame, document: Path = DOCUMENT) -> None:
    """Put a table into the document, under what it was measured on if it was."""
    where = f"\n{machine()}\n" if name in MEASURED else ""
    text = document.read_text("utf-8")
    document.write_text(with_part(text, name, where + as_markdown(table)), "utf-8")


def main() -> None:
    """Measure what the command line names, print it, and keep it."""
    every = COMPUTED | MEASURED
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--only", nargs="+", choices=list(every), default=list(every), metavar="NAME")
    for name in options.parse_args().only:
        table = every[name]()
        print(f"{name}\n{table.to_string(index=False)}\n", flush=True)
        write(name, table)


if __name__ == "__main__":
    sys.exit(main())
