"""Cells of notebooks as Python, without a kernel."""

WHEN = "%%when "


def python_of(source: str, names: dict) -> str:
    """Return the Python of a cell, without magics.

    Args:
        source: The cell's.
        names: What is known to it, by which a `%%when` cell is run or skipped.

    Returns:
        As many lines as the cell has; nothing if it is skipped, or in another language.
    """
    if source.startswith(WHEN):
        condition, _, rest = source.removeprefix(WHEN).partition("\n")
        return f"\n{rest}" if eval(condition, names) else ""
    if source.startswith("%%"):
        return ""
    return "\n".join("" if line.startswith("%") else line for line in source.split("\n"))
