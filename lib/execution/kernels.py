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

from lib.base.call_ledger import PATH_VARIABLE


class OurKernels(AsyncKernelManager):
    """Starts kernels with the interpreter that runs us, whatever kernels the user has installed.

    Without folders to look in, jupyter_client falls back to the ipykernel of `sys.executable`. The encryption
    keeps other users of this machine from listening, and the kernel from warning that they could.
    """

    variables: Mapping[str, str] = {}  # of the kernels' environment, beside ours
    cwd: Path = Path()
    started: list["OurKernels"] = []

    @default("transport_encryption")
    def _encrypted(self) -> str:
        return "auto"

    @default("kernel_spec_manager")
    def _ours_only(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)

    def start_kernel(self, **arguments: Any) -> Any:
        """Start a kernel whose progress bars are off: nobody watches, and they would stay in the output."""
        self.started.append(self)
        environment = {**os.environ, **self.variables, "TQDM_DISABLE": "1"}
        return super().start_kernel(env=environment, cwd=str(self.cwd), **arguments)

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


def kernels_of(folder: Path, cwd: Path, started: list[OurKernels]) -> type[OurKernels]:
    """Return kernels whose calls to AWS are written to `calls.jsonl` in a run's folder.

    Args:
        folder: The run's.
        cwd: What they work in.
        started: Gets each that is started.
    """
    own = {"variables": {PATH_VARIABLE: str(folder / "calls.jsonl")}, "cwd": cwd, "started": started}
    return type("Kernels", (OurKernels,), own)
