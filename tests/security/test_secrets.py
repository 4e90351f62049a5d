"""No secret is anywhere in what is kept: notebooks, their outputs, and what a run leaves behind."""

import json
import subprocess
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

from lib.base.paths import ROOT, home
from lib.local import deployer

# Those that know a secret by its form or its name. Not those by entropy: a notebook is full of digests.
PLUGINS = [
    "AWSKeyDetector",
    "ArtifactoryDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "JwtTokenDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "StripeDetector",
]
# Those of its filters that look at what was found. The others go through each line of each file first, which
# is more than half of the time, to leave some out: here none is left out.
FILTERS = [
    "is_likely_id_string",
    "is_not_alphanumeric_string",
    "is_potential_uuid",
    "is_prefixed_with_dollar_sign",
    "is_sequential_string",
    "is_templated_secret",
]
SETTINGS = {
    "plugins_used": [{"name": name} for name in PLUGINS],
    "filters_used": [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in FILTERS],
}
KEY = "AKIA" + "QWERTYUIOPASDFGH"
SECRET = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzzzzzzKEY"


def found(*files: Path) -> list[str]:
    """The secrets in files, as `file:line kind`."""
    collection = SecretsCollection()
    with transient_settings(SETTINGS):
        for file in files:
            collection.scan_file(str(file))
    return [f"{name}:{one.line_number} {one.type}" for name, one in collection]


def kept() -> list[Path]:
    """All files of the project that are kept in git, but the tests, which have false secrets."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:  # an archive, not a clone
        return [
            path for folder in ("notebooks", "lib", "params", "docs") for path in (ROOT / folder).rglob("*.*")
        ]
    names = [name for name in listed.stdout.split("\0") if name and not name.startswith("tests/")]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_the_scanner_finds_what_it_shall(tmp_path: Path) -> None:
    for name, text in {
        "key.ipynb": json.dumps({"cells": [{"source": [f"key = '{KEY}'\n"], "outputs": [f"{KEY}"]}]}),
        "secret.log": f'aws_secret_access_key = "{SECRET}"\n',
        "key.pem": "-----BEGIN RSA PRIVATE KEY-----\n",
    }.items():
        (tmp_path / name).write_text(text)
        assert found(tmp_path / name), name


def test_the_notebooks_are_scanned() -> None:
    names = {path.name for path in kept()}
    assert {"10_migrate.ipynb", "aws.yaml", "prices.yaml", "README.md"} <= names


def test_no_secret_is_in_the_project() -> None:
    assert found(*kept()) == []


def test_no_secret_is_in_what_runs_have_left_here() -> None:
    left = [path for name in ("runs", "run_data") for path in (ROOT / name).rglob("*") if path.is_file()]
    assert found(*left) == []


@pytest.fixture
def a_run(target, stack, parameters) -> list[Path]:
    """What a run of the notebook *start* leaves behind, with the ledger of a pipeline."""
    from datetime import UTC, datetime

    from lib.execution.report import write_report
    from lib.execution.run import Job, execute_all, new_folder, select
    from lib.resources.s3 import Bucket

    stack.add(Bucket("files", "us-east-1"))
    stack.apply()
    now = datetime.now(UTC)
    folder = new_folder(now)
    results = list(execute_all([Job(*select(["start"]))], parameters, folder))
    assert results[0].outcome == "ok", results[0].failure
    write_report(folder, results, parameters, now)
    return [path for name in ("runs", "run_data") for path in (home() / name).rglob("*") if path.is_file()]


def test_a_run_leaves_neither_secrets_nor_its_own_key_behind(
    a_run: list[Path], local_aws, parameters
) -> None:
    assert {path.suffix for path in a_run} >= {".ipynb", ".html", ".json"}
    assert found(*a_run) == []
    key = deployer.credentials(local_aws, parameters.prefix, parameters.env)
    for path in a_run:
        text = path.read_text("utf-8", errors="replace")
        assert key.secret_access_key not in text, path
        assert key.access_key_id not in text, path
