"""Where values of parameters come from, one layer upon the other: files, variables, `--set`, options.

A later layer replaces what an earlier one says of the same parameter; of a section, only what it names.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lib.base.errors import ParameterError
from lib.parameters.text import read_assignment
from lib.parameters.types import did_you_mean

BEGINNING = "RUNBOOK_"
# Our variables that are no parameters': where state is kept, and what kernels and servers are told.
OURS = frozenset({"HOME", "RUN", "CALLS", "SEED", "ENV_CHANGED", "WAITS"})
OURS_BEGIN = ("ENV_BEFORE_", "LOCAL_AWS_")
DEFAULT = "default"  # the origin of what no layer says

Layer = tuple[str, Mapping[str, Any]]  # where from, in words; and names to values, not checked yet


def variable_of(name: str) -> str:
    """Return the environment variable of a parameter, such as RUNBOOK_MIGRATE__BATCH_SIZE."""
    return BEGINNING + name.replace(".", "__").upper()


def from_variables(
    environ: Mapping[str, str], names: Iterable[str], schema: Mapping[str, Any]
) -> Iterator[Layer]:
    """Yield a layer for each environment variable that is a parameter's.

    Args:
        environ: The variables there are. `RUNBOOK_MIGRATE_BATCH_SIZE` is taken for
            `RUNBOOK_MIGRATE__BATCH_SIZE`, too. One that is empty says nothing.
        names: Of all parameters, those of a section as `section.name`.
        schema: The JSON schema of the parameters.

    Raises:
        ParameterError: If one is of no parameter, and none of those that are for something else: what it was
            meant to say would be in vain.
    """
    known = {variable_of(name).replace("__", "_"): name for name in names}
    for variable in sorted(variable for variable in environ if variable.startswith(BEGINNING)):
        rest = variable.removeprefix(BEGINNING)
        if rest in OURS or rest.startswith(OURS_BEGIN) or not environ[variable]:
            continue
        name = known.get(variable.replace("__", "_"))
        if name is None:
            meant = did_you_mean(rest.lower().replace("__", "."), known.values())
            raise ParameterError(
                f"{variable}: no parameter has this variable{meant or ','} `unset {variable}` if it is of "
                "something else"
            )
        yield variable, nested(*read_assignment(f"{name}={environ[variable]}", schema, variable))


def nested(parts: list[str], value: Any) -> dict[str, Any]:
    """Return a value in the sections that its name says."""
    for part in reversed(parts):
        value = {part: value}
    return value


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others in their place; of a section only those that are named."""
    result = dict(values)
    for name, value in more.items():
        inner = result.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        result[name] = merged(inner, value) if both else value  # type: ignore[arg-type]
    return result


def names_of(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the names of the values, those of a section as `section.name`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from names_of(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"
