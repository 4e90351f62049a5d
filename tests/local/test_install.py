import subprocess

import pytest

from lib.local import install


@pytest.fixture
def pins(tmp_path, monkeypatch):
    """Nothing to install: these tests are about the environment, and need no network."""
    file = tmp_path / "requirements.txt"
    file.write_text("")
    monkeypatch.setattr(install, "REQUIREMENTS", file)
    return file


def test_it_is_made_once_and_again_when_the_pins_change(tmp_path, pins):
    folder = tmp_path / "env"
    first = install.ensure_installed(folder)
    assert install.ensure_installed(folder) == first
    pins.write_text("# changed\n")
    second = install.ensure_installed(folder)
    assert second != first
    subprocess.run([second, "-c", ""], check=True)
    assert not first.exists()


def test_one_that_was_killed_half_way_is_made_anew(tmp_path, pins):
    folder = tmp_path / "env"
    install.ensure_installed(folder)
    (folder / "venv" / "stamp").unlink()
    (folder / "venv-killed" / "bin").mkdir(parents=True)
    assert install.ensure_installed(folder).exists()
    assert (folder / "venv" / "stamp").exists()
    assert not (folder / "venv-killed").exists()


def test_what_pip_says_is_shown(tmp_path, pins):
    pins.write_text("./nonexistent\n")
    with pytest.raises(install.InstallError, match="(?s)could not be installed.*nonexistent"):
        install.ensure_installed(tmp_path / "env")
    assert not (tmp_path / "env" / "venv").exists()


def test_a_pip_that_does_not_end_is_told(tmp_path, pins, monkeypatch):
    monkeypatch.setattr(install, "INSTALL_TIMEOUT_S", 0.01)
    with pytest.raises(install.InstallError, match=r"had not ended within 0\.01 s"):
        install.ensure_installed(tmp_path / "env")
