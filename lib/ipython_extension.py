"""The IPython extension of the notebooks: `%%when`, `%calls`, and how tables look."""

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

from lib.base import call_ledger
from lib.base.shown import printable

MAGIC = "%%when "


def load_ipython_extension(shell) -> None:
    """Let cells begin with `%%when expression`, and show tables whole, and empty ones as what they are.

    A cell that begins so runs only if the expression is true. The line is taken away, or the whole cell
    replaced by one that says it was skipped, before the cell is compiled; so a cell that runs is an ordinary
    one, with its output and its tracebacks. https://ipython.readthedocs.io/en/stable/config/inputtransforms.html

    Args:
        shell: IPython's shell.
    """

    def when(lines: list[str]) -> list[str]:
        if not lines or not lines[0].startswith(MAGIC):
            return lines
        expression = lines[0].removeprefix(MAGIC).strip()
        if eval(expression, shell.user_ns):  # the cell's own author wrote it
            # A magic of the rest must be on the first line; otherwise tracebacks count lines as they stand.
            return lines[1:] if lines[1:] and lines[1].startswith("%%") else ["\n", *lines[1:]]
        return [f"print({f'skipped, since this is not so: {expression}'!r})\n"]

    # Otherwise IPython would also call it to see whether the input is complete.
    vars(when)["has_side_effects"] = True
    shell.input_transformers_cleanup.append(when)
    shell.register_magic_function(_CallsOfCells(shell).table, "line", "calls")
    pd.options.display.max_colwidth = None
    pd.options.display.max_rows = 200
    formatters = shell.display_formatter.formatters
    # https://ipython.readthedocs.io/en/stable/config/integrating.html#formatters-for-third-party-types
    formatters["text/plain"].for_type(pd.DataFrame, lambda table, printer, cycle: printer.text(_text(table)))
    formatters["text/html"].for_type(pd.DataFrame, _html)
    shell.display_formatter.format = _printable(shell.display_formatter.format)


def _printable(format_output: Callable) -> Callable:
    """Return what IPython formats outputs with, keys of control characters made visible in them."""

    def formatted(obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data, metadata = format_output(obj, include, exclude)
        shown = {kind: printable(data[kind]) for kind in ("text/plain", "text/html") if kind in data}
        return data | shown, metadata

    return formatted


def _text(table: pd.DataFrame) -> str:
    return repr(table) if len(table) else f"(none; columns: {_columns(table)})"


def _html(table: pd.DataFrame) -> str | None:
    # An empty table's row of column names alone looks like something that went wrong.
    return table._repr_html_() if len(table) else f"<p>(none) <small>{escape(_columns(table))}</small></p>"


def _columns(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))


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
