"""What the commands have in common: their options, the parameters they work with, and their errors."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from filelock import Timeout
from typer.core import TyperGroup

from lib.base.errors import ParameterError, RunbookError
from lib.base.explained import explained
from lib.base.paths import ROOT
from lib.cli import terminal
from lib.parameters import Parameters

EXIT_FAILED = 1
EXIT_PARAMETERS = 2
EXIT_DIFFERS = 3
EXIT_LEFT_OUT = 5

DEFAULT_PARAMS = Path("params/local.yaml")
# Lists have tuples as their defaults: Typer makes a list of them, and nobody can append to them by mistake.
Names = Annotated[list[str], typer.Argument(metavar="NAME", show_default=False, help="Such as migrate.")]
Params = Annotated[
    Path, typer.Option("--params", metavar="FILE", help="The environment's parameters (YAML).")
]
Assignments = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="Such as migrate.batch_size=5; repeatable.")
]
NONE_GIVEN: list[str] = []  # of names or assignments; Typer knows lists only, and makes each command its own
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Commands(TyperGroup):
    """A group of commands; what a person can act on ends in one message and an exit code, no traceback."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run the program; before it, its help or an error of its command line is printed."""
        terminal.show_anything()
        return super().main(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:  # a Context, of whose base Typer has no public name
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except ParameterError as error:
            terminal.say_error(error)
            raise typer.Exit(EXIT_PARAMETERS) from None
        except (BotoCoreError, ClientError) as error:
            terminal.say_error(explained(error))
        except (RunbookError, PermissionError, Timeout) as error:
            terminal.say_error(error)
        raise typer.Exit(EXIT_FAILED)


def load(params: Path, assignments: Sequence[str], **given: Any) -> Parameters:
    """Read and check the parameters.

    Args:
        params: A file, looked for in the working directory first, then in the project.
        assignments: `NAME=VALUE`, where NAME may be `section.name`.
        given: Values by name, which win over both; None is for a value that is not given.

    Returns:
        The parameters.

    Raises:
        ParameterError: If one is wrong.
    """
    overrides = Parameters.assigned(assignments)
    overrides |= {name: value for name, value in given.items() if value is not None}
    in_project = ROOT / params
    return Parameters.load(in_project if in_project.exists() and not params.exists() else params, **overrides)


def given(params: Path, assignments: Sequence[str]) -> str:
    """Return the options by which another command works with the same parameters, with a space before them.

    Args:
        params: The file of parameters.
        assignments: `NAME=VALUE`.
    """
    options = [] if params == DEFAULT_PARAMS else ["--params", str(params)]
    options += [word for assignment in assignments for word in ("--set", assignment)]
    return f" {shlex.join(options)}" if options else ""


def confirm(question: str, may_skip: bool = False) -> None:
    """Ask on a terminal, and stop unless the answer is yes.

    Args:
        question: What is about to be done.
        may_skip: Whether it is done unasked where nobody can answer.

    Raises:
        RunbookError: If nobody can answer, and it may not be skipped.
    """
    if sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)
    elif not may_skip:
        raise RunbookError(f"{question} Nobody can answer here: say --yes. Nothing was done")
