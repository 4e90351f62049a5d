"""The short form of `make fuzz`: a fixed seed, and all cases that once found something."""

from collections.abc import Iterator

import pytest
from support.fuzz.drawing import Case
from support.fuzz.fuzz import FAMILIES, drawn, kept, run
from support.running import SECTIONS, Running

SEED, INPUTS = 20261129, 6


@pytest.fixture(scope="module")
def running(local_aws) -> Iterator[Running]:
    running = Running("fuzz", tuple(SECTIONS))
    yield running
    running.destroy()


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_put_in_arrives_equal_or_is_refused_by_name(family, running):
    cases = [case for case in kept() if case.family == family] + drawn(SEED, INPUTS, [family])
    counts, faults = run(running, cases)
    assert counts["inputs"].sum() == len(cases)
    assert not faults, "\n".join(map(str, faults))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_case_is_drawn_the_same_again(family):
    draw = FAMILIES[family].draw
    assert [draw(case) for case in drawn(7, 2, [family])] == [draw(case) for case in drawn(7, 2, [family])]


def test_a_case_is_read_as_it_is_written():
    assert Case.parse(str(Case("objects", 12, 3))) == Case("objects", 12, 3)
