"""Many calls at once: all of them done, few of them waiting, errors told."""

import threading

import pytest

from lib.base.threads import in_threads, one_ahead


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


def test_the_next_one_is_fetched_while_one_is_worked_on():
    asked = [threading.Event() for _ in range(4)]

    def items():
        for number in range(3):
            asked[number].set()
            yield number
        asked[3].set()

    for number in one_ahead(items()):
        assert asked[number + 1].wait(timeout=600)
    assert list(one_ahead([])) == []


def test_none_is_fetched_that_is_not_wanted():
    taken = []

    def items():
        for number in range(10):
            taken.append(number)
            yield number

    assert list(one_ahead(items(), lambda number: number < 3)) == [0, 1, 2, 3]
    assert taken == [0, 1, 2, 3]


def test_an_error_comes_after_what_came_before_it_and_whoever_stops_early_leaves_no_thread():
    def items():
        yield 1
        raise ZeroDivisionError

    found = one_ahead(items())
    assert next(found) == 1
    with pytest.raises(ZeroDivisionError):
        next(found)
    before = threading.active_count()
    early = one_ahead(iter(range(10)))
    assert next(early) == 0
    early.close()
    assert threading.active_count() == before
