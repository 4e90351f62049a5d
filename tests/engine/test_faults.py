"""What AWS and the network do now and then is not noticed; one pipeline a fault, `make sweep` takes all."""

import pytest
from support import cases
from support.cleanup import remove
from support.faults import FAULTS, Disturber, disturbed, lost_answer, without_waits
from support.interruptions import subject
from support.today import SEED, TODAY

from lib.engine.stack import Stack


@pytest.fixture
def lossy(stack: Stack, monkeypatch) -> Stack:
    """A stack of whose calls the first answer is always lost."""
    without_waits(monkeypatch)
    target = disturbed(stack.target, Disturber(str(stack.target.ca_bundle), lost_answer))
    return Stack(target, stack.parameters, stack.scope.pipeline)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_every_call_is_not_noticed(local_aws, monkeypatch, fault):
    without_waits(monkeypatch)
    # What may come too early, comes in stacks with functions.
    with_functions = next(name for name in [*TODAY, "index"] if name not in ("analyze", "audit"))
    one = subject(with_functions if fault.startswith("not_yet") else TODAY[SEED % len(TODAY)])
    disturber = Disturber(str(one.target.ca_bundle), FAULTS[fault]())
    one.disturbed_cycle(disturbed(one.target, disturber), fault)
    assert disturber.disturbed


@pytest.mark.parametrize("case", cases.EVERY.values(), ids=repr)
def test_lost_answers_neither_end_a_run_nor_leave_anything_behind(stack, lossy, case):
    case.describe(lossy)
    lossy.apply()
    stack.resources = lossy.resources
    assert stack.plan().count("unchanged") == len(stack.resources)
    remove(lossy)
    assert stack.plan().count("create") == len(stack.resources)


def test_a_database_goes_with_its_tables_though_the_answers_are_lost(stack, lossy, somebody):
    database = cases.glue.database(lossy)
    lossy.apply()
    somebody("glue", database.region).create_table(DatabaseName=database.name, TableInput={"Name": "found"})
    database.delete(lossy.client(database), database.name)
    assert database.read(stack.client(database)) is None
