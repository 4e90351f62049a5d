"""Findings and the walk that makes them: bounded memory, nothing lost, the first error ends it."""

import tracemalloc

import pytest

from lib.base.waits import Wait
from lib.operate.audits.findings import EXTRA, MISSING, SAME, UNJUDGED, Finding, Findings, not_due, walk

MEGABYTE = 1024 * 1024


@pytest.fixture
def progress():
    with Wait("Audit") as progress:
        yield progress


def judge(number: int) -> Finding | None:
    if number % 7 == 3:
        return None
    return Finding(f"key {number:08}", MISSING if number % 10 == 0 else SAME)


def test_all_are_counted_the_first_are_kept_and_every_difference_is_in_the_file(progress):
    findings = Findings(most=5)
    walk([range(500), range(500, 1000), []], judge, findings, 4, progress)
    findings.close()
    expected = [found for found in map(judge, range(1000)) if found]
    wrong = {found.key for found in expected if found.state == MISSING}
    assert findings.counts == {SAME: len(expected) - len(wrong), MISSING: len(wrong)}
    assert len(findings.kept) == 5
    assert sorted(found.key for found in findings) == sorted(wrong)
    assert [found.key for found in findings] == [found.key for found in findings]  # more than once
    assert findings.to_do == len(wrong)


def test_what_is_by_design_is_a_difference_but_nothing_to_do():
    findings = Findings(most=5)
    findings.add(Finding("a", EXTRA, "ünïcode \n", by_design=True))
    findings.add(not_due("b", "too young"))
    findings.close()
    assert (findings.to_do, findings.unjudged) == (0, {})
    assert (findings.not_due, findings.examples) == ({"too young": 1}, {"too young": "b"})
    assert list(findings) == findings.kept == [Finding("a", EXTRA, "ünïcode \n", by_design=True)]


def test_any_number_of_differences_takes_no_memory():
    findings = Findings(most=1000)
    tracemalloc.start()
    for number in range(40_000):
        findings.add(Finding(f"key {number}", MISSING if number % 2 else SAME))
    findings.close()
    assert sum(1 for _ in findings) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MEGABYTE


def test_no_more_items_are_taken_than_can_wait(progress):
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    def slow(number: int) -> Finding:
        ahead = len(taken) - number
        assert ahead <= 2 * 3 + 3 + 2, "the stream runs away from the judges"
        return Finding(str(number), SAME)

    findings = Findings(most=1)
    walk([items()], slow, findings, 3, progress)
    assert findings.counts[SAME] == 1000


@pytest.mark.parametrize("where", ["stream", "judge"])
def test_an_error_ends_the_walk_and_is_not_swallowed(progress, where):
    def stream():
        yield 1
        if where == "stream":
            raise OSError("the listing broke")

    def fails(number: int) -> Finding:
        if where == "judge":
            raise OSError("the judge broke")
        return Finding("a", SAME)

    endless = iter(int, 1)
    findings = Findings(most=1)
    with pytest.raises(OSError, match=where if where == "judge" else "listing"):
        walk([stream(), endless], fails, findings, 2, progress)


def test_one_that_cannot_be_judged_holds_up_no_other(progress):
    def fails(number: int) -> Finding:
        if number % 5 == 0:
            raise OverflowError("date value out of range")
        return Finding(str(number), SAME)

    findings = Findings(most=3)
    walk([range(50), range(50, 100)], fails, findings, 4, progress)
    findings.close()
    assert findings.counts == {SAME: 80, UNJUDGED: 20}
    assert findings.to_do == 0
    ((reason, count),) = findings.unjudged.items()
    assert (reason.partition(" (")[0], count) == ("cannot be read as what it should be: OverflowError", 20)
    assert sorted(int(finding.key) for finding in findings) == list(range(0, 100, 5))
