"""The pipelines' stacks as their notebooks describe them: the notebooks are the definition."""

from functools import cache

import nbformat

from lib.base.paths import ROOT
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.target import Target
from support.cells import python_of
from support.zips import a_zip

NOTEBOOKS = {
    path.stem.split("_", 1)[1]: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
}
CODE = a_zip("def handler(event, context): pass")  # instead of handlers that take long to send
WHOSE = ("env", "prefix", "account_id", "home_region", "permissions_boundary_arn")
PLAN = "stack.plan()"  # the cell in which a description ends


@cache
def _cells(pipeline: str) -> list[tuple[str, bool]]:
    """The sources of a notebook's describing cells, and which holds the parameters."""
    cells = [c for c in nbformat.read(NOTEBOOKS[pipeline], 4).cells if c.cell_type == "code"]
    last = [cell.source for cell in cells].index(PLAN)
    return [(cell.source, "parameters" in cell.metadata.get("tags", [])) for cell in cells[:last]]


def is_described(pipeline: str) -> bool:
    """Whether a notebook describes a stack."""
    return any(cell.source == PLAN for cell in nbformat.read(NOTEBOOKS[pipeline], 4).cells)


# A dashboard of what is deployed: there is nothing to describe without; the tour describes what migrate does.
NEED_OTHERS = ("observe", "tour")
PIPELINES = [name for name in NOTEBOOKS if is_described(name) and name not in NEED_OTHERS]


def describe(
    pipeline: str,
    target: Target,
    parameters: Parameters,
    bundle=lambda *_: CODE,
    again: bool = False,
    **section: object,
) -> Stack:
    """Run the cells of a notebook that describe its stack, for a target of the test's own.

    Args:
        pipeline: Such as `migrate`.
        target: What the notebook's `connect` returns.
        parameters: What its parameters cell is given.
        bundle: What makes the functions' code; by default nothing that does anything.
        again: Whether to run all that describe a second time, for the same stack.
        section: What its own section is given; the rest of it stays at the defaults.

    Returns:
        The stack, of which nothing is made.
    """
    names: dict = {"print": lambda *_: None}
    for source, is_parameters_cell in _cells(pipeline):
        exec(compile(python_of(source, names), NOTEBOOKS[pipeline].name, "exec"), names)
        if is_parameters_cell:
            names |= {name: getattr(parameters, name) for name in WHOSE}
            names |= {"exercise": False, "connect": lambda _: target}
            names |= {"bundle": bundle, pipeline: section}
    makes_stack = ["stack = Stack(" in source for source, _ in _cells(pipeline)].index(True)
    for source, _ in _cells(pipeline)[makes_stack + 1 :] if again else ():
        exec(compile(python_of(source, names), NOTEBOOKS[pipeline].name, "exec"), names)
    return names["stack"]
