"""How a resource was described, so that a second description of it can be compared with the first."""

from dataclasses import dataclass, fields
from typing import Any

from lib.resources.base import Resource

MOST_CHARACTERS = 80  # of a value that is shown


@dataclass(frozen=True)
class Description:
    """A resource as it was when it was described; what is set on it later is no part of it.

    Attributes:
        values: What it was described by, by name.
    """

    values: dict[str, Any]

    @classmethod
    def of(cls, resource: Resource, wanted: bool) -> "Description":
        """Take down a description.

        Args:
            resource: As it is described.
            wanted: Whether it shall exist.
        """
        values = {
            each.name: _plain(getattr(resource, each.name)) for each in fields(resource) if each.compare
        }
        return cls({"wanted": wanted, "type": type(resource).__name__, **values})

    def differing(self, new: "Description") -> list[str]:
        """Return in what another description differs, for people.

        Args:
            new: Of a resource of the same ARN.
        """
        names = dict.fromkeys([*self.values, *new.values])
        return [
            f"{name} was {_shown(self.values.get(name))} and is {_shown(new.values.get(name))}"
            for name in names
            if self.values.get(name) != new.values.get(name)
        ]


def _plain(value: Any) -> Any:
    """Return a value in which other resources are by their names: each has a description of its own."""
    if isinstance(value, Resource):
        return repr(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
