"""Zips of handlers, as Lambda sees them."""

import io
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from lib.resources.bundle import THIS, bundle

RUNTIME = ["boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six.py", "jmespath"]


def a_zip(source: str, name: str = "handler.py") -> bytes:
    """A function's code; equal sources give equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), source, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def imports_alone(name, folder):
    """Import a handler's zip with nothing but itself and the runtime; return what went wrong, or ""."""
    zipped = bundle(name, THIS)
    zipfile.ZipFile(io.BytesIO(zipped)).extractall(folder / "task")
    (folder / "runtime").mkdir()
    for package in RUNTIME:
        (folder / "runtime" / package).symlink_to(Path(sysconfig.get_path("purelib")) / package)
    program = (
        f"import sys; sys.path[:0] = [{str(folder / 'task')!r}, {str(folder / 'runtime')!r}]\n"
        f"import handler; assert callable(handler.handler)\n"
        f"assert handler.__file__ == {str(folder / 'task' / 'handler.py')!r}"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, env={})
    return result.stderr
