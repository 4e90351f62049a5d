"""papermill itself takes a whole file of parameters for any of our notebooks, and is silent about it."""

import logging
from importlib.metadata import entry_points

import papermill
import pytest
import yaml
from support import notebook_files

from lib.base.paths import ROOT
from lib.execution.papermill_engine import Engine

WHOLE = yaml.safe_load((ROOT / "params" / "local.yaml").read_text("utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def warnings(caplog: pytest.LogCaptureFixture, notebook, tmp_path, values: dict) -> list[str]:
    caplog.set_level(logging.INFO, "papermill")
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        notebook, out, values, prepare_only=True, kernel_name="python3", language="python"
    )
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_papermill_finds_it_whoever_starts_it():
    (found,) = [one for one in entry_points(group="papermill.engine") if one.name == "runbook-parameters"]
    assert found.load() is Engine


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_whole_file_makes_no_noise(caplog, notebook, tmp_path):
    assert warnings(caplog, notebook, tmp_path, WHOLE) == []


def test_a_name_that_there_is_not_is_still_warned_of(caplog, tmp_path):
    said = warnings(caplog, NOTEBOOKS[0], tmp_path, {**WHOLE, "migrat": {}})
    assert said == ["Passed unknown parameter: migrat"]


def test_of_others_notebooks_it_says_what_papermill_says(caplog, tmp_path):
    theirs = notebook_files.write(tmp_path / "in.ipynb", parameters="a = 1")
    assert warnings(caplog, theirs, tmp_path, {"env": "x"}) == ["Passed unknown parameter: env"]
