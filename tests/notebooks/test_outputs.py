"""CI's view of the notebooks: run anew, from nothing, they give the outputs that are committed (nbval)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.homes import share_bundles

from lib.base.paths import ROOT

CELL_TIMEOUT_S = 1800
NBVAL = ["-m", "pytest", "-p", "nbval.plugin", "--nbval", "--nbval-current-env"]
OPTIONS = [
    f"--nbval-cell-timeout={CELL_TIMEOUT_S}",
    "-q",
    "-p",
    "no:cacheprovider",
    "--override-ini=timeout=0",
]


@pytest.fixture
def empty_aws(tmp_path):
    """The environment of a local AWS of its own, which nothing was deployed to."""
    environment = {**os.environ, "RUNBOOK_HOME": str(share_bundles(tmp_path)), "TQDM_DISABLE": "1"}
    yield environment
    runbook = Path(sys.executable).with_name("runbook")
    subprocess.run([runbook, "local", "reset", "--yes"], env=environment, check=True)


@pytest.mark.timeout(7200)
def test_the_committed_outputs_are_true(empty_aws):
    first = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    notebooks = sorted(first, key=lambda path: path.stem == "01_tour")  # from nothing, as after 90_destroy
    command = [sys.executable, *NBVAL, *OPTIONS, *notebooks]
    run = subprocess.run(command, cwd=ROOT, env=empty_aws, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr + complaints(empty_aws["RUNBOOK_HOME"])


def complaints(home):
    """Return what the local AWS and its functions logged of things gone wrong."""
    lines = (Path(home) / ".local-aws" / "state" / "server.log").read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if re.search("ERROR|Traceback|Error:|timed out", line))
