"""Cells of notebooks as Python, without a kernel."""

import ast

WHEN = "%when "
SKIPPED = "__skipped__"  # among the names: those that were not set, since their cell was skipped


def python_of(source: str, names: dict) -> str:
    """Return the Python of a cell, without magics; nothing if its conditions do not hold.

    Args:
        source: The cell's.
        names: What is known to it. What a skipped cell would have set is noted there, and a cell that
            reads it is skipped as well, as the extension of the notebooks has it.

    Returns:
        As many lines as the cell has.
    """
    if source.startswith("%%"):
        return ""
    python = "\n".join("" if line.startswith("%") else line for line in source.split("\n"))
    found = [node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Name)]
    reads, sets = ({n.id for n in found if isinstance(n.ctx, kind)} for kind in (ast.Load, ast.Store))
    skipped = names.setdefault(SKIPPED, set())
    conditions = [line.removeprefix(WHEN) for line in source.split("\n") if line.startswith(WHEN)]
    if reads & skipped or not all(eval(condition, names) for condition in conditions):
        skipped |= sets
        return ""
    return python
