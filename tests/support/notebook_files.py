"""Small notebooks for the tests of headless runs."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from lib.base.told import COUNTS

PARAMETERS = 'target = "local"\nmode = "apply"  # not = nothing\nmigrate = {}'


def write(path: Path, *sources: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook with a parameters cell and these cells."""
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[first, *map(new_code_cell, sources)]), path)
    return path


def tell(made: dict) -> str:
    """Return the source of a cell that tells what it made, as an applied stack does."""
    bundle = {"text/plain": made["summary"], COUNTS: made}
    return f"display({bundle!r}, raw=True)"


def stream(executed: Path) -> str:
    """Return all that an executed notebook printed."""
    outputs = [o for c in nbformat.read(executed, 4).cells for o in c.get("outputs", [])]
    return "".join(output["text"] for output in outputs if output.output_type == "stream")
