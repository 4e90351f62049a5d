"""The folders in `runs`, one for each run: how long they stay, what they take; and the records."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from time import time

from lib.base import paths
from lib.base.shown import counted, shown_bytes

# The folder of a run, by when it began; drills and cut-overs have records beside them, which nothing deletes.
RUN = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?")
MOST_RUNS = 50
AT_WORK_S = 24 * 60 * 60  # no run is so long without a call to AWS, which its folder has


def forget(runs: Path, most: int = MOST_RUNS) -> list[Path]:
    """Delete the folders of old runs, but for the one that `latest` leads to; records of other kinds stay.

    One that has no report yet stays, too, while something in it is younger than a day: that run is at work.

    Args:
        runs: The folder that has them.
        most: How many stay.

    Returns:
        Those that were deleted.
    """
    latest = (runs / "latest").resolve()
    folders = sorted(path for path in runs.iterdir() if path.is_dir() and RUN.fullmatch(path.name))
    old = folders[: max(0, len(folders) - most)]
    old = [path for path in old if path.resolve() != latest and not _is_at_work(path)]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)  # somebody else may be forgetting it, too
    return old


def _is_at_work(folder: Path) -> bool:
    if (folder / "index.html").exists():
        return False
    try:
        newest = max(path.stat().st_mtime for path in [folder, *folder.iterdir()])
    except FileNotFoundError:  # somebody else may be forgetting it, or it is just writing
        return True
    return time() - newest < AT_WORK_S


def records_of(account_id: str, prefix: str, env: str) -> Path:
    """Return the folder in which the records of an environment's runs are kept; nothing deletes them.

    Args:
        account_id: The environment's AWS account, 12 digits.
        prefix: Its prefix.
        env: Its name.
    """
    return paths.home() / "runs" / "records" / f"{account_id}-{prefix}-{env}"


def set_records_aside(account_id: str) -> None:
    """Put the records of an account aside of which all was deleted: a new one of its number has others.

    Args:
        account_id: 12 digits.
    """
    at = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    for folder in (paths.home() / "runs" / "records").glob(f"{account_id}-*"):
        if "." not in folder.name:
            folder.rename(folder.with_name(f"{folder.name}.until-{at}"))


def kept(runs: Path, most: int = MOST_RUNS) -> str:
    """Return how many runs and records are kept, how large they are, and how long they stay, in words.

    Args:
        runs: The folder that has them.
        most: How many runs stay.
    """
    found = [path for path in runs.iterdir() if RUN.fullmatch(path.name)] if runs.is_dir() else []
    size = sum(map(paths.size_of, found))
    said = f"{len(found)} of the last {counted(most, 'run')}, {shown_bytes(size)}"
    records = len(list((runs / "records").glob("*/*/*.json")))
    size = paths.size_of(runs / "records")
    return f"{said}; {counted(records, 'record')}, {shown_bytes(size)}" if records else said
