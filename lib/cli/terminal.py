"""What the command line shows: tables, failures, and what to try next."""

import codecs
import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lib.base.errors import LockError, ParameterError
from lib.base.shown import counted, printable

if TYPE_CHECKING:
    from lib.cli.answers import Answer

if TYPE_CHECKING:  # it brings papermill with it, which takes a second and a half to import
    from lib.execution.run import Result

STYLES = {
    "ok": "green",
    "failed": "bold red",
    "interrupted": "yellow",
    "not run": "yellow",
    "create": "green",
    "created": "green",
    "change": "yellow",
    "changed": "yellow",
    "delete": "red",
    "deleted": "red",
    "unchanged": "dim",
}
# What we write that not every terminal can show, such as one in Latin-1, and what stands for it there.
PLAIN = {
    "✓": "ok",
    "✗": "NO",
    "→": "->",
    "…": "...",
    "−": "-",
    "≥": ">=",
    "≤": "<=",
    "—": "-",
    "–": "-",
    "·": "*",
    "×": "x",
}
MOST_WORD_CHARACTERS = 72  # of what is not broken
LOG_COLUMNS = 200  # where no terminal says how wide it is, such as in CI's logs


@dataclass
class _Asked:
    """How the command that runs was asked to answer."""

    json: bool = False
    quiet: bool = False
    answered: bool = False


_asked = _Asked()


def begin() -> None:
    """Begin with a command: nothing is asked for yet, and whatever is printed will be shown."""
    _asked.json = _asked.quiet = _asked.answered = False
    if os.environ.get("NO_COLOR"):  # https://no-color.org: Typer's help and its errors, too
        import typer.rich_utils  # here, since it brings a reader of Markdown with it

        typer.rich_utils.COLOR_SYSTEM = None
    show_anything()


def answer_in_json(asked: bool) -> bool:
    """Have the command answer in JSON; errors too."""
    _asked.json = asked
    return asked


def be_quiet(asked: bool) -> bool:
    """Have the command print nothing but its result and errors."""
    _asked.quiet = asked
    return asked


@contextmanager
def aside() -> Iterator[None]:
    """Have what is printed meanwhile go to stderr: it is no result; or nowhere, if only that is wanted."""
    if not _asked.quiet:
        with redirect_stdout(sys.stderr):
            yield
        return
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        os.environ.pop("TQDM_DISABLE")
        if before is not None:
            os.environ["TQDM_DISABLE"] = before


def note(text: str) -> None:
    """Print for people what is no result."""
    if not _asked.quiet:
        # Not by a console of its own, which would write into the bars of the one that shows them.
        print(printable(text), file=sys.stderr, flush=True)


def answer(result: "Answer") -> bool:
    """Print a result as JSON if that was asked for, and return whether it was."""
    if _asked.json:
        _asked.answered = True
        typer.echo(result.model_dump_json(indent=2, exclude_none=True))
    return _asked.json


def answer_error(error: BaseException, exit_code: int) -> None:
    """Print an error as JSON if that was asked for, and nothing was answered yet."""
    if _asked.json and not _asked.answered:
        from lib.cli.answers import ErrorAnswer

        answer(ErrorAnswer(error=type(error).__name__, message=str(error), exit_code=exit_code))


def show_anything() -> None:
    r"""Have whatever is printed be shown in some way: on a terminal that knows few characters, in a pipe.

    What it cannot show is written as Python does, `\\xfc`: so two keys stay two. A file's name may hold bytes
    that are no text at all.
    """
    codecs.register_error("runbook", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not what tests and notebooks put in their place
            stream.reconfigure(errors="runbook")


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    if sign not in PLAIN:
        return codecs.backslashreplace_errors(
            UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
        )
    return PLAIN[sign], error.start + 1


def console(stderr: bool = False) -> Console:
    """Return a console; colours only on a terminal, no line broken elsewhere."""
    stream = sys.stderr if stderr else sys.stdout
    # With NO_COLOR rich would still write bold and dim, which are escape codes, too.
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    width = None if stream.isatty() else LOG_COLUMNS
    return Console(stderr=stderr, highlight=False, width=width, color_system=colours)


def show_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; the first row's names are the heading.

    Args:
        rows: Names to values, the same names in each; none prints nothing.
    """
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name, value in rows[0].items():
        words = [word for row in rows for word in _cell(row[name]).plain.split()]
        # A name is broken nowhere, so that it can be copied; text is, between words.
        longest = min(max(map(len, [name, *words])), MOST_WORD_CHARACTERS)
        justify: Literal["left", "right"] = "right" if isinstance(value, float) else "left"
        table.add_column(name, justify=justify, overflow="fold", min_width=longest)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console().print(table, crop=False, no_wrap=False)


def say_ended(result: "Result") -> None:
    """Print what became of a notebook when it has ended: to stderr, above the bars of those at work.

    A parameter that is wrong, or a lock, is the command's own error, and told once.
    """
    if result.failure and result.failure.kind in (ParameterError.__name__, LockError.__name__):
        return
    note(f"{result.name}: {result.outcome}, {result.seconds:.0f} s")


def show_plan(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a plan: what changes, marked, a line for each thing and each setting; the rest is counted.

    Args:
        rows: Of the plan's table: action, type, name, region, why.
    """
    from lib.engine.plan import SIGNS  # here, since few commands show a plan

    out, order = console(), list(SIGNS)
    changing = sorted((r for r in rows if r["action"] in SIGNS), key=lambda row: order.index(row["action"]))
    for row in changing:
        what = f"{row['type']} {row['name']}" + (f" in {row['region']}" if row["region"] else "")
        sign = f"{SIGNS[row['action']]} {row['action']:<8}"
        # Not broken by us: a name that goes on in the next line cannot be copied.
        line = Text.assemble((sign, STYLES.get(row["action"], "yellow")), printable(what, keep=""))
        out.print(line, soft_wrap=True)
        for why in str(row["why"]).split("; "):
            if why not in ("", "does not exist"):  # the sign says so
                out.print(Text(f"             {printable(why, keep='')}", "dim"), soft_wrap=True)
    unchanged = Counter(row["type"] for row in rows if row["action"] not in SIGNS)
    if unchanged:
        kinds = ", ".join(counted(count, noun) for noun, count in unchanged.items())
        out.print(Text(f"  unchanged: {kinds}", "dim"), soft_wrap=True)


def show_differences(differences: Mapping[str, str]) -> None:
    """Print what of a plan is too long for a line.

    Args:
        differences: What changes, and where, to the lines of a unified diff.
    """
    styles = {"+": "green", "-": "red"}
    for name, text in differences.items():
        console().print(Text(f"  {printable(name, keep='')}", "bold"), soft_wrap=True)
        for line in text.splitlines():
            console().print(Text(f"    {printable(line)}", styles.get(line[:1], "dim")), soft_wrap=True)


def show_results(results: "Sequence[Result]", is_plan: bool = False) -> None:
    """Print a run's table: notebook, outcome, seconds, what it found and made.

    Args:
        results: Of each notebook.
        is_plan: Whether nothing was written, so that it is said what it would make.
    """
    made = "what it would make" if is_plan else "what it found, and made"
    show_table(
        [{"notebook": r.name, "outcome": r.outcome, "seconds": r.seconds, made: r.told} for r in results]
    )


def show_failure(result: "Result") -> None:
    """Print why a notebook failed and where to look, if it did: to stderr, without a traceback."""
    failure, err = result.failure, console(stderr=True)
    if failure is None:
        return
    where = f", cell {failure.cell}" if failure.cell else ""
    say_error(f"{result.name}{where}: {failure.kind}: {failure.message}")
    for line in failure.source.splitlines():
        err.print(Text(f"    {line}", "dim"), soft_wrap=True)
    if result.executed:
        err.print(f"executed notebook: {shown_path(result.executed)}", soft_wrap=True)


def say_error(message: object) -> None:
    """Print a message for people to stderr."""
    console(stderr=True).print(
        Text.assemble(("error: ", "bold red"), printable(str(message))), soft_wrap=True
    )


def say_next(*hints: tuple[str, str]) -> None:
    """Print what can be tried next.

    Args:
        hints: A command and what it is for, each.
    """
    if _asked.quiet or _asked.json:
        return
    width = max(len(command) for command, _ in hints)
    for number, (command, what_for) in enumerate(hints):
        line = Text.assemble(
            f"{'' if number else 'Next':<9}", (f"{command:<{width}}", "bold"), (f"  # {what_for}", "dim")
        )
        console(stderr=True).print(line, soft_wrap=True)  # as it is, to be copied


def command_name() -> str:
    """Return how this program is called from here: `runbook`, or its path if the shell would not find it."""
    program = Path(sys.argv[0])
    found = shutil.which(program.name)
    if found and program.exists() and Path(found).samefile(program):
        return program.name
    return shlex.quote(shown_path(program)) if program.name == "runbook" else "runbook"


def shown_path(path: Path) -> str:
    """Return a path as one would type it here: relative if it is below the working directory."""
    absolute = Path.cwd() / path
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)


def _cell(value: object) -> Text:
    if value is None or value != value:  # NaN and NaT: nothing is known
        return Text("")
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return Text(printable(text, keep=""), STYLES.get(text, ""))
