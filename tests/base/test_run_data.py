"""What is known of environments beyond what AWS tells: which file is whose, and what goes with an account."""

import json
from pathlib import Path

import pytest

from lib.base.run_data import file_of, forget_account, move_addresses

OURS, ANOTHERS = "000000000000", "111122223333"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a file of an account, and returns it."""
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    (tmp_path / "run_data").mkdir()

    def write_file(account_id: str, what: str = "", **content) -> Path:
        path = file_of(account_id, "runbook", "test", what)
        path.write_text(json.dumps({"account_id": account_id, **content}))
        return path

    return write_file


def test_no_two_environments_share_a_file(write):
    parts = [(OURS, "a", "b", "c"), (OURS, "a", "b", ""), (OURS, "a", "bc", ""), (ANOTHERS, "a", "b", "")]
    assert len({file_of(*each) for each in parts}) == len(parts)
    assert file_of(OURS, "a", "b", "backfill-migrate").name == f"{OURS}-a-b-backfill-migrate.json"


def test_with_an_account_all_of_it_is_forgotten_and_nothing_else(write):
    gone, too, kept = write(OURS), write(OURS, "backfill-migrate"), write(ANOTHERS)
    forget_account(OURS)
    assert (gone.exists(), too.exists(), kept.exists()) == (False, False, True)


def test_addresses_of_an_account_that_moved_are_written_anew(write):
    before, after = "https://127.0.0.1:4566", "https://127.0.0.1:4567"
    outputs = {
        "migrate": {
            "queue": f"{before}/000000000000/q",
            "bucket": "a-bucket",
            "longer": f"{before}7/another/port",
        }
    }
    ours, anothers = write(OURS, outputs=outputs), write(ANOTHERS, outputs=outputs)
    progress = write(OURS, "backfill-migrate", stretches=[])
    move_addresses(OURS, before, after)
    moved = outputs["migrate"] | {"queue": f"{after}/000000000000/q"}
    assert json.loads(ours.read_text())["outputs"] == {"migrate": moved}
    assert json.loads(anothers.read_text())["outputs"] == outputs
    assert json.loads(progress.read_text()) == {"account_id": OURS, "stretches": []}
