"""The command line, called as a person would."""

from click.testing import Result
from typer.testing import CliRunner

from lib.cli.main import app


def runbook(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))
