"""`runbook params`: parameters as a file to begin with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lib.cli.main import app
from lib.cli.options import load
from lib.parameters import Parameters

RUNBOOK = Path(sys.executable).with_name("runbook")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where nothing is yet."""
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def printed(file: Path, *arguments: str) -> Parameters:
    """What a file holds that the command has written."""
    result = CliRunner().invoke(app, ["params", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    file.write_bytes(result.stdout_bytes)
    return load([file], [])


def test_without_arguments_it_prints_the_defaults_and_makes_nothing(tmp_path: Path, home: Path) -> None:
    assert printed(tmp_path / "mine.yaml") == Parameters()
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--params", "params/aws.yaml"],
        ["--set", "migrate.batch_size=5"],
        ["--params", "params/aws.yaml", "--set", "backup.brake_deletes=7", "--set", "migrate.key_prefix=012"],
    ],
)
def test_it_prints_what_a_run_with_the_same_options_works_with(tmp_path: Path, arguments: list[str]) -> None:
    file = Path("params/aws.yaml" if "--params" in arguments else "params/local.yaml")
    expected = load([file], [each for each in arguments if "=" in each])
    assert printed(tmp_path / "mine.yaml", *arguments) == expected != Parameters()


def test_a_section_alone_is_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    printed_there = printed(
        file, "migrate", "backup", "--set", "migrate.batch_size=5", "--set", "index.retries=0"
    )
    assert printed_there == Parameters.check({"migrate": {"batch_size": 5}})
    assert "index" not in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["migrat"], "did you mean migrate?"),
        (["--set", "migrate.batch_size=50"], "migrate.batch_size"),
        (["--params", "params/nothing.yaml"], "params/nothing.yaml: cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_printed(
    arguments: list[str], said: str
) -> None:
    result = CliRunner().invoke(app, ["params", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_file_is_in_utf_8_whatever_the_terminal_shows(tmp_path: Path) -> None:
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [RUNBOOK, "params", "migrate.key_prefix", "--set", "migrate.key_prefix=ünï→"]
    done = subprocess.run(command, env=latin, capture_output=True, check=True, cwd=tmp_path)
    (tmp_path / "mine.yaml").write_bytes(done.stdout)
    assert load([tmp_path / "mine.yaml"], []).migrate.key_prefix == "ünï→"
