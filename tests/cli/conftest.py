"""What the tests of the command line share."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import browser

from lib.engine import lock
from lib.engine.preflight import own_rights
from lib.execution import run

AWS = "target: aws\nenv: test\naccount_id: '111122223333'\n"


@pytest.fixture(scope="module")
def chromium():
    """A browser; without one the test is skipped."""
    with browser.browser() as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where nothing is yet."""
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of parameters for a real account, which no test asks anything, not even for its lock."""
    monkeypatch.setattr(lock, "connect", lambda parameters: None)
    monkeypatch.setattr(own_rights, "require", lambda target, scope: None)
    held = SimpleNamespace(recording=None, record={})
    monkeypatch.setattr(lock, "locked", lambda target, parameters: nullcontext(held))
    path = tmp_path / "aws.yaml"
    path.write_text(AWS)
    return str(path)


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runbooks."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(run, "NOTEBOOKS", folder)
    return folder
