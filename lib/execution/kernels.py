"""The kernels that notebooks are executed in: what they are started with, and how they are stopped."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from traitlets import default

from lib.base import call_ledger, told
from lib.base.waits import TOLD_VARIABLE


class OurKernels(AsyncKernelManager):
    """Starts kernels with the interpreter that runs us, whatever kernels the user has installed.

    Without folders to look in, jupyter_client falls back to the ipykernel of `sys.executable`. The encryption
    keeps other users of this machine from listening, and the kernel from warning that they could.
    """

    variables: Mapping[str, str] = {}  # of the kernels' environment, beside ours
    complaints = Path(os.devnull)  # takes what they write to their terminal
    cwd: Path = Path()
    started: list["OurKernels"] = []

    @default("transport_encryption")
    def _encrypted(self) -> str:
        return "auto"

    @default("kernel_spec_manager")
    def _ours_only(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)

    def start_kernel(self, **arguments: Any) -> Any:
        """Start a kernel that writes to a log, and nothing to our terminal; others' bars are off in it.

        jupyter_client interrupts a kernel before it shuts it down, so that what still runs in it ends, and
        ipykernel then complains of a KeyboardInterrupt, though nobody has pressed anything:
        https://jupyter-client.readthedocs.io/en/stable/api/manager.html#jupyter_client.KernelManager.shutdown_kernel
        """
        self.started.append(self)
        return self._start(arguments)

    async def _start(self, arguments: dict[str, Any]) -> Any:
        environment = {**os.environ, **self.variables, "TQDM_DISABLE": "1"}
        with self.complaints.open("ab") as log:
            streams = {"stdout": log, "stderr": log}
            return await super().start_kernel(env=environment, cwd=str(self.cwd), **streams, **arguments)

    def interrupt(self) -> None:
        """End what the kernel works on as Ctrl-C would; may be called from any thread."""
        self._tell(self.interrupt_kernel)

    def kill(self) -> None:
        """End the kernel at once; may be called from any thread."""
        if self.provisioner:
            self._tell(self.provisioner.kill)

    def _tell(self, what: Callable[[], Awaitable[None]]) -> None:
        async def tell() -> None:
            await what()

        if self.has_kernel:
            with suppress(RuntimeError, ProcessLookupError):  # it ends just now
                asyncio.run(tell())


def kernels_of(folder: Path, cwd: Path, started: list[OurKernels], awaited: Path) -> type[OurKernels]:
    """Return kernels that write calls to AWS to `calls.jsonl` of a run, and complaints to `kernels.log`.

    Args:
        folder: The run's.
        cwd: What they work in.
        started: Gets each that is started.
        awaited: The file in which they tell what they wait for.
    """
    variables = {
        call_ledger.PATH_VARIABLE: str(folder / call_ledger.KERNELS),
        told.FACTS_VARIABLE: str(folder / told.KERNELS),
        TOLD_VARIABLE: str(awaited),
    }
    own = {"variables": variables, "cwd": cwd, "started": started, "complaints": folder / "kernels.log"}
    return type("Kernels", (OurKernels,), own)
