"""What a process takes: time, time of a processor, and memory."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A process that has ended.

    Attributes:
        wall, cpu: Seconds of the clock, and of a processor.
        peak: MiB of memory at most.
        output, errors: What it wrote.
    """

    wall: float
    cpu: float
    peak: float
    output: str
    errors: str


def measure(command: Sequence, ends_with: int = 0, variables: Mapping[str, str] | None = None) -> Measured:
    """Run a command and return what it took.

    Args:
        command: Of a process.
        ends_with: Its exit code.
        variables: Of its environment, besides those of this process.

    Raises:
        RuntimeError: If it ends otherwise.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        environment = os.environ | (variables or {})
        process = subprocess.Popen([*map(str, command)], stdout=output, stderr=errors, env=environment)
        # Of this process alone, and of those that it has waited for.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        written = []
        for file in (output, errors):
            file.seek(0)
            written.append(file.read())
    if process.returncode != ends_with:
        named = " ".join(map(str, command))[:200]
        raise RuntimeError(f"{named} ended with {process.returncode}: {written[1][-2000:] or written[0][-2000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, *written)
