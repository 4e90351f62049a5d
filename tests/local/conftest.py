from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.homes import share_bundles

from lib.local import ministack


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose local AWS the test may stop, kill and reset; none is left behind."""
    monkeypatch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path)))
    yield tmp_path
    ministack.reset()


@pytest.fixture
def kill():
    """Ends a process as `kill -9` does, and returns when it is gone."""

    def kill_and_wait(pid: int) -> None:
        process = psutil.Process(pid)
        process.kill()
        process.wait(timeout=600)

    return kill_and_wait
