"""What the command line shows: tables, failures, and what to try next."""

import codecs
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lib.base.shown import counted, printable

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
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else LOG_COLUMNS)


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


def show_plan(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a plan: what changes, marked, a line for each thing and each setting; the rest is counted.

    Args:
        rows: Of the plan's table: action, type, name, region, why.
    """
    from lib.engine.plan import SIGNS  # pandas takes a second to import

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


def show_results(results: "Sequence[Result]", is_plan: bool = False) -> None:
    """Print a run's table: notebook, outcome, seconds, what it made.

    Args:
        results: Of each notebook.
        is_plan: Whether nothing was written, so that it is said what it would make.
    """
    made = "what it would make" if is_plan else "what it made"
    show_table(
        [{"notebook": r.name, "outcome": r.outcome, "seconds": r.seconds, made: r.summary} for r in results]
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
    width = max(len(command) for command, _ in hints)
    for number, (command, what_for) in enumerate(hints):
        line = Text.assemble(
            f"{'' if number else 'Next':<9}", (f"{command:<{width}}", "bold"), (f"  # {what_for}", "dim")
        )
        console().print(line, soft_wrap=True)  # as it is, to be copied


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
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return Text(printable(text, keep=""), STYLES.get(text, ""))
