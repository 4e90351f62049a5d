"""How long each notebook says nothing while it works, as a person sees it who runs its cells one by one.

`PYTHONPATH=tests python -m support.silences [NAME…]` runs them in order on the AWS of RUNBOOK_HOME, and
prints the longest silence of each, and in which cell it was.
"""

import queue
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel

from lib.execution import run

LOOK_S = 0.1
MOST_S = 2.0  # after which a person wonders


def silences(notebook: Path) -> list[tuple[float, str]]:
    """Return how long each cell was silent at most, in seconds, and how it begins."""
    manager, client = start_new_kernel(cwd=str(notebook.parent))
    found = []
    try:
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type == "code" and cell.source.strip():
                found.append((_silence(client, cell.source), cell.source.splitlines()[0]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return found


def _silence(client, source: str) -> float:
    """Run a cell as JupyterLab does, which has a person to ask; return its longest silence in seconds."""
    last, longest = time.monotonic(), 0.0
    own = client.execute(source, allow_stdin=True)
    while True:
        try:
            message = client.get_iopub_msg(timeout=LOOK_S)
        except queue.Empty:
            longest = max(longest, time.monotonic() - last)
            continue
        if message["parent_header"].get("msg_id") != own:
            continue
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
        if message["msg_type"] == "error":
            raise RuntimeError(f"{source}\n{message['content']['ename']}: {message['content']['evalue']}")
        if message["content"].get("execution_state") == "idle":
            return longest


if __name__ == "__main__":
    for path in run.select(sys.argv[1:]):
        longest, cell = max(silences(path))
        mark = "too long" if longest > MOST_S else "ok"
        print(f"{path.stem:15} {longest:5.1f} s  {mark:8} {cell}", flush=True)
