"""A function is invoked by hand: what it answers is handed back, and that it failed is said in its words."""

import pytest
from support import cases
from support.zips import a_zip

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.operate.invocation import invoke

HANDLER = """
def handler(event, context):
    if "fail" in event:
        raise LookupError(event["fail"])
    return {"seen": event}
"""


def test_its_answer_comes_back_and_its_failure_is_told(stack: Stack):
    function = cases.lambda_.function(stack)
    function.code = a_zip(HANDLER)
    stack.apply()
    client = stack.client(function)
    assert invoke(client, function.name, {"key": "ü"}) == {"seen": {"key": "ü"}}
    with pytest.raises(RunbookError, match=f"function {function.name} failed: .*: no such row$"):
        invoke(client, function.name, {"fail": "no such row"})
