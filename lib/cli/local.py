"""The commands `runbook local …`: the life of the AWS on this laptop."""

import typer

from lib.cli.options import Yes, confirm
from lib.ledger import forget_account
from lib.parameters import Parameters
from lib.target import local_aws, whereabouts

app = typer.Typer(no_args_is_help=True)


@app.command()
def start() -> None:
    """Start it, unless it runs."""
    local_aws().start()
    print(whereabouts(Parameters())[0])


@app.command()
def stop() -> None:
    """Stop it; what it holds is kept for the next start."""
    print("stopped; what it holds is kept" if local_aws().stop() else "it does not run")


@app.command()
def status() -> None:
    """Say whether it runs, and where."""
    print(whereabouts(Parameters())[0])


@app.command()
def reset(yes: Yes = False) -> None:
    """Stop it, and delete all that it holds, of every environment."""
    if not yes:
        confirm("Delete all that the local AWS holds?")
    local_aws().reset()
    forget_account(local_aws().ACCOUNT_ID)
    print("the local AWS is stopped and empty")
