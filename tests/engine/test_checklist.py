"""The checklist: computed points, and no mercy."""

from dataclasses import replace

import numpy as np
import pytest
from support import cases

from lib.base.errors import RunbookError
from lib.engine.checklist import Checklist
from lib.engine.stack import Stack


def test_all_well():
    checklist = Checklist()
    checklist.check("one", True, 3)
    checklist.check("two", np.bool_(True), ["seen"])
    assert checklist.require().values.tolist() == [["✓", "one", "3"], ["✓", "two", "['seen']"]]


@pytest.mark.parametrize("holds", [False, None, 0, np.bool_(False)])
def test_one_failure_is_enough(holds):
    checklist = Checklist()
    checklist.check("well", True, "fine")
    checklist.check("bad", holds, "4 of 5")
    with pytest.raises(RunbookError, match=r"^1 of 2 points does not hold: bad \(4 of 5\)$"):
        checklist.require()
    assert checklist.table()[""].tolist() == ["✓", "✗"]


def test_a_checklist_of_nothing_does_not_hold():
    with pytest.raises(RunbookError, match="0 of 0 points"):
        Checklist().require()


def test_a_plan_gives_a_point_for_each_type(stack: Stack):
    queue = cases.sqs.queue(stack)
    missing = Checklist()
    missing.check_plan(stack.plan())
    with pytest.raises(RunbookError, match="SQS queue: as described .*does not exist"):
        missing.require()
    stack.apply()
    well = Checklist()
    well.check_plan(stack.plan())
    table = well.require().set_index("claim")["evidence"]
    assert table["SQS queue: as described"] == "2 of 2"
    stack.replace(replace(queue, visibility_timeout_s=1))
    drifted = Checklist()
    drifted.check_plan(stack.plan())
    with pytest.raises(RunbookError, match=r"-files: VisibilityTimeout: '360' → '1'"):
        drifted.require()


def test_what_was_left_out_is_said_and_shown_and_is_no_point(capsys):
    checklist = Checklist()
    checklist.leave_out("backup", "only in part deployed; run backup")
    assert capsys.readouterr().out == "left out: backup: only in part deployed; run backup\n"
    with pytest.raises(RunbookError, match="0 of 0 points"):
        checklist.require()
    checklist.check("one", True, 3)
    row = ["left out", "backup", "only in part deployed; run backup"]
    assert checklist.require().values.tolist() == [["✓", "one", "3"], row]
