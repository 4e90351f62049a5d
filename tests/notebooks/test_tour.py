"""The tour: what it deploys is what *migrate* deploys, and it can be taken at any time."""

import pytest
from support.headless import Deployed, counts

from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.execution.run import select

VALUES = {"env": "ttour"}


@pytest.fixture(scope="module")
def tour(local_aws, tmp_path_factory):
    deployed = Deployed("01_tour", tmp_path_factory.mktemp("tour"), VALUES)
    yield deployed
    deployed.destroy()


def texts(executed) -> str:
    """All that an executed notebook says."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def test_a_plan_writes_nothing_and_says_what_would_be_made(tour):
    executed = tour.run(mode="plan")
    assert counts(executed)["to create"] == 21
    assert "skipped, since this is not so: stack.exercises" in texts(executed)
    assert Inventory(tour.aws, tour.parameters).table().empty
    assert "migrate" not in Ledger.of(tour.parameters).outputs()


def test_without_samples_it_only_builds_and_then_one_file_is_sent_asked_about_and_drawn(tour):
    built = tour.run(exercise=False)
    assert "A map of" not in texts(built)
    executed = tour.run()
    assert "A map of 1,454 airports, 143 of them above 3,000 feet" in texts(executed)
    for claim in ("the file arrived", "its copy is the same", "nothing is missing in the answer"):
        assert f"✓  {claim}" in texts(executed)


def test_again_it_changes_nothing_and_nor_does_the_notebook_that_explains_it(tour):
    recorded = Ledger.of(tour.parameters).outputs()["migrate"]
    found = tour.counts()
    assert (found["unchanged"], found["to create"], found["to change"]) == (21, 0, 0)
    explained = Deployed("10_migrate", tour.folder, {**VALUES, "exercise": False})
    assert explained.counts() == found
    assert Ledger.of(tour.parameters).outputs()["migrate"] == recorded


def test_a_run_of_all_leaves_it_out_since_it_deploys_nothing_of_its_own():
    assert "01_tour" not in [path.stem for path in select([])]
    assert [path.stem for path in select(["tour"])] == ["01_tour"]
