"""The command line, `runbook`: what the notebooks do, without opening them."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from lib.base.errors import NotDeployedError, ParameterError
from lib.base.paths import home
from lib.cli import export, live, local, new, recovery, settings, terminal, verifying
from lib.cli.options import (
    DEFAULT_PARAMS,
    EXIT_DIFFERS,
    EXIT_FAILED,
    EXIT_LEFT_OUT,
    NONE_GIVEN,
    Assignments,
    Commands,
    Names,
    Params,
    Yes,
    confirm,
    given,
    load,
)
from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.parameters.types import did_you_mean
from lib.target import connect, needs_consent, start, whereabouts

# lib.execution is imported where it is used: papermill and nbconvert take two seconds to import,
# and `runbook output` shall answer at once.

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(cls=Commands, no_args_is_help=True)
app.command()(recovery.unlock)
app.command()(recovery.rollback)
app.command(epilog="Example: runbook verify runs/cutovers/RECORD.jsonl.gz --of destination")(verifying.verify)
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
) -> None:
    """Run notebooks headlessly: all in order, or those named."""
    parameters = load(params, assignments, mode=mode, exercise=exercise)
    from lib.execution.run import DESTROY, Job, has_a_plan, select

    notebooks = select(names)
    if any(notebook.stem == DESTROY for notebook in notebooks):
        raise ParameterError(f"{DESTROY} is run by `runbook destroy`, which asks first; nothing was done")
    jobs = [Job(notebook) for notebook in notebooks]
    makes_roles = any(has_a_plan(notebook) for notebook in notebooks)
    _execute(jobs, parameters, params, assignments, go_back=rollback, makes_roles=makes_roles)


@app.command(epilog="Examples: runbook plan | runbook plan --set migrate.batch_size=5 | runbook plan destroy")
def plan(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if anything differs.")] = False,
) -> None:
    """Show what a run would create, change or leave; write nothing."""
    parameters = load(params, assignments, mode="plan", exercise=False)
    from lib.execution.run import Job, has_a_plan, select

    notebooks = select(names) if names else [each for each in select([]) if has_a_plan(each)]
    results = _execute([Job(notebook) for notebook in notebooks], parameters, params, assignments)
    if exit_code and any(result.differs for result in results):
        raise typer.Exit(EXIT_DIFFERS)


@app.command(epilog="Where nobody can answer it needs --yes, except for the AWS on this laptop.")
def destroy(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    yes: Yes = False,
) -> None:
    """Remove all pipelines, or those named, and prove that nothing is left; ask first on a terminal."""
    parameters = load(params, assignments, mode="apply")
    from lib.execution.run import DESTROY, Job, select, short_name

    chosen = [short_name(name) for name in names]
    if unknown := sorted(set(chosen) - set(parameters.sections())):
        raise ParameterError(
            f"unknown pipeline {unknown[0]!r}; there are: {', '.join(parameters.sections())}"
        )
    if not yes:
        what = f"{', '.join(chosen) or 'all pipelines'} of env {parameters.env!r}"
        where = f"account {parameters.account_id} on target {parameters.target!r}"
        others = {one.account_id for one in parameters.scope().others if one.pipeline in chosen or not chosen}
        where = " and ".join([where, *(f"account {one}" for one in sorted(others))])
        confirm(f"Destroy {what} in {where}?", may_skip=not needs_consent(parameters))
    (notebook,) = select([DESTROY])
    _execute([Job(notebook, {"pipeline": name}) for name in chosen or [""]], parameters, params, assignments)


@app.command()
def status(
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    every: Annotated[bool, typer.Option("--all", help="Every environment of the account.")] = False,
) -> None:
    """Say where AWS is, whether it runs, and what exists there."""
    from lib.engine.environments import environments
    from lib.engine.inventory import Inventory
    from lib.resources.s3_freeze import Freeze

    parameters = load(params, assignments)
    where, can_be_asked = whereabouts(parameters)
    print(where)
    if not can_be_asked:
        return
    target = connect(parameters)
    print(f"account {target.account_id}, as {target.caller}")
    if every:
        found = environments(target, parameters)
        terminal.show_table(found.to_dict("records"))
        print(f"{len(found)} environment{'' if len(found) == 1 else 's'}")
        return
    found = Inventory(target, parameters).table()
    for pipeline, rows in found.groupby("pipeline"):
        terminal.show_table(rows.drop(columns="pipeline").to_dict("records"))
        print(f"{pipeline}: {len(rows)} resources")
    for pipeline in sorted(set(parameters.pipelines()) - set(found["pipeline"])):
        print(f"{pipeline}: no resources")
    for row in found[found["type"] == Freeze.noun].itertuples(index=False):
        print(f"{row.pipeline}: its source is FROZEN ({row.name}): {Freeze.stays}")


@app.command(epilog="Example: aws s3 cp FILE s3://$(runbook output migrate.source_bucket)/")
def output(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as migrate, or migrate.source_bucket.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
) -> None:
    """Print what the pipelines made, or one of them; of a single output the value alone, for scripts."""
    parameters = load(params, assignments)
    made = Ledger.of(parameters).outputs()
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
        raise NotDeployedError(f"unknown output {name!r}{meant} `runbook output` shows all there are")
    if as_json:
        print(json.dumps(made[name] if name else made, indent=2))
        return
    for key, value in values.items():
        if not name or key.startswith(f"{name}."):
            print(f"{key} = {value}")


@app.command(epilog='Example: eval "$(runbook env)"; aws s3 ls')
def env(params: Params = DEFAULT_PARAMS, assignments: Assignments = NONE_GIVEN) -> None:
    """Print shell exports by which any AWS tool reaches the AWS on this laptop (starts it).

    What could lead a tool elsewhere is taken away: profiles, configuration files, tokens, other endpoints.
    The keys are of no use on AWS. For a real account they set the region; all else is as it was before.
    """
    from lib.cli.exports import exports, to_shell

    print(to_shell(exports(load(params, assignments))))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: runbook lab --no-browser --port 9999",
)
def lab(ctx: typer.Context) -> None:
    """Open the notebooks in JupyterLab; further arguments go to it."""
    from lib.execution.run import NOTEBOOKS

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel before one of the user's
    root = f"--ServerApp.root_dir={NOTEBOOKS}"
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", root, *ctx.args])


def _execute(
    jobs: list,
    parameters: Parameters,
    params: Path,
    assignments: Sequence[str],
    go_back: bool = False,
    makes_roles: bool = False,
) -> list:
    """Execute notebooks, write the report, show both; exit if one did not end well."""
    from lib.engine.lock import run_alone
    from lib.execution.report import write_report
    from lib.execution.run import execute_all, new_folder

    start(parameters)  # here, where one can see that it is being installed, rather than in a notebook
    began = datetime.now(UTC)
    with run_alone(parameters, makes_roles) as run:
        folder = new_folder(began)
        results = []
        for result in execute_all(jobs, parameters, folder):
            results.append(result)
            if result.outcome == "ok" and not sys.stderr.isatty():  # there a bar would have told it
                print(f"{result.name}: ok, {result.seconds:.0f} s", file=sys.stderr, flush=True)
        if go_back and results[-1].outcome != "ok":
            recovery.go_back_if_possible(parameters, run)
    index = write_report(folder, results, parameters, began)
    bad = next((result for result in results if result.outcome != "ok"), None)
    if bad and bad.failure and bad.failure.kind == ParameterError.__name__:
        raise ParameterError(bad.failure.message)
    if parameters.mode == "plan":
        for result in results:
            terminal.show_table(result.rows)
            if result.adopting:
                print(f"{result.name} adopts:")
                terminal.show_table(result.adopting)
    terminal.show_results(results)
    for note in (note for result in results for note in result.made.get("notes", [])):
        print(note)
    left_out = [(result.name, each) for result in results for each in result.left_out]
    for name, each in left_out:
        print(f"{name}: left out: {each['what']}: {each['reason']}")
    if bad:
        terminal.show_failure(bad)
    print(f"Report   {terminal.shown_path(index)}")
    if bad:
        recovery.say_ways_out(parameters, run, params, assignments)
        raise typer.Exit(EXIT_FAILED if bad.failure else EXIT_INTERRUPTED)
    _say_next(parameters, params, assignments)
    if left_out:
        raise typer.Exit(EXIT_LEFT_OUT)
    return results


def _say_next(parameters: Parameters, params: Path, assignments: Sequence[str]) -> None:
    """Say what can be tried next: what can be done with what exists, or how to make it."""
    runbook, option = terminal.command_name(), given(params, assignments)
    if Ledger.of(parameters).outputs():
        terminal.say_next(
            (f'eval "$({runbook} env{option})"; aws s3 ls', "look at it with any AWS tool"),
            (f"{runbook} output{option}", "what was made: names and addresses"),
            (f"{runbook} destroy{option}", "remove it, and prove that nothing is left"),
        )
    else:
        terminal.say_next((f"{runbook} run{option}", "make it"))
