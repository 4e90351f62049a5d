"""The commands `runbook local …`: the life of the AWS on this laptop."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lib.base.errors import ParameterError
from lib.base.run_data import forget_account
from lib.base.run_folders import set_records_aside
from lib.base.shown import counted
from lib.cli import terminal
from lib.cli.options import Yes, confirm
from lib.parameters import Parameters
from lib.target import lag_of, local_aws, local_corrections, whereabouts

app = typer.Typer(no_args_is_help=True)


@app.command(epilog="Examples: runbook local start | runbook local start --lag-scale 0.02")
def start(
    lag: Annotated[bool, typer.Option("--lag", help="As late as AWS is (docs/lag.md).")] = False,
    lag_scale: Annotated[
        float | None,
        typer.Option(show_default=False, metavar="FACTOR", help="So late, with AWS's times multiplied."),
    ] = None,
    lag_seconds: Annotated[
        Path | None,
        typer.Option(
            show_default=False,
            metavar="FILE",
            help="So late, with times of its own (YAML): names and seconds.",
        ),
    ] = None,
    lag_latency_ms: Annotated[
        float,
        typer.Option(show_default=False, metavar="MS", help="Each call takes so many milliseconds more."),
    ] = 0,
) -> None:
    """Start it, unless it runs; it is late until it is stopped."""
    seconds = _seconds(lag_seconds) if lag_seconds else None
    local_aws().start(lag=lag_of(lag, lag_scale, seconds, lag_latency_ms))
    print(whereabouts(Parameters())[0])


def _seconds(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f"--lag-seconds: {path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ParameterError(f"--lag-seconds: {path} shall hold names and seconds, such as `notification: 5`")
    return found


@app.command()
def stop() -> None:
    """Stop it; what it holds is kept for the next start."""
    if not local_aws().stop(say=partial(print, file=sys.stderr, flush=True)):
        print("it does not run")
    elif left := local_aws().on_their_way():
        way = "its way is" if left == 1 else "their way are"
        print(
            f"stopped; what it holds is kept, {counted(left, 'event')} on {way} delivered at the next start"
        )
    else:
        print("stopped; what it holds is kept")


@app.command()
def status() -> None:
    """Say whether it runs, where, what it takes of this machine, and what of it is to be reviewed."""
    print(whereabouts(Parameters())[0])
    if ended := local_aws().how_it_ended():
        print(ended)
    print(local_aws().keeps())
    _warn()


@app.command()
def reset(yes: Yes = False) -> None:
    """Stop it, and delete all that it holds, of every environment."""
    if not yes:
        confirm("Delete all that the local AWS holds?")
    local_aws().reset()
    forget_account(local_aws().ACCOUNT_ID)
    set_records_aside(local_aws().ACCOUNT_ID)
    print("the local AWS is stopped and empty")


@app.command(
    epilog="Examples: runbook local corrections | runbook local corrections s3-multipart-tags > report.md"
)
def corrections(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default=False, help="Print the report of this one.")
    ] = None,
) -> None:
    """List what MiniStack, which is the local AWS, does otherwise than AWS, and is corrected.

    With a name, print a report that can be sent to its developers: what it does, what AWS documents, how to
    reproduce it, and what would have to change.
    """
    if name:
        print(local_corrections().report(name), end="")
        return
    terminal.show_table(local_corrections().table())
    _warn()


def _warn() -> None:
    """Say what has changed in MiniStack since it was reviewed."""
    if warning := local_corrections().warning():
        print(warning, file=sys.stderr)
