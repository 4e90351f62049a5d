"""The parameters as a file to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from lib.cli.options import NONE_GIVEN, Assignments, load
from lib.parameters.described import as_yaml

NO_FILES: list[Path] = []
Chosen = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        show_default=False,
        help="Such as migrate, or migrate.batch_size; all if there is none.",
    ),
]
File = Annotated[
    list[Path],
    typer.Option("--params", metavar="FILE", help="Whose values to print instead of the defaults (YAML)."),
]


def params(names: Chosen = NONE_GIVEN, files: File = NO_FILES, assignments: Assignments = NONE_GIVEN) -> None:
    """Print parameters, each with what it is, what it may be and its default, as a file of parameters.

    Without options these are the defaults, which are for the AWS on this laptop. Nothing is asked of AWS.
    """
    parameters = load(files or [], assignments)
    # A file of parameters is in UTF-8, whatever this terminal shows.
    typer.echo(as_yaml(parameters, names).encode(), nl=False)
