"""What AWS and the network do now and then is not noticed; one pipeline a fault, `make sweep` takes all."""

import pytest
from described import PIPELINES
from faults import FAULTS, NOT_YET, Disturber, disturbed, without_waits
from interruptions import subject
from test_crash import SEED


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_every_call_is_not_noticed(local_aws, monkeypatch, fault):
    without_waits(monkeypatch)
    one = subject(PIPELINES[(SEED + list(FAULTS).index(fault)) % len(PIPELINES)])
    disturber = Disturber(str(one.target.ca_bundle), FAULTS[fault]())
    one.disturbed_cycle(disturbed(one.target, disturber), fault)
    operations = {name.split(".")[1] for name in NOT_YET}
    assert len(disturber.disturbed) > 150 or operations & set(disturber.disturbed)
