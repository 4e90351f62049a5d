"""The notebooks' IPython extension (`%load_ext lib.notebook`): `%%when`, `%calls`, and how tables look."""

import pandas as pd

from lib import call_ledger

MAGIC = "%%when "


def load_ipython_extension(shell) -> None:
    """Let cells begin with `%%when expression`, and show tables whole.

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
        return [f"print({f'skipped: not {expression}'!r})\n"]

    # Otherwise IPython would also call it to see whether the input is complete.
    when.has_side_effects = True
    shell.input_transformers_cleanup.append(when)
    shell.register_magic_function(_CallsOfCells(shell).table, "line", "calls")
    pd.options.display.max_colwidth = None
    pd.options.display.max_rows = 200


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
