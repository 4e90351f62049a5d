"""All types of resources: whatever class of this package describes one. None is listed anywhere else."""

import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from lib import resources
from lib.resources.base import Resource


@cache
def types() -> tuple[type[Resource], ...]:
    """Return every type of resource that the runbook makes, in the order of deletion."""
    for module in iter_modules(resources.__path__):
        import_module(f"{resources.__name__}.{module.name}")
    found = {kind for kind in _below(Resource) if kind.__module__.startswith(f"{resources.__name__}.")}
    concrete = (kind for kind in found if kind.is_made and not inspect.isabstract(kind))
    return tuple(sorted(concrete, key=lambda kind: (kind.deletion, kind.noun)))


@cache
def call_names() -> tuple[str, ...]:
    """Return the parameters of calls that name a resource, in the order in which they are looked for.

    A call may name two: a function, and the queue that it is to be mapped to. It is about what stays longer.
    """
    return tuple(name for kind in reversed(types()) for name in kind.call_names)


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
