"""The commands `runbook local …`: the life of the AWS on this laptop."""

import typer

from lib.cli_options import DEFAULT_PARAMS, Params, Yes, confirm, load
from lib.ledger import Ledger
from lib.target import is_local, local_aws

app = typer.Typer(no_args_is_help=True)


@app.command()
def start() -> None:
    """Start it, unless it runs."""
    local_aws().start()
    say_status()


@app.command()
def stop() -> None:
    """Stop it; what it holds is kept for the next start."""
    print("stopped; what it holds is kept" if local_aws().stop() else "it does not run")


@app.command()
def status() -> None:
    """Say whether it runs, and where."""
    say_status()


@app.command()
def reset(params: Params = DEFAULT_PARAMS, yes: Yes = False) -> None:
    """Stop it, and delete all that it holds."""
    parameters = load(params, [])
    if not yes:
        confirm("Delete all that the local AWS holds?")
    local_aws().reset()
    if is_local(parameters):
        ledger = Ledger(parameters.env, parameters.account_id)
        for pipeline in ledger.pipelines():
            ledger.forget(pipeline)
    print("the local AWS is stopped and empty")


def say_status() -> bool:
    """Print whether the local AWS runs, and where; return whether it does."""
    server = local_aws().status()
    if server is None:
        print("The local AWS does not run; `runbook local start` or `runbook run` starts it.")
    else:
        print(f"The local AWS runs: {server.endpoint_url} (pid {server.pid}, since {server.started})")
    return server is not None
