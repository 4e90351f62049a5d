"""Kernels of the tests' notebooks: copies of a process that has imported what notebooks import.

Imports are half of what a short notebook takes. That a kernel of its own can import what it needs is seen by
tests/notebooks/test_outputs.py, whose kernels begin as ever.
"""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_client.launcher import launch_kernel

from lib.local.in_server.copied_process import Copy, NoCopyError, answer

# What is read when Python begins, or when what is imported is: whose is another needs another process.
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MPL")
MOST = 2  # of such processes; what is seldom is not worth one
MODULES = (
    "ipykernel.kernelapp",
    "lib.ipython_extension.cells",
    "lib.engine.alerting",
    "lib.engine.checklist",
    "lib.engine.picture",
    "lib.lake.crawl",
    "lib.lake.query",
    "lib.operate.adopting",
    "lib.operate.samples",
    "lib.operate.watch",
    "lib.resources.bundle",
    "lib.s3.objects",
)


class WarmKernels:
    """Starts kernels; `launch` stands in the place of jupyter_client's function."""

    def __init__(self) -> None:
        self._copied: dict[frozenset, tuple[subprocess.Popen, socket.socket]] = {}
        self._one_asks = threading.Lock()  # or it would get what another has asked for

    def launch(self, command: list[str], **options: Any) -> Any:
        """Start a kernel.

        Args:
            command: The kernel's.
            options: As jupyter_client gives them.
        """
        # What it writes goes where the copied process writes, whatever log it was to have.
        if sys.platform == "linux" and command[1:3] == ["-m", "ipykernel_launcher"]:
            try:
                with self._one_asks:
                    return self._copy(command, str(options.get("cwd") or Path.cwd()), dict(options["env"]))
            except (NoCopyError, OSError) as error:
                print(f"A kernel begins on its own: {error}", file=sys.stderr)
        return launch_kernel(command, **options)

    def _copy(self, command: list[str], cwd: str, env: dict[str, str]) -> Copy:
        read = frozenset(item for item in env.items() if item[0].startswith(READ_AT_START))
        if read not in self._copied:
            if len(self._copied) == MOST:
                raise NoCopyError(f"its environment is another: {sorted(read)}")
            self._copied[read] = self._begin(env)
        with Path(os.devnull).open() as nothing:
            return Copy(self._copied[read][1], command, cwd, env, (nothing.fileno(), 1, 2))

    def _begin(self, env: dict[str, str]) -> tuple[subprocess.Popen, socket.socket]:
        listens, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, __file__, str(theirs.fileno()), "." * 512]
            process = subprocess.Popen(
                words, env=env, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True
            )
        answer(listens)
        return process, listens

    def end(self) -> None:
        """End the processes that are copied, and with them their copies."""
        for process, listens in self._copied.values():
            listens.close()
            process.wait()


def load() -> None:
    """Import, and read the models of the services, which every kernel asks."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # read at the import: kernels end when this process has
    from importlib import import_module

    for module in MODULES:
        import_module(module)
    # Imported before there is a kernel, pandas takes this for a terminal, and leaves columns out.
    import_module("pandas").options.display.max_columns = 20
    from lib.engine.inventory import TYPES
    from lib.engine.preflight import iam_data, requests, violations
    from lib.local.deployer import new_session

    sys.path.insert(0, str(Path(__file__).parents[1]))
    import_module("support.client_classes").share()
    del sys.path[0]
    session = new_session("nobody", "nobody")
    for service in {each.service for each in TYPES}:
        session.client(service, region_name="us-east-1")
        requests._client(service)
    violations.rules()
    iam_data.actions("s3:GetObject")  # which reads megabytes


if __name__ == "__main__":
    from lib.local.in_server.lambda_copied import main

    main(load, own_groups=True)
