"""Homes of tests: each has a state of its own, and all have the same bundles."""

from pathlib import Path

from lib.base.paths import ROOT

SHARED = ROOT / ".cache" / "tests"


def share_bundles(home: Path) -> Path:
    """Let a home have what pip installed for others: it depends on nothing but what is installed.

    Args:
        home: A folder; made if need be. Whatever tests bundling itself needs one that shares nothing.

    Returns:
        The home.
    """
    bundles = SHARED / "bundles"
    bundles.mkdir(parents=True, exist_ok=True)
    (home / ".cache").mkdir(parents=True, exist_ok=True)
    (home / ".cache" / "bundles").symlink_to(bundles, target_is_directory=True)
    return home
