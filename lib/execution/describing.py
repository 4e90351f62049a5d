"""The stack that a notebook describes, without running what comes after."""

import contextlib
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.execution.run import PLAN
from lib.parameters import Parameters


def described(notebook: Path, parameters: Parameters) -> Stack:
    """Run the cells of a notebook that describe its stack, in this process; nothing is made.

    Args:
        notebook: One that describes a stack.
        parameters: Given to it as papermill would.

    Returns:
        The stack.

    Raises:
        RunbookError: If the notebook describes none.
    """
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    sources = [cell.source.strip() for cell in cells]
    if PLAN not in sources:
        raise RunbookError(f"{notebook.stem} describes nothing that could be deployed")
    shell = InteractiveShell()
    assert shell.history_manager is not None
    shell.history_manager.enabled = False  # the user's own history is not written to
    with contextlib.chdir(notebook.parent), capture_output():
        for cell in cells[: sources.index(PLAN)]:
            shell.run_cell(cell.source, store_history=False).raise_error()
            if "parameters" in cell.metadata.get("tags", []):
                shell.push({**parameters.model_dump(), "mode": "plan", "exercise": False})
    stack = shell.user_ns["stack"]
    assert isinstance(stack, Stack), f"{notebook.stem} calls something else its stack"
    return stack
