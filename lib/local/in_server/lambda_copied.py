"""The process that execution environments of Python are copies of: it has imported boto3.

A program of its own, run by `lambda_start.py`, with nothing of ours: its copies run what anybody has written.
Each message on its socket starts a copy; each copy has a socket on which its pid is told, then how it ended,
and from which signals for it are taken.
"""

import contextlib
import ctypes
import gc
import json
import os
import runpy
import selectors
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

MESSAGE_BYTES = 2**20
# Their clients are made once: that reads their models, and imports what botocore imports late.
SERVICES = ("s3", "sqs", "dynamodb")
# Of /proc/self/stat, behind the name: where the words of the command line begin and end in memory.
# https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (arg_start, arg_end)
ARG_START, ARG_END = 45, 46


def main(load: Callable[[], None], own_groups: bool = False) -> None:
    """Import, and make copies until the server has ended; in a copy, become what was asked for.

    Args:
        load: Imports.
        own_groups: Whether each copy gets a process group of its own.
    """
    del sys.path[0]  # this folder's, whose modules would hide others
    control = socket.socket(fileno=int(sys.argv[1]))
    os.close(os.pidfd_open(os.getpid()))  # an error, here rather than later, where there is no such thing
    load()
    gc.collect()
    gc.freeze()  # what is there stays, so its memory is shared
    control.send(json.dumps(imported()).encode())
    wanted = serve(control, own_groups)
    if wanted:
        become(**wanted)


def load_boto3() -> None:
    """Import boto3 and make clients, which ask nobody anything."""
    import boto3
    from botocore.loaders import JSONFileLoader

    read, files = JSONFileLoader.load_file, {}

    def load_file(self, file_path):
        """Read a model once in a process; botocore shares it within a session."""
        if file_path not in files and (found := read(self, file_path)) is not None:
            files[file_path] = found
        return files.get(file_path)

    JSONFileLoader.load_file = load_file
    session = boto3.Session("nobody", "nobody", region_name="us-east-1")
    for service in SERVICES:
        session.client(service)
    session.resource("dynamodb")


def imported() -> dict[str, str]:
    """Return what is imported, by the names that a folder on the path could hide, and where from."""
    modules = {name: module for name, module in sys.modules.items() if "." not in name}
    return {name: getattr(module, "__file__", None) or "" for name, module in modules.items()}


def serve(control: socket.socket, own_groups: bool) -> dict | None:
    """Make copies, tell of their ends, and pass signals on, until nobody is there who could ask.

    Args:
        control: Where copies are asked for.
        own_groups: As for `main`.

    Returns:
        None, once the server has ended; in a copy, what it is to become.
    """
    copies = selectors.DefaultSelector()
    copies.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in copies.select():
            if key.data:
                key.data()
                continue
            message, files, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
            if not message:
                return None
            if start(copies, files, own_groups):
                return json.loads(message)


def start(copies: selectors.BaseSelector, files: list[int], own_groups: bool) -> bool:
    """Make a copy; return whether this is it. It has the standard streams, and no other file."""
    *streams, tie = files
    pid = os.fork()
    if not pid:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for key in list(copies.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.detach()  # else it would close, some day, what has its number by then
        copies.close()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        return True
    for stream in streams:
        os.close(stream)
    if own_groups:
        os.setpgid(pid, pid)
    ends = os.pidfd_open(pid)
    signals = socket.socket(fileno=tie)
    copies.register(signals, selectors.EVENT_READ, partial(pass_signal, copies, signals, pid))
    copies.register(ends, selectors.EVENT_READ, partial(tell_end, copies, signals, pid, ends))
    with contextlib.suppress(OSError):
        signals.send(str(pid).encode())
    return False


def pass_signal(copies: selectors.BaseSelector, signals: socket.socket, pid: int) -> None:
    """Send a copy the signal that the server wants it to have, unless it is known to have ended."""
    if signals.fileno() < 0:
        return
    if number := signals.recv(MESSAGE_BYTES):
        os.kill(pid, int(number))
    else:  # the server wants nothing any more
        copies.unregister(signals)


def tell_end(copies: selectors.BaseSelector, signals: socket.socket, pid: int, ends: int) -> None:
    """Tell the server how a copy has ended."""
    _, status = os.waitpid(pid, 0)
    copies.unregister(ends)
    os.close(ends)
    with contextlib.suppress(KeyError):
        copies.unregister(signals)
    with contextlib.suppress(OSError):
        signals.send(str(os.waitstatus_to_exitcode(status)).encode())
    signals.close()


def become(command: list[str], cwd: str, env: dict[str, str]) -> None:
    """Be as a process of its own would be, and run its program.

    Args:
        command: The interpreter and the program, or `-m` and a module; and arguments.
        cwd: Its folder.
        env: Its environment.
    """
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    name_process(command)
    sys.orig_argv[:] = command
    if command[1] == "-m":
        sys.argv[:] = command[2:]
        sys.path.insert(0, cwd)
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = command[1:]
        sys.path.insert(0, str(Path(command[1]).parent))
        runpy.run_path(command[1], run_name="__main__")


def name_process(command: list[str]) -> None:
    """Show the command that this process stands for, as `ps` and the search for orphans read it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
        begin, end = int(fields[ARG_START]), int(fields[ARG_END])
        words = b"".join(os.fsencode(word) + b"\0" for word in command)
        ctypes.memmove(begin, words[: end - begin - 1].ljust(end - begin, b"\0"), end - begin)


if __name__ == "__main__":
    main(load_boto3)
