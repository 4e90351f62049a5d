"""The command line, `runbook`: what the notebooks do, without opening them."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lib.base import run_folders
from lib.base.errors import NotDeployedError, ParameterError
from lib.base.paths import home
from lib.base.shown import counted
from lib.cli import execution, export, live, local, looking, new, recovery, settings, terminal, verifying
from lib.cli.execution import Asked
from lib.cli.looking import Junit
from lib.cli.options import (
    DEFAULT_PARAMS,
    NONE_GIVEN,
    Alert,
    AsJson,
    Assignments,
    Commands,
    Jobs,
    Names,
    Params,
    Quiet,
    Yes,
    can_answer,
    confirm,
    cores,
    load,
    require_writable,
)
from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.parameters.types import did_you_mean
from lib.target import connect, kept_here, needs_consent, whereabouts

if TYPE_CHECKING:
    from lib.execution.run import Job

# lib.execution is imported where it is used: papermill and nbconvert take two seconds to import,
# and `runbook output` shall answer at once.

app = typer.Typer(cls=Commands, no_args_is_help=True)
KeepData = Annotated[
    bool, typer.Option("--keep-data", help="Keep buckets and tables, with all that is in them.")
]

app.command()(recovery.unlock)
app.command()(recovery.rollback)
app.command(epilog="Example, in a crontab: runbook audit --params params/mine.yaml --quiet")(looking.audit)
app.command()(looking.redrive)
app.command(epilog="Example: runbook acknowledge index broken.csv --reason 'the sender is gone'")(
    looking.acknowledge
)
app.command(epilog="Example: runbook adopt migrate")(recovery.adopt)
app.command()(looking.history)
app.command(epilog="Examples: runbook verify | runbook verify runs/cutovers/RECORD.jsonl.gz --of source")(
    verifying.verify
)
app.command()(live.live)
app.command(epilog="Examples: runbook params > params/mine.yaml | runbook params migrate backup")(
    settings.params
)
app.add_typer(
    local.app, name="local", help="The AWS on this laptop: start, stop, status, reset, corrections."
)
app.add_typer(export.app, name="export", help="Write a pipeline as CloudFormation or Terraform has it.")
app.add_typer(new.app, name="new", help="Write what one begins with: a pipeline of your own.")


def _version(asked: bool) -> None:
    if asked:
        print(version("runbook"))
        raise typer.Exit


@app.callback(epilog="Begin with `runbook run`; end with `runbook destroy`.")
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Operate event-driven S3 pipelines, on the AWS on this laptop or on a real account."""
    if "RUNBOOK_HOME" in os.environ:  # notebooks run in another folder, where a relative path leads elsewhere
        os.environ["RUNBOOK_HOME"] = str(home())


@app.command(epilog="Examples: runbook run | runbook run migrate --no-exercise --params params/aws.yaml")
def run(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    mode: Annotated[str | None, typer.Option(help=Parameters.model_fields["mode"].description)] = None,
    exercise: Annotated[
        bool | None, typer.Option(help=Parameters.model_fields["exercise"].description)
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="If it does not end well, delete what this run created.")
    ] = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Only if this saved plan is still true.")
    ] = None,
    junit: Junit = None,
    jobs: Jobs = None,
    yes: Yes = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run notebooks headlessly: all but the tour in order, or those named; what may run side by side does.

    On a real account it asks first.
    """
    parameters = load(params, assignments, mode=mode, exercise=exercise)
    if junit:
        require_writable(junit, "--junit")
    from lib.execution.run import DESTROY, Job, select

    notebooks = select(names)
    if any(notebook.stem == DESTROY for notebook in notebooks):
        raise ParameterError(f"{DESTROY} is run by `runbook destroy`, which asks first; nothing was done")
    if needs_consent(parameters) and parameters.mode != "plan" and not yes:
        what = " ".join(each.stem for each in notebooks) if names else "all notebooks"
        confirm(f"Run {what} in {_place(parameters)}?")
    flags = f" --mode {mode}" if mode else ""
    flags += "" if exercise is None else f" --{'' if exercise else 'no-'}exercise"
    flags += " --rollback" if rollback else ""
    flags += f" --junit {shlex.quote(str(junit))}" if junit else ""
    flags += f" --jobs {jobs}" if jobs else ""
    asked = Asked(names, params, assignments, at_once=jobs or cores(), flags=flags)
    todo = [Job(notebook) for notebook in notebooks]
    execution.execute(todo, parameters, asked, go_back=rollback, junit=junit, saved=plan)


@app.command(
    epilog="Examples: runbook plan | runbook plan --set migrate.batch_size=5 | runbook plan destroy index"
)
def plan(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    exit_code: Annotated[bool, typer.Option("--exit-code", hidden=True)] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As Markdown, such as for a comment on a pull request.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Keep it, for `runbook run --plan FILE`.")
    ] = None,
    keep_data: KeepData = False,
    jobs: Jobs = None,
    alert: Alert = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what a run would create, change or leave; write nothing. Exits with 3 if anything differs.

    With `destroy` what `runbook destroy` would remove: of the pipelines named after it, or of all.
    """
    parameters = load(params, assignments, mode="plan", exercise=False)
    if markdown and as_json:
        raise ParameterError("--markdown and --json: choose one of them; nothing was done")
    from lib.execution.run import DESTROY, Job, has_a_plan, select, short_name

    asked = Asked(names, params, assignments, at_once=jobs or cores())
    of_destroy = [name for name in names if short_name(name) == short_name(DESTROY)]
    if keep_data and not of_destroy:
        raise ParameterError("--keep-data is of what would be destroyed: runbook plan destroy --keep-data")
    if of_destroy:
        if out:
            raise ParameterError("--out keeps a plan for `runbook run`, which does not destroy: use --json")
        pipelines = [name for name in names if name not in of_destroy]
        todo, asked = _destroying(parameters, replace(asked, names=pipelines), keep_data)
    else:
        notebooks = select(names) if names else [each for each in select([]) if has_a_plan(each)]
        todo = [Job(notebook) for notebook in notebooks]
    if out:
        require_writable(out, "--out")
    execution.plan(todo, parameters, asked, markdown=markdown, out=out, alert=alert)


@app.command(epilog="Where nobody can answer, a real account needs --confirm with the environment's name.")
def destroy(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; a real account wants --confirm as well.")
    ] = False,
    confirmed: Annotated[
        str, typer.Option("--confirm", metavar="ENV", help="The environment's name; then nothing is asked.")
    ] = "",
    keep_data: KeepData = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Remove all pipelines, or those named, and prove that nothing is left; say what goes, and ask first."""
    parameters = load(params, assignments, mode="apply")
    todo, asked = _destroying(parameters, Asked(names, params, assignments), keep_data)
    chosen = asked.names
    if confirmed and confirmed != parameters.env:
        raise ParameterError(
            f"--confirm {confirmed}: the environment is {parameters.env!r}; nothing was done"
        )
    if not (confirmed or (yes and not needs_consent(parameters))):
        what = f"{', '.join(chosen) or 'all pipelines'} of env {parameters.env!r}"
        what += ", but buckets and tables," if keep_data else ""
        others = {one.account_id for one in parameters.scope().others if one.pipeline in chosen or not chosen}
        where = " and ".join([_place(parameters), *(f"account {one}" for one in sorted(others))])
        if can_answer():
            recovery.require_free(parameters)
            _say_what_goes(parameters, chosen, keep_data)
        confirm(f"Destroy {what} in {where}?", name=parameters.env if needs_consent(parameters) else "")
    execution.execute(todo, parameters, asked)


def _destroying(parameters: Parameters, asked: Asked, keep_data: bool) -> "tuple[list[Job], Asked]":
    """Return the notebook that destroys, once for each pipeline that was asked for, or for all if none was.

    And what was asked for, by short names and as of the command `destroy`.

    Raises:
        ParameterError: If one is no pipeline.
    """
    from lib.execution.run import DESTROY, Job, select, short_name

    chosen = list(dict.fromkeys(short_name(name) for name in asked.names))
    if unknown := sorted(set(chosen) - set(parameters.sections())):
        meant = did_you_mean(unknown[0], parameters.sections()) or ";"
        raise ParameterError(
            f"unknown pipeline {unknown[0]!r}{meant} there are: {', '.join(parameters.sections())}"
        )
    (notebook,) = select([DESTROY])
    own = {"keep_data": True} if keep_data else {}
    jobs = [Job(notebook, {"pipeline": name, **own}) for name in chosen or [""]]
    return jobs, replace(asked, names=chosen, command="destroy", flags=" --keep-data" if keep_data else "")


def _say_what_goes(parameters: Parameters, chosen: Sequence[str], keep_data: bool) -> None:
    """Print what a destruction would delete, how much is in it, and what would stop it."""
    from lib.engine.inventory import Inventory

    with terminal.aside():
        aws = connect(parameters)
        for name in chosen or [""]:
            inventory = Inventory(aws, parameters, name)
            going = inventory.going(keep_data)
            protected = inventory.protected(going)
            print(f"{name or 'all'}: {going!r}")
            terminal.show_table(going.holding().to_dict("records"))
            for what, why in protected.items():
                print(f"protected: {what}: {why}")


def _place(parameters: Parameters) -> str:
    return f"account {parameters.account_id} on target {parameters.target!r}"


@app.command()
def status(
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    every: Annotated[bool, typer.Option("--all", help="Every environment of the account.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say where AWS is, whether it runs, and what exists there."""
    from lib.cli.answers import Environment, StatusAnswer
    from lib.engine.environments import environments
    from lib.engine.inventory import Inventory
    from lib.resources.s3_freeze import Freeze

    parameters = load(params, assignments)
    where, can_be_asked = whereabouts(parameters)
    facts: dict = {"environment": Environment.of(parameters), "where": where, "runs": can_be_asked}
    facts["kept"] = {"runs": run_folders.kept(home() / "runs", parameters.runs_kept), **kept_here(parameters)}
    if not can_be_asked:
        if not terminal.answer(StatusAnswer(**facts)):
            print(where)
            _note_what_is_kept(facts["kept"])
        return
    with terminal.aside():
        target = connect(parameters)
        every_one = environments(target, parameters) if every else None
        found = None if every else Inventory(target, parameters).table()
    facts["caller"] = target.caller
    if found is not None:
        frozen = {row.pipeline: row.name for row in found.itertuples() if row.type == Freeze.noun}
        of = {str(name): rows.drop(columns="pipeline") for name, rows in found.groupby("pipeline")}
        facts["pipelines"] = [
            {
                "pipeline": name,
                "frozen": name in frozen,
                "resources": rows.rename(columns={"made by": "made_by"}).to_dict("records"),
            }
            for name, rows in of.items()
        ]
    if every_one is not None:
        facts["environments"] = every_one.to_dict("records")
    if terminal.answer(StatusAnswer(**facts)):
        return
    _note_what_is_kept(facts["kept"])
    print(where)
    print(f"account {target.account_id}, as {target.caller}")
    if every_one is not None:
        terminal.show_table(every_one.to_dict("records"))
        print(f"{len(every_one)} environment{'' if len(every_one) == 1 else 's'}")
        return
    for name, rows in of.items():
        terminal.show_table(rows.to_dict("records"))
        print(f"{name}: {counted(len(rows), 'resource')}")
    for name in sorted(set(parameters.pipelines()) - set(of)):
        print(f"{name}: no resources")
    for name, bucket in frozen.items():
        print(f"{name}: its source is FROZEN ({bucket}): {Freeze.stays}")


def _note_what_is_kept(kept: dict[str, str]) -> None:
    for what, how_much in kept.items():
        terminal.note(f"kept here: {what}: {how_much}")


@app.command(epilog="Example: aws s3 cp FILE s3://$(runbook output migrate.source_bucket)/")
def output(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as migrate, or migrate.source_bucket.")
    ] = "",
    as_json: AsJson = False,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    quiet: Quiet = False,
) -> None:
    """Print what the pipelines made, or one of them; of a single output the value alone, for scripts."""
    parameters = load(params, assignments)
    # What is written down here answers at once; a fresh checkout asks the account.
    made = Ledger.of(parameters).outputs() or recovery.known(parameters).outputs()
    values = {
        f"{pipeline}.{key}": value for pipeline, values in made.items() for key, value in values.items()
    }
    if not values:
        raise NotDeployedError(f"env {parameters.env!r}: nothing is deployed; begin with `runbook run`")
    if name in values:
        print(json.dumps(values[name]) if as_json else values[name])
        return
    if name and name not in made:
        meant = did_you_mean(name, [*made, *values]) or ";"
        pipeline = name.split(".", 1)[0]
        if pipeline not in made and pipeline in parameters.sections():
            there = ", ".join(made)
            raise NotDeployedError(
                f"{pipeline} is not deployed as env {parameters.env!r}; there are outputs of: {there}"
            )
        raise ParameterError(f"unknown output {name!r}{meant} `runbook output` shows all there are")
    if as_json:
        print(json.dumps(made[name] if name else made, indent=2))
        return
    for key, value in values.items():
        if not name or key.startswith(f"{name}."):
            print(f"{key} = {value}")


@app.command(epilog='Example: eval "$(runbook env)"; aws s3 ls')
def env(
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    administrator: Annotated[
        bool,
        typer.Option(
            "--administrator",
            help="With a key that may do everything, as somebody else's: to make a bucket to adopt.",
        ),
    ] = False,
) -> None:
    """Print shell exports by which any AWS tool reaches the AWS on this laptop (starts it).

    What could lead a tool elsewhere is taken away: profiles, configuration files, tokens, other endpoints.
    The keys are of no use on AWS. For a real account they set the region; all else is as it was before.
    """
    from lib.cli.exports import exports, to_shell

    print(to_shell(exports(load(params, assignments), as_administrator=administrator)))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: runbook lab --no-browser --port 9999",
)
def lab(ctx: typer.Context) -> None:
    """Open the project in JupyterLab, the first notebook in front; further arguments go to it."""
    from lib.cli import lab

    command = lab.command(ctx.args)
    os.execve(command[0], command, lab.environment())
