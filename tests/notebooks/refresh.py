"""Run the notebooks in order on a new local AWS and keep their outputs: `make notebooks`."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from lib.local import ministack
from lib.paths import ROOT
from lib.run import tidy

CELL_TIMEOUT_S = 300


def refresh(path: Path) -> None:
    """Run one notebook and write it back with its outputs.

    Args:
        path: The notebook.
    """
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources=resources, record_timing=False).execute()
    nbformat.write(tidy(notebook), path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="runbook-") as home:
        os.environ["RUNBOOK_HOME"] = home
        try:
            for notebook_path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
                print(notebook_path.name, file=sys.stderr)
                refresh(notebook_path)
        finally:
            ministack.reset()
