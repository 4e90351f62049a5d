"""Whether what a cut-over released is still as it was recorded."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lib.base.errors import ParameterError, RunbookError
from lib.cli import terminal
from lib.cli.options import DEFAULT_PARAMS, EXIT_DIFFERS, EXIT_LEFT_OUT, NONE_GIVEN, Assignments, Params, load
from lib.target import connect

# The record is imported where it is used: pandas and botocore take a second to import.


class Of(StrEnum):
    """Which bucket is compared."""

    BOTH = "both"
    SOURCE = "source"
    DESTINATION = "destination"


def verify(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="The file that the release wrote.")],
    of: Annotated[Of, typer.Option(help="Which of the two buckets is compared.")] = Of.BOTH,
    sha256: Annotated[
        str, typer.Option(metavar="HEX", help="The SHA-256 that the release printed, if you kept it.")
    ] = "",
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
) -> None:
    """Compare what is in the buckets of a cut-over now with its record; writes nothing.

    Ends with 0 if every object is as it was; 3 if something was added, changed or is gone, which is named;
    5 if some could not be looked at; 1 if the record itself was changed.
    """
    from lib.operate.cutover import released

    parameters = load(params, assignments)
    found = released.read(record)
    if sha256 and sha256 != found.digest:
        raise RunbookError(
            f"{record}: its SHA-256 is {found.digest}, not {sha256}: it is not the record that was released"
        )
    for name in ("target", "account_id", "prefix", "env"):
        if found.facts[name] != getattr(parameters, name):
            raise ParameterError(
                f"{name}: the record is of {found.facts[name]!r}, and the parameters say "
                f"{getattr(parameters, name)!r}: name its environment by --params or --set"
            )
    print(found)
    sides = released.SIDES if of is Of.BOTH else (of.value,)
    verified = released.verify(connect(parameters), found, sides, parameters.audit.threads)
    terminal.show_table(verified.frame().to_dict("records"))
    print(verified.told())
    if verified.differs:
        raise typer.Exit(EXIT_DIFFERS)
    if verified.count(released.UNJUDGED):
        raise typer.Exit(EXIT_LEFT_OUT)
