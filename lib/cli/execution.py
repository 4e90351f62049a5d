"""Notebooks executed for a command: their results shown, told to machines, and made an exit code."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lib.base.errors import LockError, ParameterError, PlanMovedError, RunbookError
from lib.cli import recovery, saved_plan, telling, terminal
from lib.cli.options import (
    EXIT_DIFFERS,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_LEFT_OUT,
    EXITS,
    given,
)
from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.target import connect, start

if TYPE_CHECKING:
    from lib.cli.answers import PlanAnswer, SavedPlan

if TYPE_CHECKING:  # it brings papermill with it, which takes a second and a half to import
    from lib.execution.run import Job, Result


@dataclass(frozen=True)
class Asked:
    """What a command was asked, so that what it proposes keeps to that.

    Attributes:
        names: The notebooks or pipelines that were named.
        params: The files of parameters.
        assignments: `NAME=VALUE`.
        command: Its name.
        at_once: How many notebooks may work at once.
        flags: Further options that were given, each with a space before it.
    """

    names: Sequence[str] = ()
    params: Sequence[Path] = field(default_factory=list)
    assignments: Sequence[str] = ()
    command: str = "run"
    at_once: int = 1
    flags: str = ""

    @property
    def options(self) -> str:
        """The options for the same parameters, with a space before them."""
        return given(self.params, self.assignments)

    @property
    def words(self) -> str:
        """What was named, and the options, with a space before them."""
        return self.named + self.flags + self.options

    @property
    def named(self) -> str:
        """What was named, with a space before each."""
        return "".join(f" {name}" for name in self.names)


@dataclass(frozen=True)
class Ran:
    """Notebooks that were executed.

    Attributes:
        results: Of each.
        run: The id of the run.
        index: The page of the report.
        is_plan: Whether their mode was `plan`.
    """

    results: "list[Result]"
    run: str
    index: Path
    is_plan: bool

    @property
    def bad(self) -> "Result | None":
        """The first that did not end well; one that was not run, if none before it is why."""
        ill = [result for result in self.results if result.outcome in ("failed", "interrupted")]
        not_run = [result for result in self.results if result.outcome == "not run"]
        return next(iter(ill + not_run), None)

    @property
    def is_whole(self) -> bool:
        """Whether each came to its own end, be it a failure."""
        return not any(result.outcome in ("interrupted", "not run") for result in self.results)

    @property
    def exit_code(self) -> int:
        """What the program ends with: what failed comes first, then what differs, then what was left out."""
        failures = [result.failure for result in self.results if result.failure]
        if failures:
            codes = {EXITS.get(failure.kind, EXIT_FAILED) for failure in failures}
            return codes.pop() if len(codes) == 1 else EXIT_FAILED
        if self.bad:
            return EXIT_INTERRUPTED
        if self.is_plan and any(result.differs for result in self.results):
            return EXIT_DIFFERS
        return EXIT_LEFT_OUT if any(result.left_out for result in self.results) else 0


def plan(
    jobs: "Sequence[Job]",
    parameters: Parameters,
    asked: Asked,
    markdown: bool = False,
    out: Path | None = None,
    alert: bool = False,
) -> None:
    """Execute notebooks for their plans, and show these; one that cannot be planned does not stop the others.

    Args:
        jobs: What to execute.
        parameters: Their mode is `plan`.
        asked: What the command was asked.
        markdown: Whether to show them as Markdown, such as for a comment on a pull request.
        out: Where to keep the plan for `runbook run --plan`, if anywhere; one that did not come to its end
            is not kept.
        alert: Whether the topic of alerts is told of what differs; not by one that did not come to its end.

    Raises:
        NotDeployedError: If it is to be told, and is not there.
        typer.Exit: With the exit code, if that is not 0.
    """
    alerts = None
    if alert:
        with terminal.aside():
            alerts = telling.alerts_of(connect(parameters), parameters, asked=True)
    ran = _run(jobs, parameters, asked.at_once)
    answer = _answer(ran, parameters)
    if out and ran.is_whole and not _kept(partial(saved_plan.write, out, asked.names, parameters, answer)):
        answer = answer.model_copy(update={"exit_code": EXIT_FAILED})
    if terminal.answer(answer):
        pass
    elif markdown:
        print(saved_plan.as_markdown(answer))
    else:
        for result in ran.results:
            terminal.show_plan(result.rows)
            terminal.show_differences(result.made.get("differences", {}))
            if result.adopting:
                print(f"{result.name} adopts:")
                terminal.show_table(result.adopting)
        _show(ran)
        if answer.differs and not ran.bad:
            _say_next(parameters, asked)
    if ran.is_whole:
        telling.tell(alerts, "plan", asked.names, telling.of_plan(answer))
    else:  # what was not looked at is no all-clear
        for what in [*([f"{out} was not written"] if out else []), *(["no alert was told"] if alert else [])]:
            print(f"the plan did not come to its end: {what}", file=sys.stderr)
    _end(answer.exit_code)


def _answer(ran: Ran, parameters: Parameters) -> "PlanAnswer":
    from lib.cli.answers import Environment, PlanAnswer, left_out_of, planned

    return PlanAnswer(
        environment=Environment.of(parameters),
        exit_code=ran.exit_code,
        differs=any(result.differs for result in ran.results),
        notebooks=[planned(result) for result in ran.results],
        left_out=left_out_of(ran.results),
    )


def _require_still(
    path: Path, saved: "SavedPlan", jobs: "Sequence[Job]", parameters: Parameters, asked: Asked
) -> None:
    """Plan again, and go on only if that is what a saved plan says; for who has the lock.

    Args:
        path: The file that `runbook plan --out` wrote.
        saved: What is in it.
        jobs: What is about to be executed.
        parameters: Of the run.
        asked: What the command was asked.

    Raises:
        PlanMovedError: If the world has moved since; says what has.
        RunbookError: If that cannot be seen.
        KeyboardInterrupt: If somebody interrupted it.
    """
    planning = parameters.model_copy(update={"mode": "plan", "exercise": False})
    ran = _run(jobs, planning, asked.at_once)
    for result in ran.results:
        terminal.show_failure(result)
    if ran.bad and ran.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if ran.bad:
        raise RunbookError(f"whether {path} is still true could not be seen; nothing was done")
    if moved := saved_plan.moved(saved.plan, _answer(ran, parameters)):
        raise PlanMovedError(f"{path} is true no more; nothing was done: {'; '.join(moved)}. Plan again")


def execute(
    jobs: "Sequence[Job]",
    parameters: Parameters,
    asked: Asked,
    go_back: bool = False,
    junit: Path | None = None,
    saved: Path | None = None,
) -> None:
    """Execute notebooks, write the report, and show what became of them.

    Args:
        jobs: What to execute.
        parameters: Given to each.
        asked: What the command was asked.
        go_back: Whether to delete what the run created if it does not end well.
        junit: Where to write the checklists as JUnit does, if anywhere.
        saved: A plan that must still be true, if there is one.

    Raises:
        ParameterError: If the saved plan was made for something else.
        typer.Exit: With the exit code, if that is not 0.
    """
    from lib.cli.answers import Environment, RunAnswer, executed, left_out_of
    from lib.execution.run import has_a_plan

    first: Callable[[], None] = lambda: None  # noqa: E731
    if saved:
        kept = saved_plan.read(saved)
        saved_plan.require_same(saved, kept, asked.names, parameters)
        planned = [job for job in jobs if has_a_plan(job.notebook)]
        first = partial(_require_still, saved, kept, planned, parameters, asked)
    ran = _run(jobs, parameters, asked.at_once, go_back, first)
    code = ran.exit_code
    if junit:
        from lib.cli import junit as checklists

        if not _kept(partial(checklists.write, junit, ran.results)):
            code = EXIT_FAILED
    answer = RunAnswer(
        environment=Environment.of(parameters),
        exit_code=code,
        run=ran.run,
        report=str(ran.index),
        notebooks=[executed(result) for result in ran.results],
        left_out=left_out_of(ran.results),
    )
    if not terminal.answer(answer):
        _show(ran)
        if ran.bad:
            recovery.say_ways_out(parameters, ran.run, asked.command, asked.words, asked.options)
        else:
            _say_next(parameters, asked)
    _end(code)


def _kept(write: Callable[[], None]) -> bool:
    """Write a file, and return whether it could be; if not, nothing of the answer goes with it."""
    try:
        write()
    except OSError as error:
        terminal.say_error(error)
        return False
    return True


def _run(
    jobs: "Sequence[Job]",
    parameters: Parameters,
    at_once: int,
    go_back: bool = False,
    first: Callable[[], None] = lambda: None,
) -> Ran:
    """Execute notebooks within a run of their own, and write its report; `first` is done under its lock."""
    from lib.engine.lock import run_alone
    from lib.execution.report import Pages, write_report
    from lib.execution.run import execute_all, has_a_plan, new_folder

    began = datetime.now(UTC)
    with Pages() as pages, terminal.aside():

        def ended(result: "Result") -> None:
            terminal.say_ended(result)
            pages.begin(result)

        start(parameters)  # here, where one can see that it is being installed, rather than in a notebook
        with run_alone(parameters, makes_roles=any(has_a_plan(job.notebook) for job in jobs)) as running:
            first()
            folder = new_folder(began)
            running.told["folder"] = folder  # also for a run that is interrupted meanwhile
            results = execute_all(jobs, parameters, folder, at_once, ended=ended)
            running.told |= _told(results)
            if go_back and any(result.outcome != "ok" for result in results):
                recovery.go_back_if_possible(parameters, running.run)
        index = write_report(folder, results, parameters, began, running.record, pages)
    ran = Ran(results, running.run, index, parameters.mode == "plan")
    # If nothing was done, what is wrong with the parameters, or locked, is told as if found before the first.
    failures = [result.failure for result in results if result.failure]
    was_done = any(result.outcome not in ("failed", "not run") for result in results)
    for kind in (ParameterError, LockError):
        if parameters.mode != "plan" and not was_done and {each.kind for each in failures} == {kind.__name__}:
            raise kind(failures[0].message)
    return ran


def _told(results: "Sequence[Result]") -> dict[str, Any]:
    """Return what the record of a run says of its notebooks."""
    from lib.cli.answers import recorded

    failures = [result.failure for result in results if result.failure]
    error = {"error": {"kind": failures[0].kind, "message": failures[0].message}} if failures else {}
    outcomes = [result.outcome for result in results if result.outcome in ("failed", "interrupted")]
    if not outcomes and any(result.outcome == "not run" for result in results):
        outcomes = ["interrupted"]
    return {"notebooks": [recorded(result) for result in results], "outcome": [*outcomes, "ok"][0], **error}


def _show(ran: Ran) -> None:
    """Print the table of a run, its notes, what it left out, and where its report is; failures to stderr."""
    terminal.show_results(ran.results, is_plan=ran.is_plan)
    for note in (note for result in ran.results for note in result.made.get("notes", [])):
        print(note)
    for name, each in ((result.name, each) for result in ran.results for each in result.left_out):
        print(f"{name}: left out: {each['what']}: {each['reason']}")
    for result in ran.results:
        terminal.show_failure(result)
    terminal.note(f"Report   {terminal.shown_path(ran.index)}")


def _say_next(parameters: Parameters, asked: Asked) -> None:
    """Say what can be tried next: what can be done with what exists, or how to make it."""
    runbook, option = terminal.command_name(), asked.options
    if parameters.mode == "plan":
        flags = asked.flags if asked.command == "destroy" else ""
        terminal.say_next((f"{runbook} {asked.command}{asked.named}{flags}{option}", "do what the plan says"))
    elif asked.command == "destroy":
        again = (f"{runbook} run{asked.named}{option}", "make it again")
        is_all_gone = not (asked.names or asked.flags)
        still = (f"{runbook} status{option}", "what is still there")
        terminal.say_next(*([again] if is_all_gone else [still, again]))
    elif Ledger.of(parameters).outputs():
        terminal.say_next(
            (f'eval "$({runbook} env{option})"; aws s3 ls', "look at it with any AWS tool"),
            (f"{runbook} output{option}", "what was made: names and addresses"),
            (f"{runbook} destroy{option}", "remove it, and prove that nothing is left"),
        )
    else:
        terminal.say_next((f"{runbook} run{asked.words}", "make it"))


def _end(exit_code: int) -> None:
    if exit_code:
        raise typer.Exit(exit_code)
