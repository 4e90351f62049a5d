"""Installing by uv as pip is set up, and by pip where uv is not to be had or does not manage."""

import hashlib
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from lib.base import packages
from lib.base.paths import ROOT

UV = packages.uv_of(Path(sys.executable))
NAME = "an_example"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package, which is all that pip is told of."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = f"{NAME}-1.0.dist-info"
    files = {
        f"{NAME}.py": "value = 1\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{NAME}-1.0-py3-none-any.whl", "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment without pip."""
    venv.create(tmp_path / "env", with_pip=False)
    return tmp_path / "env" / "bin" / "python"


def pins(tmp_path: Path, digest: str) -> list[str]:
    (path := tmp_path / "pins.txt").write_text(f"{NAME}==1.0 --hash=sha256:{digest}\n")
    return ["--no-deps", "--require-hashes", "-r", str(path)]


def digest(wheels: Path) -> str:
    (wheel,) = wheels.iterdir()
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def installer(python: Path) -> str:
    (path,) = python.parents[1].glob(f"lib/python*/site-packages/{NAME}-1.0.dist-info/INSTALLER")
    return path.read_text().strip()


@pytest.mark.skipif(not UV.exists(), reason="uv could not be installed")
def test_uv_installs_from_where_pip_is_told_to_look(tmp_path, wheels, python):
    said: list[str] = []
    done = packages.install(pins(tmp_path, digest(wheels)), python, say=said.append)
    assert (done.returncode, said, installer(python)) == (0, [], "uv")


def test_without_uv_pip_installs_and_it_is_said(tmp_path, wheels, python, monkeypatch):
    monkeypatch.setattr(packages, "uv_of", lambda python: tmp_path / "none")
    said: list[str] = []
    done = packages.install(pins(tmp_path, digest(wheels)), python, say=said.append)
    assert (done.returncode, installer(python)) == (0, "pip")
    assert said == ["pip installs, which takes longer, since uv does not: it could not be installed"]


def test_what_uv_does_not_manage_pip_does(tmp_path, wheels, python, monkeypatch):
    (uv := tmp_path / "uv").write_text("#!/bin/sh\necho a fault of uv >&2; exit 2\n")
    uv.chmod(0o755)
    monkeypatch.setattr(packages, "uv_of", lambda python: uv)
    said: list[str] = []
    done = packages.install(pins(tmp_path, digest(wheels)), python, say=said.append)
    assert (done.returncode, installer(python)) == (0, "pip")
    assert said == ["pip installs, which takes longer, since uv does not: a fault of uv"]


def test_another_file_than_the_one_that_is_pinned_is_installed_by_neither(tmp_path, wheels, python):
    done = packages.install(pins(tmp_path, "0" * 64), python, say=lambda _: None)
    assert done.returncode
    assert "hash" in (done.stdout + done.stderr).lower()
    assert not list(python.parents[1].glob(f"lib/python*/site-packages/{NAME}*"))


def test_what_pip_is_told_is_read_as_pip_weighs_it(tmp_path):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://one.example/simple\ntimeout = 5\nextra-index-url = a\n    b\n"
        "[install]\ntimeout = 7\n[freeze]\nall = yes\n"
    )
    told = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_INDEX_URL": "https://two.example/it's"}
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={**others, **told},
        capture_output=True,
        text=True,
    )
    settings = packages.settings_of_pip(listed.stdout)
    assert settings["index-url"] == "https://two.example/it's"
    assert settings["timeout"] == "7"
    assert settings["extra-index-url"].split() == ["a", "b"]
    assert "all" not in settings
    told = packages.as_uv_has_it(settings)
    assert told["UV_DEFAULT_INDEX"] == "https://two.example/it's"
    assert (told["UV_INDEX"], told["UV_HTTP_TIMEOUT"]) == ("a b", "7")


def test_what_uv_does_not_know_is_left_to_pip():
    with pytest.raises(packages.NoUvError, match="no-binary"):
        packages.as_uv_has_it({"no-binary": ":all:", "index-url": "https://one.example"})


def test_what_uv_is_told_itself_counts_more(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://one.example")
    pip = [sys.executable, "-m", "pip"]
    assert packages.environment(pip, os.environ)["UV_DEFAULT_INDEX"] == "https://one.example"
    own = {**os.environ, "UV_DEFAULT_INDEX": "https://two.example"}
    assert packages.environment(pip, own)["UV_DEFAULT_INDEX"] == "https://two.example"


def test_it_runs_before_anything_is_installed(tmp_path):
    """With Python's own library alone, and with names beside it that Python has, too."""
    program = [
        sys.executable,
        "-I",
        "-S",
        "-P",
        str(ROOT / "lib" / "base" / "packages.py"),
        "--version-of-none",
    ]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path)
    assert "Traceback" not in done.stderr
    assert done.returncode
