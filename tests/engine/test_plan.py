"""Plans as tables: what has to happen, why, what is left behind, and what was done."""

import pytest

from lib.base.told import COUNTS
from lib.engine.plan import VALUE_CHARACTERS, Done, Left, Plan, Step
from lib.resources.base import Scope
from lib.resources.sqs import Queue


def queue(what: str = "files") -> Queue:
    made = Queue(what, "us-west-1")
    made.scope = Scope("runbook", "test", "migrate", "000000000000")
    return made


def step(found: dict | None, changes: dict, wanted: bool = True) -> Step:
    return Step(queue(), found, changes, wanted)


CREATE, CHANGE = step(None, {"a": 1}), step({"a": 0}, {"a": 1})
DELETE, UNCHANGED = step({"a": 1}, {}, wanted=False), step({"a": 1}, {})
BEHIND = Left("S3 bucket", "old", "us-east-1", "is described no more")
KEPT = Left("S3 bucket", "older", "us-east-1", "a move has left it", is_accepted=True)


@pytest.mark.parametrize(
    ("one", "action", "why"),
    [
        (CREATE, "create", "does not exist"),
        (CHANGE, "change", "a: 0 → 1"),
        (DELETE, "delete", "is not wanted any more"),
        (UNCHANGED, "unchanged", ""),
        (step(None, {}, wanted=False), "delete", "is not wanted any more"),
    ],
)
def test_a_step_says_what_will_happen_and_why(one, action, why):
    assert (one.action, one.why) == (action, why)


def test_of_a_policy_only_what_differs_in_a_statement_is_told():
    found = {"Read": {"Action": ["a", "b"], "Resource": "r"}, "Old": {"Action": "c"}}
    wanted = {"Read": {"Action": ["b", "a"], "Resource": "s"}, "New": {"Action": "d"}}
    why = step({"policy": found}, {"policy": wanted}).why
    assert why.split("; ") == [
        "policy.New: None → {'Action': 'd'}",
        "policy.Old: {'Action': 'c'} → None",
        "policy.Read.Resource: 'r' → 's'",
    ]


def test_a_long_value_is_cut():
    why = step({"a": "x" * 500}, {"a": ""}).why
    assert why == f"a: '{'x' * (VALUE_CHARACTERS - 2)}… → ''"


def test_counts_tell_of_what_is_left_too_and_what_may_stay_is_not_left_behind():
    plan = Plan([CREATE, CHANGE, DELETE, UNCHANGED, UNCHANGED], [BEHIND, KEPT])
    assert str(plan) == ("1 to create, 1 to change, 1 to delete, 2 unchanged, 1 left behind, 1 kept")
    assert plan.left_behind == [BEHIND]
    assert plan.table()["action"].tolist()[-2:] == ["left behind", "kept"]
    told = plan._repr_mimebundle_()[COUNTS]
    assert told["counts"]["left behind"] == 1
    assert "left behind" not in Plan([CREATE], [KEPT])._repr_mimebundle_()[COUNTS]["counts"]


def test_what_changes_is_shown_first_and_marked_and_what_is_unchanged_is_folded_and_counted():
    plan = Plan([UNCHANGED, CREATE, DELETE, UNCHANGED, CHANGE], [BEHIND, KEPT])
    rows = plan.shown()
    assert rows["action"].tolist() == ["! left behind", "+ create", "~ change", "− delete", "· kept"]
    assert len(plan.table()) == 7
    text = repr(plan).splitlines()
    assert [line.split()[1] for line in text[1:-1]] == ["left", "create", "change", "delete", "kept"]
    assert text[-1] == str(plan)
    page = plan._repr_mimebundle_()["text/html"]
    before, folded = page.split("<details>")
    assert "a: 0 → 1" in before
    assert "<summary>2 unchanged</summary>" in folded
    assert ">+ create</td>" in before
    assert (
        plan._repr_mimebundle_()[COUNTS]["table"]["data"][0][0] == "unchanged"
    )  # for machines, as described


def test_if_all_is_as_described_one_line_says_so():
    plan = Plan([UNCHANGED, UNCHANGED])
    assert repr(plan) == str(plan) == "0 to create, 0 to change, 0 to delete, 2 unchanged"
    assert plan._repr_mimebundle_()["text/html"].startswith("<details>")


def test_a_plan_of_nothing_says_that_nothing_is_described():
    assert "nothing is described: run the cells above" in repr(Plan())


def test_what_was_done_is_told_in_the_past_and_folded_since_the_plan_has_shown_it():
    done = Done([CREATE, CHANGE, DELETE, UNCHANGED])
    assert str(done) == "1 created, 1 changed, 1 deleted, 1 unchanged"
    assert done.table()["action"].tolist() == ["created", "changed", "deleted", "unchanged"]
    assert done.table()["why"].tolist() == ["did not exist", "a: 0 → 1", "was not wanted any more", ""]
    assert done._repr_mimebundle_()["text/html"].startswith("<details>")
    assert not Plan([CREATE])._repr_mimebundle_()["text/html"].startswith("<details>")
