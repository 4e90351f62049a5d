"""What AWS and the network do now and then is not noticed; one pipeline a fault, `make sweep` takes all."""

import examples
import pytest
from cleanup import remove
from described import PIPELINES
from faults import FAULTS, NOT_YET, Disturber, disturbed, lost_answer, without_waits
from interruptions import subject
from test_crash import SEED

from lib.stack import Stack


@pytest.fixture
def lossy(stack: Stack, monkeypatch) -> Stack:
    """A stack of whose calls the first answer is always lost."""
    without_waits(monkeypatch)
    target = disturbed(stack.target, Disturber(str(stack.target.ca_bundle), lost_answer))
    return Stack(target, stack.parameters, stack.scope.pipeline)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_every_call_is_not_noticed(local_aws, monkeypatch, fault):
    without_waits(monkeypatch)
    one = subject(PIPELINES[(SEED + list(FAULTS).index(fault)) % len(PIPELINES)])
    disturber = Disturber(str(one.target.ca_bundle), FAULTS[fault]())
    one.disturbed_cycle(disturbed(one.target, disturber), fault)
    operations = {name.split(".")[1] for name in NOT_YET}
    assert len(disturber.disturbed) > 150 or operations & set(disturber.disturbed)


@pytest.mark.parametrize("name", examples.EXAMPLES)
def test_lost_answers_neither_end_a_run_nor_leave_anything_behind(stack, lossy, name):
    examples.EXAMPLES[name](lossy)
    lossy.apply()
    stack.resources = lossy.resources
    assert stack.plan().count("unchanged") == len(stack.resources)
    remove(lossy)
    assert stack.plan().count("create") == len(stack.resources)


def test_a_database_goes_with_its_tables_though_the_answers_are_lost(stack, lossy, somebody):
    database = examples.database(lossy)
    lossy.apply()
    somebody("glue", database.region).create_table(DatabaseName=database.name, TableInput={"Name": "found"})
    database.delete(lossy.client(database), database.name)
    assert database.read(stack.client(database)) is None
