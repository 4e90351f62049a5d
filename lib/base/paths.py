"""Where things are: the project, and what runs write to; how large that is, and how a file is replaced."""

import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """Return the folder below which all state is kept: the local AWS, ledgers, runs.

    Returns:
        The project's folder, or what the environment variable RUNBOOK_HOME names (tests use their own).
    """
    return Path(os.environ.get("RUNBOOK_HOME") or ROOT).resolve()


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; what goes meanwhile has none.

    Args:
        folder: Which may be missing, too.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).lstat().st_size
    return total


@cache
def runbook_version() -> str:
    """Return the version of the runbook, as it is installed; what it writes down carries it."""
    return version("runbook")


def write_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a file, or replace it; a process killed meanwhile leaves the old one.

    Args:
        path: The file; nobody else may write it at the same time.
        text: All that shall be in it.
        mode: Its permissions, from its first byte on, less the umask; 0o600 for secrets.
    """
    staged = path.with_name(f"{path.name}.new")
    staged.unlink(missing_ok=True)  # left by a process that was killed
    staged.touch(mode)
    with staged.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
