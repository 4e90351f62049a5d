"""How long each notebook says nothing while it works, as a person sees it who runs its cells one by one.

`PYTHONPATH=tests python -m support.silences [NAME…]` runs them in order on the AWS of RUNBOOK_HOME, and
prints the longest silence of each, in which cell it was, and for how long of it the kernel had a processor:
on a busy machine a kernel that gets none is silent, whatever it would say.
"""

import queue
import sys
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
from jupyter_client.manager import start_new_kernel

from lib.execution import run

LOOK_S = 0.1
MOST_S = 2.0  # after which a person wonders


class Silence(NamedTuple):
    """The longest of a cell.

    Attributes:
        lasted_s: How long, in seconds.
        worked_s: For how many seconds of it the kernel had a processor.
        cell: How the cell begins.
    """

    lasted_s: float
    worked_s: float
    cell: str


def silences(notebook: Path) -> list[Silence]:
    """Return the longest silence of each cell."""
    manager, client = start_new_kernel(cwd=str(notebook.parent))
    kernel = psutil.Process(manager.provisioner.pid)
    found = []
    try:
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type == "code" and cell.source.strip():
                lasted_s, worked_s = _silence(client, kernel, cell.source)
                found.append(Silence(lasted_s, worked_s, cell.source.splitlines()[0]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return found


def _silence(client, kernel: psutil.Process, source: str) -> tuple[float, float]:
    """Run a cell as JupyterLab does, which has a person to ask; return `lasted_s` and `worked_s`."""
    last, longest = _times(kernel), (0.0, 0.0)
    own = client.execute(source, allow_stdin=True)
    while True:
        try:
            message = client.get_iopub_msg(timeout=LOOK_S)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") != own:
            continue
        now = _times(kernel)
        longest, last = max(longest, (now[0] - last[0], now[1] - last[1])), now
        if message["msg_type"] == "error":
            raise RuntimeError(f"{source}\n{message['content']['ename']}: {message['content']['evalue']}")
        if message["content"].get("execution_state") == "idle":
            return longest


def _times(kernel: psutil.Process) -> tuple[float, float]:
    used = kernel.cpu_times()
    return time.monotonic(), used.user + used.system


if __name__ == "__main__":
    for path in run.select(sys.argv[1:]):
        longest = max(silences(path))
        mark = "too long" if longest.lasted_s > MOST_S else "ok"
        had = f"{longest.worked_s:.1f} s of a processor"
        print(f"{path.stem:15} {longest.lasted_s:5.1f} s, {had}  {mark:8} {longest.cell}", flush=True)
