"""The short form of `make soak`."""

from support.soak.soak import soak_both


def test_under_load_and_faults_nothing_is_lost_or_wrong_and_poison_is_dead_with_its_reason():
    counts = soak_both(objects=120, hidden_s=4)
    for name, found in counts.items():
        said = f"{name}\n{counts.to_string()}"
        assert (found["lost"], found["wrong"]) == (0, 0), said
        poison = found["poisoned objects"] + found["malformed messages"]
        assert found["poison in a DLQ with its reason"] == poison, said
        assert found["calls answered with 503"] and found["processes killed"], said
