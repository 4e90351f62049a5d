"""Correction of MiniStack's Lambda: environments of Python begin as copies of a process that has boto3.

`corrections/lambda_svc.py` says why, docs/decisions/0031-environments-of-lambda-are-copies.md how.
"""

import filecmp
import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from lib.local.in_server.copied_process import Copy, NoCopyError, answer
from lib.local.in_server.corrections import lambda_svc as corrections

PROGRAM = Path(__file__).with_name("lambda_copied.py")
WORKER = "_worker.py"  # what MiniStack runs handlers of Python with
# What of its environment a process reads when it begins, and then never again.
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "OPENSSL_", "MALLOC_", "GLIBC_")
ROOM = "." * 512  # for the command lines of copies

logger = logging.getLogger("lambda_start")


class Environment(Copy):
    """An execution environment's process."""

    def __init__(self, copied: socket.socket, command: list[str], cwd: str, env: dict[str, str]) -> None:
        stdin, to_stdin = os.pipe()
        from_stdout, stdout = os.pipe()
        from_stderr, stderr = os.pipe()
        # As Popen's of text, buffered by the line.
        self.stdin = io.TextIOWrapper(os.fdopen(to_stdin, "wb"), line_buffering=True, write_through=True)
        self.stdout, self.stderr = os.fdopen(from_stdout), os.fdopen(from_stderr)
        try:
            super().__init__(copied, command, cwd, env, (stdin, stdout, stderr))
        finally:
            for file in (stdin, stdout, stderr):
                os.close(file)


class Copied:
    """The process that is copied; it begins with the first environment, and anew if it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._listens: socket.socket | None = None
        self._works = True
        self._imported: dict[str, str] = {}
        self._hidden: dict[Path, list[str]] = {}

    def copy(self, command: list[str], cwd: str, env: dict[str, str]) -> Environment:
        """Make a copy, if what is to run could not tell it from a process of its own.

        Args:
            command: An interpreter and its program.
            cwd: The folder with the function's code.
            env: The environment.

        Raises:
            NoCopyError, OSError: It could, or there is none.
        """
        read = [name for name in env if name.startswith(READ_AT_START) and env[name] != os.environ.get(name)]
        if read:
            raise NoCopyError(f"its environment has its own {', '.join(sorted(read))}")
        with self._lock:
            listens = self._begun()
            hidden = {name for folder in _on_the_path(cwd, env) for name in self._hides(folder)}
        if hidden:
            raise NoCopyError(f"it has its own {', '.join(sorted(hidden))}")
        return Environment(listens, command, cwd, env)

    def _begun(self) -> socket.socket:
        if not self._works:
            raise NoCopyError("no process could be begun that would be copied")
        if self._process is None or self._process.poll() is not None or self._listens is None:
            self._works = False
            listens, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                # The last word is how `end_orphans` of lib/local/server_process.py finds it.
                words = [str(PROGRAM), str(theirs.fileno()), ROOM, str(Path(os.environ["TMPDIR"], WORKER))]
                self._process = subprocess.Popen(
                    [sys.executable, *words], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            self._imported = json.loads(answer(listens))
            self._listens, self._works = listens, True
        return self._listens

    def _hides(self, folder: Path) -> list[str]:
        """Return which modules a folder has that are not those which are imported already."""
        if folder not in self._hidden:
            paths = [path for path in folder.iterdir() if not path.name.endswith(("-info", "__pycache__"))]
            names = {path: path.name.partition(".")[0] for path in paths}
            self._hidden[folder] = [
                name
                for path, name in names.items()
                if name in self._imported and not _are_same(path, Path(self._imported[name]))
            ]
        return self._hidden[folder]


class _Subprocess:
    """The module subprocess, but for how environments of Python begin."""

    copied = Copied()

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: list[str], **options: Any) -> Any:  # noqa: N802  # its name there
        """Begin a process."""
        if sys.platform == "linux" and Path(command[-1]).name == WORKER:
            try:
                return self.copied.copy(command, options["cwd"], options["env"])
            except (NoCopyError, OSError, ValueError) as error:
                logger.warning("%s begins as a process of its own: %s", command[-1], error)
        return subprocess.Popen(command, **options)


def _on_the_path(cwd: str, env: dict[str, str]) -> list[Path]:
    """Return the folders that come first where a function's modules are looked for."""
    layers = [Path(layer) for layer in env.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep) if layer]
    below = [found for layer in layers for found in (layer / "python").glob("lib/*/site-packages")]
    folders = [Path(cwd), *layers, *(layer / "python" for layer in layers), *below]
    return [folder.resolve() for folder in folders if folder.is_dir()]


def _are_same(path: Path, module: Path) -> bool:
    """Return whether what an import would find is, file for file, what was imported."""
    if path.is_file():
        return path.name == module.name and filecmp.cmp(path, module, shallow=False)
    if module.name != "__init__.py":
        return False
    theirs, ours = ({file.relative_to(at) for file in at.rglob("*.py")} for at in (path, module.parent))
    return theirs == ours and all(
        filecmp.cmp(path / name, module.parent / name, shallow=False) for name in ours
    )


corrections.START.adding("ministack.core.lambda_runtime:subprocess", _Subprocess())
