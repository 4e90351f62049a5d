"""Has Python find the runbook's `lib` before any other, wherever that lies: `setup.py` installs this.

`lib` is a name that others use too. On PYTHONPATH, in the folder that one works in, beside a notebook or
among the installed packages, another one would be found first, and be imported in our place.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

NAME = "lib"


class Finder:
    """Finds one package, in one folder; anything else is left to those who come after."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Return where the package is; None if it is not asked for, or not there any more."""
        if name != NAME or not (start := Path(self._folder, "__init__.py")).exists():
            return None
        return spec_from_file_location(name, start, submodule_search_locations=[self._folder])


def install(folder: str) -> None:
    """Find the package in a folder from now on.

    Args:
        folder: The package's own, an absolute path.
    """
    sys.meta_path.insert(0, Finder(folder))
