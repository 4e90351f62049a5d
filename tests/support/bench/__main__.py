"""Side by side with what people would use instead: `make bench`, `make bench ARGS="--only wide billed"`.

Writes docs/performance.md, each table between its marks. A part that fails does not stop the others: what it
says of itself is printed, the document keeps what was measured last, and this ends with 1.
"""

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from support.bench import audits, copies, fifths, items, on_aws, profiles
from support.bench.servers import told

from lib.base.marked import with_part
from lib.base.paths import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
MIB = 2**20


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        objects: Of 10 KB, that are compared, sent, restored and copied.
        rows: Of one file.
        mib: Of the largest file that is profiled, and in MB, of the one that is stored.
    """

    objects: int = 20_000
    rows: int = 200_000
    mib: int = 1_000


@dataclass(frozen=True)
class Part:
    """A table of the document.

    Attributes:
        about: What is measured.
        minutes: About how long it takes on two quiet cores.
        make: Measures it.
    """

    about: str
    minutes: float
    make: Callable[[Sizes], pd.DataFrame]


# By the names of their marks; what is computed is held to the document by tests/benchmarks/test_counts.py.
COMPUTED: dict[str, Callable[[], pd.DataFrame]] = {"calls": on_aws.calls, "growth": on_aws.growth}
SHAPES = [(50, profiles.WIDE_BYTES), (5_000, profiles.WIDE_BYTES), (15_781, 28 * MIB)]
MEASURED: dict[str, Part] = {
    "wide": Part("profiles of files of many columns", 1, lambda sizes: profiles.wide(SHAPES)),
    "narrow": Part(
        "profiles of long files beside DuckDB",
        4,
        lambda sizes: profiles.narrow(sorted({min(200, sizes.mib), sizes.mib})),
    ),
    "billed": Part(
        "what a copied object is billed", 1, lambda sizes: copies.billed(latency_ms=30, batches=20)
    ),
    "rates": Part("copies beside s5cmd", 2, lambda sizes: copies.rates(sizes.objects // 10)),
    "items": Part(
        "rows beside batch_writer", 2, lambda sizes: items.rates([sizes.rows // 20, sizes.rows // 5])
    ),
    "rows": Part(
        "whether the last rows of a file take what the first ones took",
        4,
        lambda sizes: fifths.rows(sizes.rows),
    ),
    "large": Part(
        "whether the last rows of a large file, stored in pieces, take what the first ones took",
        12,
        lambda sizes: fifths.large(sizes.mib),
    ),
    "objects": Part(
        "whether the last objects of a queue take what the first ones took",
        10,
        lambda sizes: fifths.objects(sizes.objects),
    ),
    "audits": Part(
        "audit, backfill and restore beside rclone and the AWS CLI",
        15,
        lambda sizes: audits.against_peers([sizes.objects // 10, sizes.objects]),
    ),
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


def run(names: list[str], sizes: Sizes, document: Path | None = DOCUMENT) -> dict[str, str]:
    """Make tables, print each, and keep it.

    Args:
        names: Which.
        sizes: How much is measured.
        document: Where they are kept; None for nowhere.

    Returns:
        Those that could not be made, and why.
    """
    failed: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        part, began = MEASURED.get(name), time.monotonic()
        about = f"{part.about}, about {part.minutes:g} min" if part else "computed"
        told(f"{number} of {len(names)}: {name}: {about}")
        try:
            table = part.make(sizes) if part else COMPUTED[name]()
            print(f"{name}\n{table.to_string(index=False)}\n", flush=True)
            if document:
                write(name, table, document)
        except Exception as error:
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
            continue
        told(f"{name} took {time.monotonic() - began:,.0f} s")
    return failed


def options() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    parts = [f"  {name:9} {part.about}, about {part.minutes:g} min" for name, part in MEASURED.items()]
    parts += [f"  {name:9} computed of prices, limits and facts" for name in COMPUTED]
    parser = argparse.ArgumentParser(
        prog="make bench",
        usage='make bench ARGS="[options]"',
        description=(__doc__ or "").partition("\n")[0],
        epilog="parts, each of which is a table of docs/performance.md:\n" + "\n".join(parts),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual, every = Sizes(), list(COMPUTED | MEASURED)
    parser.add_argument(
        "--only", nargs="+", choices=every, default=every, metavar="PART", help="some of the parts"
    )
    for name, what in (("objects", "objects"), ("rows", "rows of a file"), ("mib", "MiB of a file")):
        about = f"{what} (default: {getattr(usual, name):,})"
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name), metavar="N", help=about)
    parser.add_argument(
        "--try", dest="tries", action="store_true", help="only print, and leave the document as it is"
    )
    return parser


def main() -> int:
    """Measure what the command line names, print it, and keep it."""
    asked = options().parse_args()
    sizes = Sizes(asked.objects, asked.rows, asked.mib)
    failed = run(asked.only, sizes, None if asked.tries else DOCUMENT)
    for name, why in failed.items():
        print(f"{name} failed, and the document has what was measured before: {why}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
