"""The folders in `runs`, one for each run: how long they stay, and what they take."""

import re
import shutil
from pathlib import Path

from lib.base.shown import shown_bytes

# The folder of a run, by when it began; drills and cut-overs have records beside them, which nothing deletes.
RUN = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?")
MOST_RUNS = 50


def forget(runs: Path, most: int = MOST_RUNS) -> list[Path]:
    """Delete the folders of old runs, but for the one that `latest` leads to; records of other kinds stay.

    Args:
        runs: The folder that has them.
        most: How many stay.

    Returns:
        Those that were deleted.
    """
    latest = (runs / "latest").resolve()
    folders = sorted(path for path in runs.iterdir() if path.is_dir() and RUN.fullmatch(path.name))
    old = [path for path in folders[: max(0, len(folders) - most)] if path.resolve() != latest]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)  # somebody else may be forgetting it, too
    return old


def kept(runs: Path) -> str:
    """Return how many runs are kept, how large they are, and how long they stay, in words.

    Args:
        runs: The folder that has them.
    """
    found = [path for path in runs.iterdir() if RUN.fullmatch(path.name)] if runs.is_dir() else []
    size = sum(file.stat().st_size for path in found for file in path.rglob("*") if file.is_file())
    return f"{len(found)} of the last {MOST_RUNS} runs, {shown_bytes(size)}"
