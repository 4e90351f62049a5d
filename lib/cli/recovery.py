"""What the command line does against two runs at once, and after one that did not end well."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lib.cli import terminal
from lib.cli.options import DEFAULT_PARAMS, Assignments, Params, Yes, confirm, given, load
from lib.ledger import Ledger
from lib.parameters import Parameters
from lib.target import connect

# lib.lock and lib.rollback are imported where they are used: pandas and botocore take a second to import.

Run = Annotated[str, typer.Option("--run", metavar="ID", help="The run's id; the last one without it.")]


def unlock(params: Params = DEFAULT_PARAMS, assignments: Assignments = (), yes: Yes = False) -> None:
    """Break the lock of a run that was killed; say who holds it, and ask first."""
    from lib.lock import Lock

    parameters = load(params, assignments)
    lock = Lock(connect(parameters), parameters)
    holder = lock.holder()
    if holder is None:
        print(f"env {parameters.env!r} is not locked")
        return
    print(f"env {parameters.env!r} is locked by {holder} since {holder.since}")
    if not yes:
        confirm("If that run still works, two will work at once. Break its lock?")
    lock.break_it(holder)
    print("the lock is broken")


def rollback(
    params: Params = DEFAULT_PARAMS, assignments: Assignments = (), run: Run = "", yes: Yes = False
) -> None:
    """Delete what the last run created, with all that is in it, and only that; ask first."""
    from lib.execution.rollback import touched

    parameters = load(params, assignments)
    ledger = Ledger(parameters.env, parameters.account_id)
    run = run or ledger.last_run()
    created = touched(ledger, "run", run)
    terminal.show_table(
        [{key: facts[key] for key in ("noun", "name", "region")} for facts in created.values()]
    )
    if not created:
        print(f"run {run or 'none'} created nothing that the ledger knows of")
        return
    if not yes:
        confirm(f"Delete these {len(created)}, with all that is in them? Run {run} created them.")
    go_back(parameters, run)


def go_back(parameters: Parameters, run: str) -> None:
    """Delete what a run created, and print what that was."""
    from lib.execution.rollback import rollback as delete_created

    print(f"Rolled back: {delete_created(connect(parameters), parameters, run)!r}")


def say_ways_out(parameters: Parameters, run: str, params: Path, assignments: Sequence[str]) -> None:
    """After a run that did not end well: say how to go on, and how to go back if it created anything."""
    runbook, options = terminal.command_name(), given(params, assignments)
    entries = Ledger(parameters.env, parameters.account_id).entries().values()
    if created := sum(facts.get("run") == run for facts in entries):
        terminal.say_next(
            (f"{runbook} run{options}", "go on where it stopped"),
            (f"{runbook} rollback{options}", f"go back: delete the {created} that this run created"),
        )
