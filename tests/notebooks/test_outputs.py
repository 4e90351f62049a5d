"""CI's view of the notebooks: run anew, they give the outputs that are committed (nbval)."""

import subprocess
import sys

import pytest

from lib.paths import ROOT

CELL_TIMEOUT_S = 120


@pytest.mark.timeout(600)
def test_the_committed_outputs_are_true(local_aws):
    """All notebooks in order, destroy last, on the local AWS that the tests share."""
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    nbval = ["-m", "pytest", "--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}"]
    options = ["-q", "-p", "no:cacheprovider", "--override-ini=timeout=0"]
    run = subprocess.run(
        [sys.executable, *nbval, *options, *notebooks], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
