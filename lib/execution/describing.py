"""The stack that a notebook describes, without running what comes after."""

import contextlib
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.execution.run import PLAN, select
from lib.parameters import Parameters

RECORDS = "stack.record_outputs("  # what the cell calls that writes down what others want to know


class Described:
    """A notebook whose describing cells were run; what they call so is an attribute of this.

    Attributes:
        stack: What it describes.
    """

    stack: Stack

    def __init__(self, notebook: Path, parameters: Parameters):
        """Run the cells down to the plan, in this process; nothing is made.

        Args:
            notebook: One that describes a stack.
            parameters: Given to it as papermill would.

        Raises:
            RunbookError: If the notebook describes none.
        """
        self._notebook = notebook
        self._cells = [c for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == "code"]
        sources = [cell.source.strip() for cell in self._cells]
        if PLAN not in sources:
            raise RunbookError(f"{notebook.stem} describes nothing that could be deployed")
        # What a cell ends with is not shown: this is not where a person reads it.
        self._shell = InteractiveShell(ast_node_interactivity="none")
        assert self._shell.history_manager is not None
        self._shell.history_manager.enabled = False  # the user's own history is not written to
        for cell in self._cells[: sources.index(PLAN)]:
            self._run(cell.source)
            if "parameters" in cell.metadata.get("tags", []):
                self._shell.push(parameters.model_dump())
        self.stack = self._shell.user_ns["stack"]
        assert isinstance(self.stack, Stack), f"{notebook.stem} calls something else its stack"

    def __getattr__(self, name: str) -> Any:
        """Return what the notebook's cells call so."""
        if name.startswith("_") or name not in self._shell.user_ns:
            raise AttributeError(f"nothing that describes a stack is called {name!r}")
        return self._shell.user_ns[name]

    def record_outputs(self) -> pd.DataFrame:
        """Write down what others want to know of it, as its own cell does, once it was applied.

        Returns:
            Names and values as a table.
        """
        for cell in self._cells:
            if RECORDS in cell.source:
                self._run(cell.source)
        outputs = self.stack.ledger.outputs().get(self.stack.scope.pipeline, {})
        return pd.DataFrame(outputs.items(), columns=["output", "value"])

    def _run(self, source: str) -> None:
        # What is awaited is shown, what is printed is not.
        with contextlib.chdir(self._notebook.parent), capture_output(display=False):
            self._shell.run_cell(source, store_history=False).raise_error()


def of(name: str, parameters: Parameters) -> Described:
    """Describe what another notebook deploys, as that notebook does.

    Args:
        name: The notebook's, such as `migrate`.
        parameters: As for `Described`.

    Raises:
        ParameterError: If there is no such notebook.
        RunbookError: If it describes nothing.
    """
    (notebook,) = select([name])
    return Described(notebook, parameters)


def described(notebook: Path, parameters: Parameters) -> Stack:
    """Return the stack that a notebook describes, of which nothing can be made.

    Args:
        notebook: As for `Described`.
        parameters: As for `Described`.

    Raises:
        RunbookError: If the notebook describes none.
    """
    return Described(notebook, parameters.model_copy(update={"mode": "plan", "exercise": False})).stack
