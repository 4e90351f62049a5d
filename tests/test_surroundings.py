"""What others begin with: dev containers, Binder, conda, pre-commit, and the site of the documents."""

import json
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from support import site
from support.links import documents

from lib.base.paths import ROOT

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
HOOKS = [
    hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    for hook in repository["hooks"]
]


def test_a_dev_container_has_a_python_that_the_runbook_takes_and_installs_it():
    said = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    (minor,) = re.findall(r"python:3\.(\d+)$", said["image"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert int(minor) >= int(project["requires-python"].removeprefix(">=3."))
    tried = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    assert f"3.{minor}" in tried["jobs"]["test"]["strategy"]["matrix"]["python"]
    program, target = shlex.split(said["postCreateCommand"])
    assert (program, target in TARGETS) == ("make", True)
    paths = [
        said["remoteEnv"]["PATH"],
        said["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"],
    ]
    assert all(path.startswith("${containerWorkspaceFolder}/.venv/bin") for path in paths)


def test_binder_and_conda_install_the_versions_that_are_pinned():
    """Binder takes environment.yml and then postBuild, of the project's folder."""
    said = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (pip,) = [each["pip"] for each in said["dependencies"] if isinstance(each, dict)]
    for line in pip:
        assert (ROOT / line.removeprefix("-r ")).exists()
    assert os.access(ROOT / "postBuild", os.X_OK)
    checked = subprocess.run(["bash", "-n", str(ROOT / "postBuild")], capture_output=True, check=False)
    assert checked.returncode == 0
    assert "pip install --no-deps -e ." in (ROOT / "postBuild").read_text("utf-8")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_each_hook_runs_what_there_is(hook):
    program, *arguments = shlex.split(hook["entry"])
    assert hook["language"] == "system"
    if program == "make":
        assert set(arguments) <= TARGETS
        return
    assert os.access(ROOT / program, os.X_OK)
    for path in (argument for argument in arguments if argument.endswith(".py")):
        assert (ROOT / path).exists()
    if "ruff" in program:
        ran = subprocess.run([*hook["entry"].split(), "setup.py"], cwd=ROOT, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stdout


def test_the_site_has_every_document_and_what_it_links_to(tmp_path: Path):
    site.lay_out(tmp_path / "site")
    laid_out = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*.*")}
    pages = {str(path.relative_to(ROOT)) for path in documents() if "support" not in path.parts}
    assert pages - {"docs/site/index.md"} <= laid_out
    assert "index.md" in laid_out
    assert "params/local.yaml" in laid_out or "lib/policies/deployer-policy.json" in laid_out
    assert "<svg" in (tmp_path / "site" / "README.md").read_text("utf-8"), "its chart is drawn"
    told = (tmp_path / "site" / "notebooks" / "10_migrate.ipynb").read_text("utf-8")
    assert (
        "text/vnd.mermaid" in told,
        "application/"
        in json.dumps(
            [
                output.get("data", {}).keys().__repr__()
                for cell in json.loads(told)["cells"]
                for output in cell.get("outputs", [])
            ]
        ),
    ) == (False, False)


def test_the_index_of_the_site_names_what_there_is():
    text = (ROOT / "docs" / "site" / "index.md").read_text("utf-8")
    for block in re.findall(r"```{toctree}\n(.*?)```", text, re.DOTALL):
        for line in (line for line in block.splitlines() if line and not line.startswith(":")):
            if not line.startswith("reference/"):
                assert list(ROOT.glob(f"{line}.*")), line
