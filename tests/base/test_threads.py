"""Many calls at once: all of them done, few of them waiting, errors told."""

import threading

import pytest

from lib.base.threads import in_threads


def test_all_are_called_and_few_wait():
    taken, done = [], []
    most = 0

    def items():
        nonlocal most
        for number in range(500):
            taken.append(number)
            most = max(most, len(taken) - len(done))
            yield number

    for result in in_threads(lambda number: number * 2, items(), workers=3):
        done.append(result)
    assert sorted(done) == [number * 2 for number in range(500)]
    assert most <= 4 * 3 + 1
    assert list(in_threads(str, [])) == []


def test_calls_run_at_the_same_time():
    together = threading.Barrier(4, timeout=600)
    assert len(list(in_threads(lambda _: together.wait(), range(4), workers=4))) == 4


def test_an_error_ends_it():
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 // number, range(1000), workers=2))
