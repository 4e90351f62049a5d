"""Where things are: the project, and the folders that runs write to."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """Return the folder below which all state is kept: the local AWS, ledgers, runs.

    Returns:
        The project's folder, or what the environment variable RUNBOOK_HOME names (tests use their own).
    """
    return Path(os.environ.get("RUNBOOK_HOME") or ROOT).resolve()
