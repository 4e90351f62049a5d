"""How far a backfill has come: kept after each batch, gone on with by the next process, never by two."""

import json
from pathlib import Path

import pytest

from lib.base.errors import RunbookError
from lib.operate.backfills.progress import Progress, Stretch, alone, path_of, unfinished
from lib.parameters import Parameters

WHAT = {"bucket": "b", "bucket_created": "2026-01-02", "key_prefix": "in/", "modified_after": ""}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    return path_of(Parameters.check({"env": "test"}), "migrate")


@pytest.fixture
def progress(path: Path) -> Progress:
    stretches = [Stretch("", "m"), Stretch("m", None)]
    made = Progress(path, "000000000000", WHAT, stretches)
    made.advance(stretches[0], "in/ü", 10)
    made.advance(stretches[0], "in/z", 5)
    made.finish(stretches[0])
    return made


def test_another_process_goes_on_where_it_was(progress, path):
    found = unfinished(path, WHAT)
    assert (found.sent, found.is_done) == (15, False)
    assert found.stretches == [Stretch("", "m", last="in/z", sent=15, done=True), Stretch("m", None)]


@pytest.mark.parametrize(
    ("changed", "restart"), [({}, True), ({"bucket": "c"}, False), ({"bucket_created": "later"}, False)]
)
def test_it_begins_anew_if_that_is_said_or_the_bucket_is_another(progress, path, changed, restart):
    assert unfinished(path, WHAT | changed, restart) is None


def test_one_that_is_done_or_was_never_begun_is_not_gone_on_with(progress, path):
    progress.finish(progress.stretches[1])
    assert unfinished(path, WHAT) is None
    path.unlink()
    assert unfinished(path, WHAT) is None


@pytest.mark.parametrize("changed", [{"key_prefix": "out/"}, {"modified_after": "2026-01-02"}])
def test_one_of_other_objects_is_not_forgotten_in_silence(progress, path, changed):
    with pytest.raises(RunbookError, match="is unfinished, after 15 events .*backfill.restart=true"):
        unfinished(path, WHAT | changed)


def test_a_file_that_was_being_written_is_the_old_one(progress, path, monkeypatch):
    before = path.read_text()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            progress.advance(progress.stretches[1], "in/zz", 1)
    assert path.read_text() == before
    assert json.loads(before)["account_id"] == "000000000000"


def test_two_at_once_is_refused(path):
    with alone(path), pytest.raises(RunbookError, match="another process is at this backfill"), alone(path):
        pytest.fail("both are at it")
    with alone(path):
        pass
