"""What the local AWS takes of this machine, and for how long."""

from contextlib import suppress
from pathlib import Path

import psutil

from lib.base.paths import size_of
from lib.base.shown import counted, shown_bytes

IDLE_S = 300  # after which a process that ran a handler ends, but for the last of each function
# The folders of its state, and what they hold, for people.
PARTS = {"s3": "objects", "data": "all else that is stored", "tmp": "unpacked code"}


def kept(state: Path, pid: int | None) -> str:
    """Return what it takes of disk and memory, and when that becomes less, in words.

    Args:
        state: Its folder.
        pid: Of its server; None if it does not run.
    """
    sizes = {said: size_of(state / name) for name, said in PARTS.items()}
    parts = ", ".join(f"{shown_bytes(size)} {said}" for said, size in sizes.items())
    less = "what expires goes each day, `runbook local reset` deletes all"
    disk = f"{shown_bytes(size_of(state))} on disk ({parts}; {less})"
    if pid is None:
        return disk
    server, handlers = _memory(pid)
    memory = f"{shown_bytes(server + sum(handlers))} of memory, {shown_bytes(server)} of that the server's"
    ends = f"an idle one ends after {IDLE_S // 60} minutes, but for one a function"
    return f"{disk}; {memory}, the rest that of {counted(len(handlers), 'environment')} of functions: {ends}"


def _memory(pid: int) -> tuple[int, list[int]]:
    """Return the bytes of memory of a server, and of each process that it has begun."""
    try:
        server = psutil.Process(pid)
        return _own(server), [_own(one) for one in server.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, []


def _own(process: psutil.Process) -> int:
    """Return what a process takes: of what it shares with others, which are copies of it, its part.

    https://psutil.readthedocs.io/en/latest/#psutil.Process.memory_full_info (pss, on Linux alone)
    """
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        found = process.memory_full_info()
        return getattr(found, "pss", found.rss)
    return 0
