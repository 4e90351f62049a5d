"""The notebook of the backfill, on pipelines whose buckets were not empty when they were deployed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import papermill
import pytest
from support.headless import Deployed
from support.the_five import pipelines

from lib.engine.inventory import Inventory
from lib.engine.stack import Stack

pytestmark = pytest.mark.long

KEYS = [f"old {number % 5}/{number:03} +ü%.csv" for number in range(300)]


@pytest.fixture(scope="module")
def migrate(local_aws, tmp_path_factory):
    """*migrate*, deployed after 300 objects were put into its source."""
    migrate = Deployed(
        "10_migrate", tmp_path_factory.mktemp("migrate"), {"env": "tbackfill", "exercise": False}
    )
    stack = Stack(migrate.aws, migrate.parameters, "migrate")
    source = stack.add(pipelines(migrate.parameters)["migrate"].source)
    stack.apply()
    s3 = stack.client(source)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: s3.put_object(Bucket=source.name, Key=key, Body=key.encode()), KEYS))
    migrate.run()
    yield migrate
    migrate.destroy()


@pytest.fixture
def backfill(migrate):
    return replace(migrate, notebook="71_backfill")


def copied(migrate) -> list[str]:
    """The keys in the target bucket."""
    s3 = migrate.aws.client("s3", "us-east-1")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=migrate.outputs["target_bucket"])
    return [listed["Key"] for page in pages for listed in page.get("Contents", [])]


def text(notebook) -> str:
    """All that its cells printed."""
    return str([cell.get("outputs") for cell in notebook.cells])


def test_with_mode_plan_it_only_estimates(migrate, backfill):
    executed = backfill.run(mode="plan", backfill={"send": True})

    assert "sent by events: False; left to a job: False" in text(executed)
    assert "send = True" in text(executed)
    assert copied(migrate) == []


def test_where_there_are_no_jobs_a_large_one_is_refused_before_anything_is_made(migrate, backfill):
    with pytest.raises(
        papermill.PapermillExecutionError, match="The local AWS has none: set backfill.batch_above"
    ):
        backfill.run(backfill={"send": True, "batch_above": 299})
    assert copied(migrate) == []
    assert Inventory(migrate.aws, migrate.parameters, "backfill").table().empty


def test_all_that_was_there_arrives(migrate, backfill):
    executed = backfill.run(backfill={"send": True, "objects_per_second": 3000})

    assert copied(migrate) == sorted(KEYS)
    assert "300 of 300" in text(executed)
