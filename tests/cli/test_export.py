"""`runbook export` as somebody uses it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lib.cli.main import app
from lib.local.ministack import LocalAws


@pytest.fixture
def runbook(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_templates_and_how_to_deploy_them(runbook, tmp_path: Path):
    done = runbook("export", "cloudformation", "analyze")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "exports" / "analyze-cloudformation"
    assert json.loads((folder / "us-east-1.template.json").read_text("utf-8"))["Resources"]
    readme = (folder / "README.md").read_text("utf-8")
    for part in (
        "--stack-name $prefix-$env-analyze --template-file us-east-1.template.json",
        "--parameter-overrides Prefix=$prefix Environment=$env",
        "prefix=runbook env=local",
        "It holds no account.",
    ):
        assert part in readme
    assert "000000000000" not in "".join(path.read_text("utf-8") for path in folder.glob("*.json"))
    (folder / "eu-west-1.template.json").write_text("{}")  # of a region that was another before
    assert runbook("export", "cloudformation", "analyze").exit_code == 0
    assert not (folder / "eu-west-1.template.json").exists()


def test_a_configuration(runbook, tmp_path: Path):
    done = runbook("export", "terraform", "analyze", "--to", "here")
    assert done.exit_code == 0, done.output
    readme = (tmp_path / "here" / "README.md").read_text("utf-8")
    assert "terraform init" in readme
    assert "It holds no account." in readme, "nothing is deployed that it could take over"
    assert "TF_VAR_prefix=runbook TF_VAR_environment=local" in readme
    assert json.loads((tmp_path / "here" / "main.tf.json").read_text("utf-8"))["resource"]


@pytest.mark.parametrize("other", ["mine.txt", "README.md"])
def test_what_is_somebodys_stays(runbook, tmp_path: Path, other: str):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / other).write_text("mine")
    done = runbook("export", "terraform", "analyze", "--to", "full")
    assert done.exit_code == 2
    assert "holds other files" in done.output
    assert [path.name for path in (tmp_path / "full").iterdir()] == [other]


def test_a_notebook_without_resources(runbook):
    done = runbook("export", "terraform", "start")
    assert done.exit_code == 1
    assert "describes nothing" in done.output
