"""Processes share the tests (see `Makefile`), so all have to find the same ones in the same order."""

import os
import re
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings
from support.today import SEED

ROOT = Path(__file__).parents[1]


def file_of(test):
    return test.split("::")[0]


def found_again():
    """The tests that another process finds, at another time and with another seed for hashes."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "--quiet"],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
        | {"RUNBOOK_SEED": str(SEED)},  # of the day on which this process began
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_another_process_finds_the_same_tests_in_the_same_order(request):
    mine = [item.nodeid for item in request.session.items]
    selected = set(mine)
    again = [test for test in found_again() if test in selected]
    assert sorted(again, key=file_of) == sorted(mine, key=file_of)  # one may name files in another order


def test_no_test_judges_time():
    """A busy machine fails nothing: the profile is in conftest.py, and no test has a deadline of its own."""
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
    own = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"\bdeadline\s*=", path.read_text("utf-8"))
    ]
    assert {path.name for path in own} == {"conftest.py"}
