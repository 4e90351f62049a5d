"""The walk that tells which parameters a notebook reaches: on small cells, for what is known of them."""

import pytest
from support.reach import reached

from lib.parameters import Parameters

PIPELINES = {*Parameters.pipelines()}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("settings = parameters.audit", {"audit"}),
        ("x = parameters.model_copy(update={}).restore.at", {"restore"}),
        ("other = parameters.model_copy(update={})\nother.start", {"start"}),
        ("from lib.operate.pipelines import those_deployed\nthose_deployed(aws, parameters)", PIPELINES),
        ("from lib.operate import pipelines as all\nall.survey(aws, parameters)", PIPELINES),
        (
            "from lib.operate.backfills import arrivals\narrivals.missing(aws, parameters)",
            PIPELINES | {"audit", "backfill"},
        ),
        (
            "from lib.operate.recovery.restore import from_parameters\nfrom_parameters(aws, parameters)",
            {"restore"},
        ),
        ("from lib.operate.observe import usage\nusage.per_object(parameters, name, 1)", PIPELINES),
        ("from lib.engine.stack import Stack\nStack(aws, parameters, 'x').applies", {"mode"}),
        ("from lib.resources import iam\niam.Role('a', 'b').desired()", {"permissions_boundary_arn"}),
        ("from lib.resources.sqs import Queue\nQueue('a', 'b').desired()", {"kms_key_arns"}),
    ],
)
def test_it_follows_the_calls(cell: str, expected: set[str]):
    assert expected <= reached([cell])


def test_it_does_not_say_everything():
    assert reached(["frame.index", "print(1)"]) == set()
    assert not reached(["from lib.engine.checklist import Checklist\nChecklist().require()"]) & PIPELINES


def test_it_does_not_guess():
    with pytest.raises(AssertionError, match="which parameter is read here"):
        reached(["getattr(parameters, name)"])
