"""Who runs this: a run's id, and what others need to know of whoever holds the lock."""

import getpass
import os
import secrets
import shlex
import socket
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

# Kernels inherit it from the command that starts them: all of them are one run.
VARIABLE = "RUNBOOK_RUN"


def new_run_id() -> str:
    """Return an id for a run: when it began, in UTC, and some letters that no other run has."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}-{secrets.token_hex(3)}"


_THIS_PROCESS = new_run_id()


def run_id() -> str:
    """Return the id of this run: that of the command which started us, or else this process's own."""
    return os.environ.get(VARIABLE) or _THIS_PROCESS


@dataclass(frozen=True)
class Holder:
    """A process that holds the lock.

    Attributes:
        run: The id of its run.
        user: Who started it.
        caller: As whom it calls AWS, an ARN.
        host: The name of its machine.
        machine: What tells machines of the same name apart.
        pid: Its process id there.
        process_started: When that process began, in seconds since 1970, since ids are used again.
        since: When it took the lock.
        command: What it runs.
    """

    run: str
    user: str
    caller: str
    host: str
    machine: str
    pid: int
    process_started: float
    since: str
    command: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, {self.command})"

    @property
    def is_this_process(self) -> bool:
        """Whether it is we ourselves."""
        return self.is_here and self.pid == os.getpid()

    @property
    def is_parent(self) -> bool:
        """Whether it is the command that runs us."""
        return self.run == run_id() and not self.is_this_process and not self.is_dead

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return (self.host, self.machine) == (socket.gethostname(), f"{uuid.getnode():x}")

    @property
    def is_dead(self) -> bool:
        """Whether we can see that it has ended, which we can on this machine only."""
        if not self.is_here:
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.process_started) > 1
        except psutil.NoSuchProcess:
            return True


def this_holder(caller: str) -> Holder:
    """Return this process as others shall see it.

    Args:
        caller: The ARN that it calls AWS as.
    """
    return Holder(
        run=run_id(),
        user=_user(),
        caller=caller,
        host=socket.gethostname(),
        machine=f"{uuid.getnode():x}",
        pid=os.getpid(),
        process_started=psutil.Process().create_time(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


def _command() -> str:
    if "ipykernel" in sys.modules:
        return f"a notebook in {Path.cwd()}"
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
