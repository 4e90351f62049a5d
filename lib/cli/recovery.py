"""What the command line does against two runs at once, and after one that did not end well."""

from typing import Annotated

import typer

from lib.base.errors import ParameterError, RunbookError
from lib.cli import terminal
from lib.cli.options import (
    DEFAULT_PARAMS,
    NONE_GIVEN,
    Assignments,
    Names,
    Params,
    Quiet,
    Yes,
    confirm,
    given,
    load,
)
from lib.engine.ledger import NOT_RECORDED, Ledger
from lib.parameters import Parameters
from lib.target import connect, whereabouts

# The lock and the rollback are imported where they are used: pandas and botocore take a second to import.

Run = Annotated[
    str, typer.Option("--run", metavar="ID", help="The run's id; without it, the run that ran last.")
]


def unlock(params: Params = DEFAULT_PARAMS, assignments: Assignments = NONE_GIVEN, yes: Yes = False) -> None:
    """Break the lock of a run that was killed; say who holds it, and ask first."""
    from lib.engine.lock import Lock

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
    params: Params = DEFAULT_PARAMS, assignments: Assignments = NONE_GIVEN, run: Run = "", yes: Yes = False
) -> None:
    """Delete what the last run created, and only that; ask first.

    A bucket or table that holds anything which that run did not put there is kept, and named.
    """
    from lib.engine.rollback import NOTHING, WAY_ON, judge, require_no_move, touched

    parameters = load(params, assignments)
    require_free(parameters)
    ledger = known(parameters)
    run = run or _last(ledger)
    if not touched(ledger, "run", run):
        print(
            f"{NOTHING.format(run=run)}{_others(ledger, run)}" if run else "nothing to take back: no run yet"
        )
        return
    require_no_move(ledger, run)
    going = judge(connect(parameters), parameters, run)
    kept = going.table()
    _show("Kept", kept.to_dict("records"))
    if len(kept):
        print(WAY_ON)
    rows = [(item.type.noun, item.found.name, item.region) for item in going.going]
    _show("To delete", [dict(zip(("type", "name", "region"), row, strict=True)) for row in rows])
    if rows and not yes:
        confirm(f"Delete these {len(rows)}, with all that is in them? Run {run} created them.")
    go_back(parameters, run)


def adopt(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    yes: Yes = False,
    quiet: Quiet = False,
) -> None:
    """Take over what has the name of a resource of ours, but was made by hand; show it, and ask first.

    It gets the runbook's tags. What of it is not as described, the next run changes; destroy deletes it.
    """
    from lib.execution.describing import described
    from lib.execution.run import has_a_plan, select

    parameters = load(params, assignments, mode="apply")
    require_free(parameters)
    with terminal.aside():
        notebooks = [each for each in select(names) if has_a_plan(each)]
        stacks = [described(notebook, parameters) for notebook in notebooks]
        found = [step for stack in stacks for step in stack.not_ours()]
    terminal.show_table(
        [
            {
                "type": step.resource.noun,
                "name": step.resource.name,
                "region": step.resource.region,
                "what a run would change": step.why,
            }
            for step in found
        ]
    )
    if not found:
        print("nothing that exists under these names was made by somebody else")
        return
    if not yes:
        confirm(f"Take over these {len(found)}? A run changes them from then on, and destroy deletes them.")
    with terminal.aside():
        taken = [step for stack in stacks for step in stack.adopt()]
    print(f"{len(taken)} taken over")
    words = "".join(f" {name}" for name in names) + given(params, assignments)
    terminal.say_next((f"{terminal.command_name()} plan{words}", "what a run would change of them"))


def known(parameters: Parameters) -> Ledger:
    """Return the ledger, with what others have done wherever they work, if AWS can be asked now."""
    from lib.engine.lock import known_ledger

    _, can_be_asked = whereabouts(parameters)
    if not can_be_asked:
        return Ledger.of(parameters)
    with terminal.aside():
        return known_ledger(connect(parameters), parameters)


def require_free(parameters: Parameters) -> None:
    """Go on only if nobody else works on the environment: what is there, and asked about, would be another.

    Raises:
        LockError: If somebody does.
    """
    from lib.engine.lock import Lock

    _, can_be_asked = whereabouts(parameters)
    if can_be_asked:
        with terminal.aside():
            Lock(connect(parameters), parameters).require_free()


def _last(ledger: Ledger) -> str:
    """Return the id of the run that ran last; empty if none has."""
    last = ledger.last_run()
    if last and last.mode == NOT_RECORDED:
        raise ParameterError(
            "earlier versions of the runbook did not write down what ran last: name the run, "
            f"for instance --run {last.id}; {_known(ledger)}"
        )
    return last.id if last else ""


def _others(ledger: Ledger, run: str) -> str:
    """Say what kind of run it was, and which others created something that is still there."""
    last = next((each for each in ledger.runs() if each.id == run), None)
    if last is None:
        raise ParameterError(f"--run {run}: no such run is written down; {_known(ledger)}")
    plan = ", since it was a plan" if last.mode == "plan" else ""
    return f"{plan}. Earlier ones: {_known(ledger)}; --run ID takes one of them back"


def _known(ledger: Ledger) -> str:
    """Return the runs that created what there is, the last one first, and how much."""
    from lib.engine.rollback import touched

    ids = {facts["run"] for facts in ledger.entries().values() if "run" in facts}
    counted = {run: len(touched(ledger, "run", run)) for run in sorted(ids, reverse=True)}
    runs = [
        f"{run} created {count} that {'is' if count == 1 else 'are'} there"
        for run, count in counted.items()
        if count
    ]
    return ", ".join(runs) or "no run created anything that is there"


def _show(title: str, rows: list[dict]) -> None:
    if rows:
        print(f"{title}: {len(rows)}")
        terminal.show_table(rows)


def go_back(parameters: Parameters, run: str) -> None:
    """Delete what a run created, and print what that was, and what was kept."""
    from lib.engine.rollback import rollback as take_back

    print(f"Rolled back: {take_back(connect(parameters), parameters, run)!r}")


def go_back_if_possible(parameters: Parameters, run: str) -> None:
    """Go back after a run that failed; what prevents that is told, and does not hide why the run failed."""
    try:
        go_back(parameters, run)
    except RunbookError as error:
        terminal.say_error(error)


def say_ways_out(parameters: Parameters, run: str, command: str, words: str, options: str) -> None:
    """After a run that did not end well: say how to go on, and how to go back if it created anything.

    Args:
        parameters: Of the run.
        run: Its id.
        command: What was asked for, such as `run`.
        words: What was named with it, and its options, with a space before them.
        options: The options alone.
    """
    from lib.engine.rollback import touched

    runbook = terminal.command_name()
    created = touched(Ledger.of(parameters), "run", run)
    # What keeps findings, such as the buckets of *audit*, is no step that one would go back by.
    is_of_pipeline = any(each["pipeline"] in parameters.pipelines() for each in created.values())
    hints = [(f"{runbook} {command}{words}", "go on where it stopped")]
    if is_of_pipeline and parameters.mode != "move":  # the error says how to go back from one
        what = f"go back: delete the {len(created)} that this run created, but nothing that others put there"
        hints.append((f"{runbook} rollback --run {run}{options}", what))
    terminal.say_next(*hints)
