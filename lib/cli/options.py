"""What the commands have in common: their options, the parameters they work with, and their errors."""

import os
import select
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from filelock import Timeout
from typer.core import TyperGroup

from lib.base.errors import LockError, ParameterError, PlanMovedError, RunbookError
from lib.base.explained import explained
from lib.base.paths import ROOT
from lib.base.refusals import is_denied
from lib.base.signals import terminated_as_interrupted
from lib.cli import terminal
from lib.parameters import Parameters

EXIT_FAILED = 1
EXIT_PARAMETERS = 2
EXIT_DIFFERS = 3
EXIT_LOCKED = 4
EXIT_LEFT_OUT = 5
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
# Of errors that are told by the name of their class, since they were raised in a notebook.
EXITS = {
    ParameterError.__name__: EXIT_PARAMETERS,
    LockError.__name__: EXIT_LOCKED,
    PlanMovedError.__name__: EXIT_DIFFERS,
    KeyboardInterrupt.__name__: EXIT_INTERRUPTED,
}

DEFAULT_PARAMS = [Path("params/local.yaml")]
ANSWER_S = 2  # so long is waited for an answer that is piped in
# Lists have tuples as their defaults: Typer makes a list of them, and nobody can append to them by mistake.
Names = Annotated[list[str], typer.Argument(metavar="NAME", show_default=False, help="Such as migrate.")]
Params = Annotated[
    list[Path],
    typer.Option(
        "--params",
        metavar="FILE",
        help="The environment's parameters (YAML); of several, the later replace what the earlier say.",
    ),
]
Assignments = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Such as migrate.batch_size=5 or 'ingest.tickers=[A, B]'; repeatable. It wins over a variable "
        "such as RUNBOOK_MIGRATE__BATCH_SIZE, and that over files.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="So many notebooks at once; by default as many as there are cores."
    ),
]
NONE_GIVEN: list[str] = []  # of names or assignments; Typer knows lists only, and makes each command its own
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Alert = Annotated[
    bool,
    typer.Option("--alert", help="Tell the topic of alerts what is found, unless that was told last."),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", callback=terminal.answer_in_json, help="The result as JSON (docs/machines.md)."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=terminal.be_quiet, help="Only the result, and errors.")
]


# What one needs first is listed first; what is not here comes after it.
FIRST = (
    *("lab", "run", "plan", "status", "output", "destroy", "env", "params", "new", "local"),
    *("audit", "redrive", "history", "acknowledge", "verify", "adopt", "rollback", "unlock"),
)


class Commands(TyperGroup):
    """A group of commands; what a person can act on ends in one message and an exit code, no traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order in which help lists them."""
        place = {name: number for number, name in enumerate(FIRST)}
        return sorted(super().list_commands(ctx), key=lambda name: place.get(name, len(place)))

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run the program; before it, its help or an error of its command line is printed."""
        terminal.begin()
        return super().main(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:  # a Context, of whose base Typer has no public name
        """Run the command that was asked for."""
        try:
            with terminated_as_interrupted():
                return super().invoke(ctx)
        except BrokenPipeError:  # whoever reads has enough
            raise
        except (RunbookError, BotoCoreError, ClientError, OSError, Timeout, KeyboardInterrupt) as error:
            code, told = exit_code_of(error), explained(error) or error
            terminal.say_error(f"{told}{_may_not(error)}")
            terminal.answer_error(told, code)
        raise typer.Exit(code)


def _may_not(error: BaseException) -> str:
    """Return what those may do who may not do this, if that is what an error says."""
    if not (isinstance(error, ClientError) and is_denied(error)):
        return ""
    return (
        ". Whoever has lib/policies/reader-policy.json may plan, and look at status, output, history, audit "
        "and redrive, with its second part also by --alert; all else needs lib/policies/deployer-policy.json"
    )


def exit_code_of(error: BaseException) -> int:
    """Return the exit code with which an error ends the program."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return next((EXITS[kind] for kind in kinds if kind in EXITS), EXIT_FAILED)


def load(params: Sequence[Path], assignments: Sequence[str], **given: Any) -> Parameters:
    """Read and check the parameters: of files, then of variables, then of `--set`, then of options.

    If none of them says which AWS is meant, it is said which is.

    Args:
        params: Files, looked for in the working directory first, then in the project.
        assignments: `NAME=VALUE`, where NAME may be `section.name`.
        given: Values by name, which win over all; None is for a value that is not given.

    Returns:
        The parameters, each of which knows its origin.

    Raises:
        ParameterError: If one is wrong.
    """
    files = [Parameters.layer_of(_found(path)) for path in params]
    options = {name: value for name, value in given.items() if value is not None}
    layers = [*files, *Parameters.variables(os.environ), ("--set", Parameters.assigned(assignments))]
    layers.append(("an option", options))
    parameters = Parameters.of_layers(layers)
    if params and not any("target" in values for _, values in layers):
        named = ", ".join(map(str, params))
        names = "name" if len(params) > 1 else "names"
        terminal.note(f"{named} {names} no target: it is {parameters.target!r}, the AWS on this laptop")
    return parameters


def _found(path: Path) -> Path:
    in_project = ROOT / path
    return in_project if in_project.exists() and not path.exists() else path


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def given(params: Sequence[Path], assignments: Sequence[str]) -> str:
    """Return the options by which another command works with the same parameters, with a space before them.

    Args:
        params: The files of parameters.
        assignments: `NAME=VALUE`.
    """
    options = [] if list(params) == DEFAULT_PARAMS else [w for p in params for w in ("--params", str(p))]
    options += [word for assignment in assignments for word in ("--set", assignment)]
    return f" {shlex.join(options)}" if options else ""


def require_writable(path: Path, option: str) -> None:
    """Refuse a file that cannot be written, before the work whose result it is for.

    Args:
        path: The file; its folder is made if need be. What is in it stays.
        option: That it was given with.

    Raises:
        ParameterError: If it cannot be written.
    """
    is_new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        why = error.strerror or error
        raise ParameterError(f"{option} {path}: cannot be written: {why}; nothing was done") from None


def confirm(question: str, name: str = "") -> None:
    """Ask, and stop unless the answer is yes: on a terminal, or what is piped in.

    Args:
        question: What is about to be done.
        name: The answer that is yes, in place of y; such as an environment's name.

    Raises:
        RunbookError: If nobody answers, or if the answer is no.
    """
    if sys.stdin.isatty():
        if not name:
            typer.confirm(question, abort=True, err=True)
            return
        answer = typer.prompt(f"{question} Write {name} to go on", err=True, default="", show_default=False)
    else:
        answer = _piped()
    if answer is None:
        way = f"--confirm {name}" if name else "--yes"
        raise RunbookError(f"{question} Nobody can answer here: say {way}. Nothing was done")
    if answer.strip() != name if name else answer.strip().lower() not in ("y", "yes"):
        raise RunbookError(f"{question} The answer was {answer.strip()!r}: nothing was done")


def can_answer() -> bool:
    """Return whether a person sits at a terminal."""
    return sys.stdin.isatty()


def _piped() -> str | None:
    """Return the line that is piped in; None if there is none, or none comes."""
    try:
        readable, _, _ = select.select([sys.stdin], [], [], ANSWER_S)
    except (OSError, ValueError):  # what stands in its place has no descriptor: it is there, or is not
        readable = [sys.stdin]
    line = sys.stdin.readline() if readable else ""
    return line if line.strip() else None
