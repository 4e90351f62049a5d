"""Correction of MiniStack's Lambda: a function's code is unpacked once, for all that run it.

`corrections/lambda_svc.py` says why.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

from lib.local.in_server.corrections import lambda_svc as corrections

CODE = Path(os.environ["TMPDIR"]) / "code"  # goes with what else handlers were run from, when a server starts
MOST_KEPT = 30  # of those that nobody runs any more

_lock = threading.Lock()


class CodeZip(zipfile.ZipFile):
    """The zip of a function or of a layer, as a Python environment unpacks it."""

    def extractall(
        self,
        path: str | os.PathLike[str] | None = None,
        members: Iterable[str | zipfile.ZipInfo] | None = None,
        pwd: bytes | None = None,
    ) -> None:
        """Unpack it, unless that was done before, and lead to it from where it is looked for.

        Args:
            path: An empty folder of the environment.
            members: As of ZipFile.
            pwd: As of ZipFile.
        """
        place = Path(path or os.curdir)
        # Into a folder of Node's environments MiniStack puts links of its own.
        if not place.with_name("_worker.py").exists():
            super().extractall(path, members, pwd)
            return
        with Path(str(self.filename)).open("rb") as file:
            folder = CODE / hashlib.file_digest(file, "sha256").hexdigest()
        with _lock:
            if folder.exists():
                folder.touch()
            else:
                CODE.mkdir(exist_ok=True)
                forget()
                staged = Path(tempfile.mkdtemp(dir=CODE))
                super().extractall(staged, members, pwd)
                staged.rename(folder)
            place.rmdir()
            place.symlink_to(folder, target_is_directory=True)
            # Written for this alone: hundreds of environments would keep a copy each.
            Path(str(self.filename)).unlink(missing_ok=True)


def forget() -> None:
    """Delete what was used longest ago, of all that no environment leads to."""
    used = {link.resolve() for link in CODE.parent.glob("ministack-lambda-*/*") if link.is_symlink()}
    unused = [folder for folder in CODE.iterdir() if folder.resolve() not in used]
    for folder in sorted(unused, key=lambda folder: folder.stat().st_mtime)[:-MOST_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


corrections.CODE.adding(
    "ministack.core.lambda_runtime:zipfile",
    SimpleNamespace(
        ZipFile=CodeZip,
        BadZipFile=zipfile.BadZipFile,
        LargeFileError=zipfile.LargeZipFile,  # so MiniStack names it
    ),
)
