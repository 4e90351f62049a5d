"""What cells are extended with: `%when`, `%calls`, how tables, waits and errors look."""

import ast
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
from IPython.core.error import InputRejected

from lib.base import call_ledger, frames
from lib.base.explained import TRANSLATED, explained
from lib.base.shown import counted, printable
from lib.base.waits import Wait

MAGIC = "%when "
TITLE_CHARACTERS = 60  # of a cell's first line, which is what is said to run


def extend(shell, importing: Wait) -> None:
    """Let cells begin with `%when expression`, and show tables whole, and empty ones as what they are.

    A cell that begins so runs only if the expression is true, and so does every cell that reads a variable
    which such a cell sets: docs/decisions/0022-a-condition-goes-with-what-was-made-under-it.md. Otherwise the
    cell is replaced by a line that says it was skipped, before it is compiled; so a cell that runs is an
    ordinary one, with its output and its tracebacks.
    https://ipython.readthedocs.io/en/stable/config/inputtransforms.html

    Args:
        shell: IPython's shell.
        importing: Is ended with the cell that runs.
    """
    guards = _Guards(shell)
    shell.input_transformers_cleanup.append(guards)
    shell.ast_transformers.append(guards)
    _WaitsOfCells(shell, importing)
    shell.register_magic_function(_CallsOfCells(shell).table, "line", "calls")
    shell.set_custom_exc(TRANSLATED, _say_what_to_do)
    pd.options.display.max_colwidth = None
    pd.options.display.max_rows = frames.MOST_TEXT_ROWS
    formatters = shell.display_formatter.formatters
    # https://ipython.readthedocs.io/en/stable/config/integrating.html#formatters-for-third-party-types
    formatters["text/plain"].for_type(pd.DataFrame, lambda table, printer, cycle: printer.text(_text(table)))
    formatters["text/html"].for_type(pd.DataFrame, _html)
    shell.display_formatter.format = _printable(shell.display_formatter.format)


def names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Return which variables a cell reads that it has not set itself before, and which it sets.

    Args:
        tree: The cell, its magics replaced by what IPython makes of them; those of SQL read `:name`.
    """
    reads: set[str] = set()
    sets: set[str] = set()
    for statement in tree.body:
        nodes = list(ast.walk(statement))
        loops = [n for n in nodes if isinstance(n, ast.comprehension | ast.For | ast.withitem)]
        own = {name for loop in loops for name in _stored(_target(loop))}
        own |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        inner = {
            name for loop in loops if isinstance(loop, ast.comprehension) for name in _stored(loop.target)
        }
        loaded = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        loaded |= {name for n in nodes if isinstance(n, ast.AugAssign) for name in _stored(n.target)}
        reads |= (loaded | _in_sql(nodes)) - own - sets
        sets |= set(_stored(statement)) - inner
        sets |= {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
    return reads, sets


def _target(loop: ast.AST) -> ast.AST | None:
    return loop.optional_vars if isinstance(loop, ast.withitem) else getattr(loop, "target", None)


def _stored(node: ast.AST | None) -> Iterable[str]:
    nodes = ast.walk(node) if node else ()
    return [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _in_sql(nodes: list[ast.AST]) -> set[str]:
    calls = [[getattr(a, "value", None) for a in node.args] for node in nodes if isinstance(node, ast.Call)]
    texts = [str(values[-1]) for values in calls if values[:1] == ["sql"]]
    return {name for text in texts for name in re.findall(r"(?<!:):(\w+)", text)}


def _loaded(expression: str) -> set[str]:
    try:
        return {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)}
    except SyntaxError:  # which is the cell's, when it is asked
        return set()


class Conditions:
    """Under which conditions variables are set: whatever reads one is under the same."""

    def __init__(self) -> None:
        # Several cells may set one, each under conditions of its own; under none at all, it is always there.
        self._of: dict[str, list[tuple[str, ...]]] = {}

    def enter(self, tree: ast.Module, own: Iterable[str] = ()) -> tuple[str, ...]:
        """Take note of what a cell reads and sets, in the order in which cells run.

        Args:
            tree: As for `names`.
            own: The expressions of its own `%when`.

        Returns:
            Every expression that must be true for it to run.
        """
        reads, sets = names(tree)
        reads |= {name for expression in own for name in _loaded(expression)}
        of_reads = (condition for name in sorted(reads) for condition in self._of_name(name))
        conditions = tuple(dict.fromkeys([*of_reads, *own]))
        for name in sets:
            others = self._of.get(name, []) if conditions else []
            self._of[name] = [*(each for each in others if each != conditions), conditions]
        return conditions

    def _of_name(self, name: str) -> tuple[str, ...]:
        ways = self._of.get(name, [()])
        if len(ways) == 1:
            return ways[0]
        return (" or ".join(f"({' and '.join(map(_grouped, way))})" for way in ways),) if all(ways) else ()


def _grouped(expression: str) -> str:
    return f"({expression})" if " or " in expression else expression


class _Guards(ast.NodeTransformer):
    """Skips the cells whose conditions are not met."""

    # Otherwise IPython would also call it to see whether the input is complete.
    has_side_effects = True

    def __init__(self, shell) -> None:
        self._shell = shell
        self._conditions = Conditions()
        self._own: list[str] = []

    def __call__(self, lines: list[str]) -> list[str]:
        """Take the line with `%when` away."""
        self._own = []
        if not lines or not lines[0].startswith(MAGIC):
            return lines
        self._own = [lines[0].removeprefix(MAGIC).strip()]
        # A magic of the rest must be on the first line; otherwise tracebacks count lines as they stand.
        return lines[1:] if lines[1:] and lines[1].startswith("%%") else ["\n", *lines[1:]]

    def visit_Module(self, tree: ast.Module) -> ast.Module:  # noqa: N802
        """Return a cell as it is to run: itself, or a line that says why it does not."""
        own, self._own = self._own, []
        try:
            conditions = self._conditions.enter(tree, own)
        except Exception as error:  # IPython would do without us from now on, and run what is to be skipped
            raise InputRejected(f"it cannot be told whether this cell is to run: {error!r}") from error
        for expression in conditions:
            try:
                holds = eval(expression, self._shell.user_ns)  # the cell's own author wrote it
            except Exception:  # it is the cell's: there it is raised once more
                return ast.parse(f"eval({expression!r})")
            if not holds:
                return ast.parse(f"print({f'skipped, since this is not so: {expression}'!r})")
        return tree


def _printable(format_output: Callable) -> Callable:
    """Return what IPython formats outputs with, keys of control characters made visible in them."""

    def formatted(obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data, metadata = format_output(obj, include, exclude)
        shown = {kind: printable(data[kind]) for kind in ("text/plain", "text/html") if kind in data}
        return data | shown, metadata

    return formatted


def _text(table: pd.DataFrame) -> str:
    return frames.text(table) if type(table) is pd.DataFrame or not len(table) else repr(table)


def _html(table: pd.DataFrame) -> str | None:
    return frames.html(table) if type(table) is pd.DataFrame or not len(table) else table._repr_html_()


def _say_what_to_do(shell, kind, error: BaseException, trace, tb_offset: int | None = None) -> None:
    """Show what an error means and what to do, in the place of its traceback; `%tb` shows that."""
    said = explained(error, shell.user_ns)
    if said is None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        shell.showtraceback((type(said), said, trace))
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace


class _WaitsOfCells:
    """Shows of a cell that takes longer that it is alive, and what it asked of AWS last."""

    def __init__(self, shell, running: Wait) -> None:
        self._wait: Wait | None = running
        shell.events.register("pre_run_cell", self._of_cell)
        shell.events.register("post_run_cell", self._end)

    def _of_cell(self, info) -> None:
        lines = [line for line in info.raw_cell.splitlines() if line.strip() and line[0] not in "%#"]
        self._begin(lines[0][:TITLE_CHARACTERS] if lines else "…")

    def _begin(self, title: str) -> None:
        self._end()
        begin = call_ledger.ledger().made
        self._wait = Wait(title, note=lambda: _asked_since(begin))
        self._wait.__enter__()

    def _end(self, *_: Any) -> None:
        if self._wait is not None:
            self._wait.__exit__(None, None, None)
        self._wait = None


def _asked_since(begin: int) -> str:
    ledger = call_ledger.ledger()
    made = ledger.made
    last = ledger.calls(range(max(made - 1, begin), made))
    if not last:
        return ""
    told = f"{last[0].service} {last[0].operation} {last[0].resource}".strip()
    return f"{counted(made - begin, 'call')} to AWS, the last: {told}"


class _CallsOfCells:
    """Knows which calls to AWS the last cell made that made any."""

    def __init__(self, shell) -> None:
        self.begin = call_ledger.ledger().made
        self.last = range(0)
        shell.events.register("pre_run_cell", self._next_cell)

    def _next_cell(self, info) -> None:
        self.last = self._of_this_cell() or self.last
        self.begin = call_ledger.ledger().made

    def _of_this_cell(self) -> range:
        return range(self.begin, call_ledger.ledger().made)

    def table(self, line: str = "") -> pd.DataFrame:
        """Return what the last cell that called AWS asked of it; this one, if it did.

        Args:
            line: What stands behind `%calls`: nothing.
        """
        return call_ledger.table(call_ledger.ledger().calls(self._of_this_cell() or self.last))
