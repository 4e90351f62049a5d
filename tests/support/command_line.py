"""The command line, called as a person would."""

from click.testing import Result
from typer.testing import CliRunner

from lib.cli.main import app


def runbook(*arguments: str, input: str | None = None) -> Result:
    """Run a command; what is piped into it, if anything, is `input`."""
    return CliRunner().invoke(app, list(arguments), input=input)
