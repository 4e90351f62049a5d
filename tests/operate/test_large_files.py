"""How far large files are, by the lines that *consume* logs of them."""

import json

import pandas as pd
import pytest

from lib.operate.large_files import COLUMNS, progress
from lib.resources.logs import LogGroup


@pytest.fixture
def told(stack, somebody):
    """Returns a function that tells how far files are if these lines are in the log, one a second."""
    group = stack.add(LogGroup("large", "us-east-1", retention_days=1))
    logs = somebody("logs")
    stack.apply()
    since = pd.Timestamp.now("UTC")
    logs.create_log_stream(logGroupName=group.name, logStreamName="s")

    def tell(*lines: dict) -> pd.DataFrame:
        began = int(since.timestamp() * 1000) + 1
        events = [
            {"timestamp": began + 1000 * n, "message": json.dumps(line)} for n, line in enumerate(lines)
        ]
        logs.put_log_events(logGroupName=group.name, logStreamName="s", logEvents=events)
        return progress(stack.client(group), group.name, since=since)

    return tell


def line(message: str, byte: int, *, key: str = "a", version: str = "1", step: int = 1, **facts) -> dict:
    done = {"done": message in ("cut", "stored")}
    return {"message": message, "key": key, "version": version, "byte": byte, "step": step} | done | facts


def cut(byte: int, pieces: int, rows: int, message: str = "cut", **more) -> dict:
    return line(message, byte, pieces=pieces, rows_cut=rows, rows_stored=0, rows_rejected=0, **more)


def stored(byte: int, rows: int, rejected: int = 0, message: str = "stored", **more) -> dict:
    return line(message, byte, rows_stored=rows, rows_rejected=rejected, **more)


def row(found: pd.DataFrame) -> tuple:
    (only,) = found.itertuples(index=False)
    return tuple(only)


def test_a_file_is_stored_when_all_rows_of_all_its_pieces_are(told):
    lines = [cut(0, 2, 200, "cut in part"), cut(900, 1, 50), stored(0, 90, 10), stored(500, 100)]
    assert row(told(*lines)) == ("a", 3, 2, 250, 190, 10, "under way", 3.0)
    assert row(told(stored(900, 50)))[2:7] == (3, 250, 240, 10, "stored")


def test_a_piece_that_is_handed_on_is_one_and_its_rows_are_counted_together(told):
    found = told(cut(0, 1, 100), stored(0, 60, 0, "stored in part"), stored(0, 38, 2, step=2))
    assert row(found)[1:7] == (1, 1, 100, 98, 2, "stored")


def test_what_comes_twice_is_counted_once(told):
    found = told(cut(0, 2, 20), stored(0, 10), cut(0, 2, 20), stored(0, 10))
    assert row(found)[1:7] == (2, 1, 20, 10, 0, "under way")


def test_versions_are_apart_and_an_old_one_may_be_given_up(told):
    found = told(cut(0, 2, 20), stored(0, 10), stored(9, 0, message="superseded"), cut(0, 1, 5, version="2"))
    assert found["state"].tolist() == ["superseded", "under way"]


def test_small_files_and_lines_of_others_are_none(told):
    small = {"message": "stored", "key": "small", "version": "1", "rows_stored": 1, "rows_rejected": 0}
    found = told(small, stored(0, 3, message="stored in part", key="slow"), {"message": "x"})
    assert found.empty
    assert [*found.columns] == COLUMNS
