"""Cells of notebooks as Python, without a kernel."""

import ast

from lib.ipython_extension.cells import MAGIC, Conditions

CONDITIONS = "__conditions__"  # among the names: under which conditions they were set


def python_of(source: str, names: dict) -> str:
    """Return the Python of a cell, without magics; nothing if it is one of SQL or its conditions do not hold.

    Args:
        source: The cell's.
        names: What is known to it, and under which conditions.

    Returns:
        As many lines as the cell has.
    """
    if source.startswith("%%"):
        return ""
    lines = source.split("\n")
    python = "\n".join("" if line.startswith("%") else line for line in lines)
    own = [line.removeprefix(MAGIC) for line in lines if line.startswith(MAGIC)]
    conditions = names.setdefault(CONDITIONS, Conditions()).enter(ast.parse(python), own)
    return python if all(eval(condition, names) for condition in conditions) else ""
