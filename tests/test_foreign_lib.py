"""Our `lib` is imported, whatever else has that name, and however Python is started."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lib.base.paths import ROOT

BIN = Path(sys.executable).parent
WHICH = "import lib.base.paths; print(lib.base.paths.__file__)"
OURS = str(ROOT / "lib" / "base" / "paths.py")


@pytest.fixture(params=["package", "module"])
def folder(request, tmp_path: Path) -> Path:
    """A folder with another `lib`, and a notebook beside it."""
    if request.param == "package":
        (tmp_path / "lib").mkdir()
    foreign = tmp_path / ("lib/__init__.py" if request.param == "package" else "lib.py")
    foreign.write_text("raise ImportError('the foreign one')\n")
    cell = nbformat.v4.new_code_cell(WHICH)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "which.ipynb")
    return tmp_path


def said(folder: Path, *command: str | Path) -> str:
    """What a command says that is started in the folder, which is on PYTHONPATH too."""
    environ = os.environ | {"PYTHONPATH": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_line_is_ours(folder: Path) -> None:
    assert "runbook rollback" in said(folder, BIN / "runbook", "rollback", "--help")


def test_python_finds_ours(folder: Path) -> None:
    assert said(folder, sys.executable, "-c", WHICH).strip() == OURS


def test_a_module_of_ours_is_run(folder: Path) -> None:
    assert '"service": "sts"' in said(folder, sys.executable, "-m", "lib.cli.endpoints")


def test_a_notebook_imports_ours(folder: Path) -> None:
    """Its kernel has the folder before all else on its path, whoever starts it."""
    options = ["--log-level", "CRITICAL", "--no-progress-bar", "--kernel", "python3"]
    said(folder, BIN / "papermill", *options, "which.ipynb", "done.ipynb")
    cell = nbformat.read(folder / "done.ipynb", as_version=4).cells[0]
    assert cell.outputs[0]["text"].strip() == OURS


def test_another_package_is_found_as_ever(folder: Path) -> None:
    (folder / "beside.py").write_text("print('beside')\n")
    assert said(folder, sys.executable, "-c", "import beside").strip() == "beside"


@pytest.mark.parametrize("name", ["boto3.py", "pandas/__init__.py"])
def test_a_file_in_the_place_of_what_we_need_is_named(tmp_path: Path, name: str) -> None:
    (path := tmp_path / name).parent.mkdir(exist_ok=True)
    path.touch()
    done = subprocess.run([sys.executable, "-c", WHICH], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode
    assert f"{path} stands in the way of the package {name.split('/')[0].split('.')[0]}" in done.stderr
