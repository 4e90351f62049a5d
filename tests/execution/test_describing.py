"""The stack of a notebook, without its run."""

import pytest
from support.described import NOTEBOOKS, describe

from lib.base.errors import RunbookError
from lib.execution import describing
from lib.execution.describing import described
from lib.parameters import Parameters
from lib.target import Target


def test_it_is_the_one_that_the_notebook_plans(target: Target, parameters: Parameters, capfd):
    stack = described(NOTEBOOKS["index"], parameters)
    assert list(stack.resources) == list(describe("index", target, parameters).resources)
    assert not stack.applies
    assert capfd.readouterr().out == ""  # what its cells print is not for whoever asked


def test_its_code_is_the_handlers(target: Target, parameters: Parameters):
    stack = described(NOTEBOOKS["index"], parameters)
    (function,) = [one for one in stack.resources.values() if one.noun == "Lambda function"]
    assert len(function.code) > 100_000


def test_what_the_notebook_calls_so_is_its_attribute(target: Target, parameters: Parameters):
    pipeline = describing.of("index", parameters)
    assert pipeline.files is pipeline.stack.resources[pipeline.files.arn]
    assert pipeline.stack.applies  # it is for whoever wants to make it
    with pytest.raises(AttributeError, match="nothing that describes a stack is called 'file'"):
        pipeline.file  # noqa: B018


def test_a_notebook_that_describes_nothing_is_an_error(parameters: Parameters):
    with pytest.raises(RunbookError, match="00_start describes nothing"):
        described(NOTEBOOKS["start"], parameters)
