"""What a process takes: time, time of a processor, and memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A small process begins it: what this one uses would count as its child's, until that is the other program.
# https://man7.org/linux/man-pages/man2/getrusage.2.html (ru_maxrss: kept by execve)
STARTER = """
import json, os, sys, time
began = time.perf_counter()
told, process = int(sys.argv[1]), os.fork()
if not process:
    os.close(told)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    finally:
        os._exit(127)
_, status, usage = os.wait4(process, 0)
found = time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
os.write(told, json.dumps([os.waitstatus_to_exitcode(status), *found]).encode())
"""


@dataclass(frozen=True)
class Measured:
    """A process that has ended, and those that it has waited for.

    Attributes:
        wall, cpu: Seconds of the clock, and of a processor.
        peak: MiB of memory at most.
        output, errors: What it wrote.
    """

    wall: float
    cpu: float
    peak: float
    output: str = ""
    errors: str = ""


def measure(command: Sequence, ends_with: int = 0, variables: Mapping[str, str] | None = None) -> Measured:
    """Run a command and return what it took.

    Args:
        command: Of a process.
        ends_with: Its exit code.
        variables: Of its environment, besides those of this process.

    Raises:
        RuntimeError: If it ends otherwise.
    """
    words, (read, told) = [str(word) for word in command], os.pipe()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", STARTER, str(told), *words],
            stdout=output,
            stderr=errors,
            env=os.environ | (variables or {}),
            pass_fds=[told],
            check=False,
        )
        os.close(told)
        with os.fdopen(read) as answer:
            code, wall, cpu, peak = json.loads(answer.read() or "[null, 0, 0, 0]")
        written = []
        for file in (output, errors):
            file.seek(0)
            written.append(file.read())
    if code != ends_with:
        said = (written[1] or written[0])[-2000:]
        raise RuntimeError(f"{' '.join(words)[:200]} ended with {code}: {said}")
    return Measured(wall, cpu, peak, *written)
