"""Files that are replaced: whole, and secrets readable by their owner only."""

import pytest

from lib.base.paths import write_atomically


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "local.json"
    for text in ("one\n", "größer: 雨\n"):
        write_atomically(path, text)
        assert path.read_text("utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "local.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new, with half a character \ud83d")
    assert path.read_text() == "old"


def test_a_secret_is_its_owner_s_whatever_a_killed_process_has_left(tmp_path):
    path = tmp_path / "server.key"
    left = tmp_path / "server.key.new"
    left.write_text("half")
    left.chmod(0o644)
    write_atomically(path, "secret", mode=0o600)
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o600, "secret")
