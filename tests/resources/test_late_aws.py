"""Resources on a local AWS that is late: made, destroyed and made again, though little is seen at once."""

from collections.abc import Iterator

import pytest
from support import cases
from support.described import describe
from support.homes import share_bundles

from lib.base import retry
from lib.base.errors import WaitError
from lib.engine.inventory import Inventory
from lib.engine.ledger import run_id
from lib.engine.rollback import rollback
from lib.engine.stack import Stack
from lib.lake.crawl import crawl
from lib.local import ministack
from lib.local.in_server.lag_times import FIGURES, Lag
from lib.parameters import Parameters
from lib.resources import s3
from lib.target import Target, connect

LATE_S = 2.0
POLL_S = 0.1


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Iterator[ministack.LocalAws]:
    """Two seconds late in all; the runbook looks more often than on AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path_factory.mktemp("late"))))
        patch.setattr(retry, "WAIT_S", POLL_S)
        patch.setattr(s3, "WAIT_S", POLL_S)
        patch.setattr(s3, "NAME_POLL_S", POLL_S)
        yield ministack.start(lag=Lag.of(seconds=dict.fromkeys(FIGURES, LATE_S)))
        ministack.reset()


@pytest.fixture(scope="module")
def parameters(late) -> Parameters:
    return Parameters.check({"env": "late", "exercise": False})


@pytest.fixture(scope="module")
def target(parameters) -> Target:
    return connect(parameters)


@pytest.mark.long
@pytest.mark.parametrize("pipeline", ["migrate", "backup"])
def test_a_pipeline_is_made_destroyed_and_made_again(pipeline, target, parameters):
    stack = describe(pipeline, target, parameters)
    stack.apply()
    assert stack.plan().count("unchanged") == len(stack.resources)
    inventory = Inventory(target, parameters)
    inventory.destroy()
    inventory.prove_empty()
    again = describe(pipeline, target, parameters)
    again.apply()
    assert again.plan().count("unchanged") == len(again.resources)
    inventory.destroy()


@pytest.mark.parametrize(
    "delete",
    [
        lambda inventory: inventory.destroy(),
        lambda inventory: rollback(inventory.target, inventory.parameters, run_id(), "ingest").deleted,
    ],
    ids=["destroyed", "rolled back"],
)
def test_what_lists_do_not_tell_of_yet_is_deleted_too(target, parameters, delete):
    stack = Stack(target, parameters, "ingest")
    cases.sqs.queue(stack)
    stack.apply()
    inventory = Inventory(target, parameters, "ingest")
    assert len(inventory.existing()) < len(stack.resources), "lists are not late"
    assert len(delete(inventory)) == len(stack.resources)
    assert inventory.existing() == []


def test_the_end_of_a_crawl_is_that_of_this_one(target, parameters):
    stack = Stack(target, parameters, "migrate")
    crawler = cases.glue.crawler(stack)
    stack.apply()
    client = stack.client(crawler)
    first = crawl(client, crawler.name)
    second = crawl(client, crawler.name)
    assert first["StartTime"] < second["StartTime"]


def test_a_name_that_s3_keeps_too_long_is_told_with_the_ways_out(target, parameters, monkeypatch, capsys):
    stack = Stack(target, parameters, "index")
    bucket = cases.s3.bucket(stack)
    client = stack.client(bucket)
    bucket.create(client)
    bucket.delete(client, bucket.name)
    monkeypatch.setattr(s3, "NAME_FREED_S", 0)
    with pytest.raises(WaitError, match="Nothing of this bucket was made.*another prefix or env"):
        bucket.create(client)
    monkeypatch.setattr(s3, "NAME_FREED_S", 3600)
    bucket.create(client)
    assert "another prefix or env" in capsys.readouterr().out
    bucket.delete(client, bucket.name)
