"""Installs, beside the runbook, what has its `lib` found before any other; all else is in pyproject.toml.

Python reads what ends in .pth when it starts, whoever started it: `runbook`, a kernel, papermill, pytest.
https://docs.python.org/3/library/site.html
"""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, setup

ROOT = Path(__file__).resolve().parent
START = Path(".cache", "runbook_lib_first.pth")


class WithData(Distribution):
    """A distribution whose data files are installed by `pip install -e`, too.

    setuptools asks `has_data` for it, and has called the method otherwise (command/editable_wheel.py).
    """

    def has_data(self) -> bool:
        """Return whether there are data files."""
        return self.has_data_files()


START.parent.mkdir(exist_ok=True)
START.write_text(f"import runbook_lib_first; runbook_lib_first.install({str(ROOT / 'lib')!r})\n", "utf-8")
packages = os.path.relpath(sysconfig.get_path("purelib"), sys.prefix)
setup(distclass=WithData, data_files=[(packages, ["runbook_lib_first.py", str(START)])])
