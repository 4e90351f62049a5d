"""Pipelines for the tests of a module, destroyed at its end."""

from collections.abc import Callable, Iterator

import pytest
from support.headless import Deployed


@pytest.fixture(scope="module")
def deploy(local_aws, tmp_path_factory) -> Iterator[Callable[..., Deployed]]:
    """Deploys a pipeline by its notebook, without samples: `deploy("20_backup", backup={…})`."""
    made: list[Deployed] = []

    def run(notebook: str, **section) -> Deployed:
        name = notebook.split("_", 1)[1]
        values = {"env": f"t{name}", "exercise": False, **section}
        made.append(Deployed(notebook, tmp_path_factory.mktemp(name), values))
        made[-1].run()
        return made[-1]

    yield run
    for deployed in made:
        deployed.destroy()
