"""What the notebooks call: AWS through boto3, one idea a file."""

import sys as _sys
from pathlib import Path as _Path

# What we import, and a notebook's neighbour may be called.
_NEEDED: tuple[str, ...]
_NEEDED = ("boto3", "botocore", "filelock", "jinja2", "matplotlib", "numpy", "pandas", "papermill", "psutil")
_NEEDED += ("pyathena", "pydantic", "rich", "sqlalchemy", "sqlglot", "tenacity", "typer", "yaml")


def _refuse_impostors() -> None:
    """Say which file of the working folder would be imported in the place of a package, rather than fail."""
    try:
        here = _Path.cwd()
    except FileNotFoundError:  # somebody has deleted it
        return
    if not {"", str(here)} & set(_sys.path):
        return
    for name in _NEEDED:
        for file in (here / f"{name}.py", here / name / "__init__.py"):
            known = getattr(_sys.modules.get(name), "__file__", None)
            if file.exists() and known in (None, str(file)):
                raise ImportError(f"{file} stands in the way of the package {name}: give it another name")


_refuse_impostors()
