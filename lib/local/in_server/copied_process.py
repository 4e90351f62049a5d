"""A process that is a copy of another, as who had it made sees it; `lambda_copied.py` is the other side."""

import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

ANSWER_TIMEOUT_S = 60.0
MESSAGE_BYTES = 2**20


class NoCopyError(Exception):
    """An environment has to begin as a process of its own."""


class Copy:
    """A copy's process; what is used of subprocess.Popen."""

    stdin: IO[str] | None = None
    stdout: IO[str] | None = None
    stderr: IO[str] | None = None

    def __init__(
        self, copied: socket.socket, command: list[str], cwd: str, env: dict[str, str], streams: Sequence[int]
    ) -> None:
        """Have one made.

        Args:
            copied: Where the process that is copied listens.
            command: An interpreter, which is the one that is copied, and a program.
            cwd: The folder in which to run it.
            env: Its environment.
            streams: Files to be its stdin, stdout and stderr.

        Raises:
            NoCopyError, OSError: There was none.
        """
        self.args = command
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._tie, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            message = json.dumps({"command": command, "cwd": cwd, "env": env}).encode()
            socket.send_fds(copied, [message], [*streams, theirs.fileno()])
        self.pid = int(answer(self._tie))
        self._tie.setblocking(False)

    def poll(self) -> int | None:
        """Return its exit code, negative if it was ended by a signal; None while it runs."""
        with self._lock, suppress(BlockingIOError):
            if self.returncode is None:
                try:
                    said = self._tie.recv(MESSAGE_BYTES)
                except ConnectionError:
                    said = b""
                if not said:  # nobody is left who takes note of its end
                    with suppress(ProcessLookupError):
                        os.kill(self.pid, signal.SIGKILL)
                self.returncode = int(said or -signal.SIGKILL)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code, when it has ended.

        Args:
            timeout: In seconds; None waits for ever.

        Raises:
            TimeoutExpired: It has not ended.
        """
        said = select.poll()
        said.register(self._tie, select.POLLIN)
        if self.returncode is None:
            said.poll(None if timeout is None else timeout * 1000)
        ended = self.poll()
        if ended is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return ended

    def send_signal(self, number: int) -> None:
        """Send it a signal, by the process that knows whether its pid is still its own."""
        if self.poll() is None:
            with suppress(ConnectionError):
                self._tie.send(str(int(number)).encode())

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def answer(tie: socket.socket) -> bytes:
    """Return what the process that is copied says next.

    Args:
        tie: What leads to it.

    Raises:
        NoCopyError: It has ended.
        TimeoutError: It says nothing.
    """
    tie.settimeout(ANSWER_TIMEOUT_S)
    said = tie.recv(MESSAGE_BYTES)
    if not said:
        raise NoCopyError("the process that would be copied has ended")
    return said
