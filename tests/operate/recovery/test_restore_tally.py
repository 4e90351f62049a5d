"""The outcomes of a restore, counted: each key in one state, and the few that need somebody named."""

from datetime import UTC, datetime

import pytest

from lib.operate.recovery.restore_tally import PROBLEMS, PROBLEMS_KEPT, STATES, Outcome, Tally
from lib.s3.versions import Version


def tally(*outcomes: tuple[str, str]) -> Tally:
    made = Tally()
    for key, state in outcomes:
        made.add(Outcome(key, state))
    return made


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_counted_and_says_what_it_means(state):
    made = tally(("a", state), ("b", state))
    (row,) = made.table().to_dict("records")
    assert row == {"state": state, "objects": 2, "bytes": 0, "meaning": STATES[state]}
    assert (len(made.problems) == 2) is (state in PROBLEMS)


def test_bytes_are_those_of_the_versions_to_restore():
    made = Tally()
    for size in (5, 7):
        made.add(Outcome("a", "restored", Version("a", "v", datetime(2026, 1, 2, tzinfo=UTC), bytes=size)))
    made.add(Outcome("b", "was deleted"))
    assert made.table()["bytes"].tolist() == [0, 12]


def test_what_differs_was_there_and_is_not_the_same_now():
    then = [("a", "to restore"), ("b", "in place"), ("c", "newer")]
    made = tally(*then, ("d", "came since"), ("e", "came back"))
    assert (made.differing, made.others) == (2, 2)


def test_a_problem_says_why_or_what_its_state_means():
    made = Tally()
    made.add(Outcome("a", "failed", why="AccessDenied"))
    made.add(Outcome("b", "failed"))
    assert made.problems["why"].tolist() == ["AccessDenied", STATES["failed"]]


def test_of_very_many_problems_a_thousand_of_each_kind_are_kept_and_all_are_counted():
    made = tally(*((str(number), state) for number in range(PROBLEMS_KEPT + 5) for state in PROBLEMS))
    assert len(made.problems) == PROBLEMS_KEPT * len(PROBLEMS)
    assert made.count(*PROBLEMS) == (PROBLEMS_KEPT + 5) * len(PROBLEMS)
