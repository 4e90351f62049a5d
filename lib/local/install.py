"""The local AWS's own environment: it pins botocore, and its handlers see its site-packages."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.console import Console

from lib.base import packages
from lib.base.errors import RunbookError
from lib.base.paths import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = ROOT / ".local-aws"
# A link to the folder that is complete. Each install fills a new folder and then moves the link, so that
# one that was killed (or whose pip lives on without it) can never leave half an environment in use.
CURRENT = FOLDER / "venv"
INSTALL_TIMEOUT_S = 600


class InstallError(RunbookError):
    """The local AWS's environment could not be made."""


def ensure_installed(folder: Path = FOLDER) -> Path:
    """Make the local AWS's virtual environment if it is missing, half-made or out of date.

    Args:
        folder: Where the environment is kept; shared by every state folder of this checkout.

    Returns:
        The Python interpreter of that environment.

    Raises:
        InstallError: venv or pip failed; the message ends with what they said.
        filelock.Timeout: Another run has been installing for ten minutes.
    """
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "install.lock", timeout=INSTALL_TIMEOUT_S):
        if not _is_current(folder / CURRENT.name):
            _install(folder)
    # Not the link: a server that runs must keep its files when a later install moves it.
    return (folder / CURRENT.name).resolve() / "bin" / "python"


def installed_packages(folder: Path = FOLDER) -> Path | None:
    """Return where the packages of the local AWS are, its site-packages; None if it is not installed.

    Args:
        folder: Where the environment is kept.
    """
    return next((folder / CURRENT.name).resolve().glob("lib/python*/site-packages"), None)


def _stamp() -> str:
    """What the environment is made of: the pins and the interpreter's version."""
    return f"{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()} python {sys.version.split()[0]}\n"


def _is_current(venv: Path) -> bool:
    stamp = venv / "stamp"
    return stamp.is_file() and stamp.read_text("utf-8") == _stamp() and (venv / "bin" / "python").exists()


def _install(folder: Path) -> None:
    venv = Path(tempfile.mkdtemp(prefix="venv-", dir=folder))
    # On stderr, so that the output of a notebook that happens to be the first one stays the same.
    console = Console(stderr=True, force_jupyter=False)
    console.print("Installing the local AWS into .local-aws (a few seconds, once) …", highlight=False)
    with console.status("creating the virtual environment"):
        _require(_run([sys.executable, "-m", "venv", "--without-pip", str(venv)]))
    with console.status(f"installing {REQUIREMENTS.name}"):
        # The pins are the whole closure, each with its hashes, so nothing but them can get in.
        pins = ["--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)]
        say = partial(console.print, highlight=False, markup=False)
        _require(packages.install(pins, venv / "bin" / "python", run=_run, say=say))
    (venv / "stamp").write_text(_stamp(), "utf-8")
    _make_current(venv)


def _run(command: list[str], **options: Any) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(
            command,
            **{"capture_output": True, "text": True, "errors": "replace", **options},
            stdin=subprocess.DEVNULL,
            timeout=INSTALL_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(
            f"The local AWS could not be installed: `{' '.join(command)}` had not ended within "
            f"{INSTALL_TIMEOUT_S} s. Check the network, then run again."
        ) from error


def _require(done: subprocess.CompletedProcess) -> None:
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise InstallError(
            f"The local AWS could not be installed: `{' '.join(done.args)}` ended with "
            f"{done.returncode}. Check the network and disk space, then run again.\n{said}"
        )


def _make_current(venv: Path) -> None:
    """Move the link to `venv` in one step, then remove the folders of earlier and killed installs."""
    link = venv.parent / CURRENT.name
    staged = venv / "link"
    staged.symlink_to(venv.name)
    staged.replace(link)
    for other in venv.parent.glob("venv-*"):
        if other != venv:
            shutil.rmtree(other, ignore_errors=True)
