"""Going back after a run that stopped in the middle: what it created goes, and only that."""

import examples
import pytest
from drift import DRIFT

from lib import holder
from lib.errors import UnfinishedError
from lib.execution.rollback import rollback
from lib.inventory import Inventory
from lib.parameters import Parameters
from lib.resources import sqs
from lib.stack import Stack
from lib.target import Target, connect


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "rollback"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture(autouse=True)
def cleaned(target, parameters):
    yield
    Inventory(target, parameters).destroy()
    Inventory(target, parameters).prove_empty()


def arns(target, parameters) -> list[str]:
    return sorted(item.found.arn for item in Inventory(target, parameters).existing())


class Impossible(sqs.Queue):
    """A queue that AWS refuses, and preflight lets pass: it shall keep messages for a second."""

    def __init__(self):
        super().__init__("impossible", examples.HERE, retention_s=1)

    def checks(self):
        return ()


def more(stack: Stack) -> None:
    """What the second run adds; it stops before the last."""
    examples.notification(stack)
    stack.add(Impossible())
    stack.add(sqs.Queue("later", examples.HERE))


def test_what_a_run_created_goes_and_what_was_there_stays(target, parameters, somebody, monkeypatch):
    monkeypatch.setenv(holder.VARIABLE, "run-1")
    first = Stack(target, parameters, "migrate")
    queue = examples.queue(first)
    first.apply()
    before = arns(target, parameters)

    monkeypatch.setenv(holder.VARIABLE, "run-2")
    DRIFT["Queue"]["VisibilityTimeout"](somebody("sqs", queue.region), queue)
    second = Stack(target, parameters, "migrate")
    examples.queue(second)
    more(second)
    with pytest.raises(UnfinishedError) as error:
        second.apply()
    for part in ("stopped at step 3 of 4", "impossible", "1 not begun", "run it again", "runbook rollback"):
        assert part in str(error.value)
    assert len(arns(target, parameters)) == len(before) + 1

    done = second.rollback()
    assert arns(target, parameters) == before
    assert done.changed["name"].tolist() == [queue.name]
    assert queue.name in repr(done)
    assert first.plan().count("unchanged") == len(first.resources)
    assert rollback(target, parameters, "run-2").deleted == []


def test_a_first_run_goes_without_a_trace(target, parameters):
    stack = Stack(target, parameters, "migrate")
    more(stack)
    with pytest.raises(UnfinishedError):
        stack.apply()
    stack.rollback()
    assert arns(target, parameters) == []
    assert stack.ledger.entries() == {}


def test_a_store_that_holds_what_others_put_is_kept_and_the_rest_goes(target, parameters, somebody):
    stack = Stack(target, parameters, "migrate")
    bucket = examples.bucket(stack)
    examples.notification(stack)
    stack.apply()
    somebody("s3", bucket.region).put_object(Bucket=bucket.name, Key="a", Body=b"a")
    done = stack.rollback()
    assert arns(target, parameters)[0] == bucket.arn
    assert [item.found.arn for item in done.deleted] == [arn for arn in stack.resources if arn != bucket.arn]
    ((name, why),) = done.kept[["name", "why"]].itertuples(index=False)
    assert (name, "'a'" in why) == (bucket.name, True)
    for part in (bucket.name, "which that run did not put there", "runbook destroy", "runbook run"):
        assert part in repr(done)
