"""The sections of further pipelines, one module each: what is put here is a section of the parameters.

A module is called like its pipeline, and has one class of the type `Pipeline`; nothing else has to name it.
"""

import pkgutil
from importlib import import_module
from types import ModuleType

from lib.base.errors import RunbookError
from lib.parameters.sections import Pipeline


def sections() -> dict[str, type[Pipeline]]:
    """Return the sections of the modules in here, by their names, sorted.

    Raises:
        RunbookError: If a module has not exactly one, or it does not say what the pipeline is for.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: _section(import_module(f"{__name__}.{name}")) for name in names}


def _section(module: ModuleType) -> type[Pipeline]:
    kinds = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Pipeline)]
    found = [kind for kind in kinds if kind.__module__ == module.__name__]
    if len(found) != 1:
        what = f"must have one class of the type Pipeline; it has {len(found)}"
        raise RunbookError(f"{module.__file__}: {what}")
    (section,) = found
    if not section.purpose:
        raise RunbookError(f"{module.__file__}: {section.__name__}.purpose must say what the pipeline is for")
    return section
