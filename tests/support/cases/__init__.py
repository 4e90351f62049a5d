"""One case for each class of resources, by service. A file that is put here is found; none is listed."""

from importlib import import_module
from pkgutil import iter_modules

from lib.resources.base import Resource
from support.case import Break, Case

MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
EVERY: dict[str, Case] = {case.name: case for module in MODULES for case in module.CASES}
BREAKS: list[Break] = [each for case in EVERY.values() for each in case.breaks]


def of(resource: Resource) -> Case:
    """Return the case of a resource's class; of several the first, whose way of use is the plain one."""
    return next(case for case in EVERY.values() if case.kind is type(resource))


def drifting(resource: Resource, setting: str, client) -> None:
    """Have somebody change a setting of a resource.

    Args:
        resource: Which exists.
        setting: One of its case's `drift`.
        client: Somebody's, of its service and region.
    """
    of(resource).drift[setting](client, resource)
