"""Pipelines deployed by their notebooks, run headlessly as an operator does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import papermill
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.base.paths import ROOT
from lib.base.told import COUNTS
from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.target import Target, connect

NOTEBOOKS = ROOT / "notebooks"


def execute(name: str, folder: Path, **parameters):
    """Run a notebook; returns it executed."""
    return papermill.execute_notebook(
        NOTEBOOKS / f"{name}.ipynb",
        folder / f"{name}.ipynb",
        parameters,
        request_save_on_cell_execute=False,  # it would be written twice for each cell
        cwd=NOTEBOOKS,
        progress_bar=False,
        kernel_name="python3",
    )


def counts(notebook) -> dict[str, int]:
    """What the notebook's last plan or apply counted."""
    bundles = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    return [bundle[COUNTS]["counts"] for bundle in bundles if COUNTS in bundle][-1]


@dataclass
class Deployed:
    """A pipeline in an environment of its own.

    Attributes:
        notebook: The notebook's name, such as `20_backup`.
        folder: Where executed notebooks go.
        values: The parameters that are not the defaults.
    """

    notebook: str
    folder: Path
    values: dict = field(default_factory=dict)

    def run(self, **changed):
        """Run the notebook, some parameters changed, and return it executed."""
        return execute(self.notebook, self.folder, **{**self.values, **changed})

    def counts(self, **changed) -> dict[str, int]:
        """Run the notebook, and return what it counted."""
        return counts(self.run(**changed))

    @property
    def parameters(self) -> Parameters:
        return Parameters.check(self.values)

    @cached_property
    def aws(self) -> Target:
        return connect(self.parameters)

    @property
    def outputs(self) -> dict[str, str]:
        """What `runbook output` prints of the pipeline."""
        pipeline = self.notebook.split("_", 1)[1]
        return Ledger.of(self.parameters).outputs()[pipeline]

    def destroy(self) -> None:
        Inventory(self.aws, self.parameters).destroy()


def eventually(look: Callable[[], bool], timeout_s: float = 600) -> bool:
    """Look again and again until it is true or the time is up; returns whether it became true."""
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(0.25),
        retry_error_callback=lambda state: False,
    )
    return bool(retrying(look))
