"""What papermill is told of our notebooks, however it is started: they take all parameters that there are.

papermill warns of each parameter that a notebook's parameters cell does not name. Ours name what they reach,
for people to read, and a file of parameters is for all of them. papermill loads this module by the entry
point `papermill.engine` (pyproject.toml), since it has none for what reads a parameters cell:
https://papermill.readthedocs.io/en/latest/extending-entry-points.html
"""

from typing import Any

from papermill.engines import NBClientEngine
from papermill.models import Parameter
from papermill.translators import PythonTranslator, papermill_translators

from lib.parameters import Parameters

OURS = {"target", "env", "account_id"}  # what a parameters cell of ours assigns


class Engine(NBClientEngine):
    """papermill's own, under our name: it is loaded for what comes with it."""


class Translator(PythonTranslator):
    """Reads a parameters cell as papermill does, and of ours all parameters that are not in it, too."""

    @classmethod
    def inspect(cls, parameters_cell: Any) -> list[Parameter]:
        """Return the parameters of a cell."""
        found: list[Parameter] = PythonTranslator.inspect(parameters_cell)
        named = {parameter.name for parameter in found}
        if not named >= OURS:
            return found
        described = {name: field.description or "" for name, field in Parameters.model_fields.items()}
        return found + [
            Parameter(name, "None", "", text) for name, text in described.items() if name not in named
        ]


papermill_translators.register("python", Translator)
