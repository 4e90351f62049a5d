"""What the notebooks describe, without any AWS: their cells up to the plan."""

from functools import cache

import boto3
import nbformat
import pytest

from lib import target
from lib.base.paths import ROOT
from lib.engine.stack import Stack
from lib.operate.audits import inventory_configurations
from lib.parameters import Parameters
from lib.resources import bundle
from lib.resources.base import Resource
from support.cells import python_of

# What describes resources by its parameters alone: the pipelines, and what asks about them.
PIPELINES = sorted(path.stem for path in (ROOT / "notebooks").glob("[1-6][0-9]_*.ipynb"))
ACCOUNT = "000000000000"


class _Unasked(boto3.Session):
    """A session whose clients cannot be made: describing asks AWS nothing."""

    def client(self, *arguments, **options):
        raise AssertionError(f"a description asks AWS: {arguments}")


def _nowhere(parameters: Parameters) -> target.Target:
    return target.Target("local", _Unasked(), parameters.account_id, "arn:aws:iam::000000000000:user/nobody")


@cache
def stack_of(
    notebook: str, kms_key_arns: tuple[str, ...] = (), section: tuple[str, tuple] | None = None
) -> Stack:
    """Return the stack that a notebook describes with the default parameters, or with keys or a section.

    The code of a function is the name of its handler.
    """
    cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    namespace: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, "connect", _nowhere)
        patch.setattr(bundle, "bundle", lambda handler, runtime: handler.encode())
        for cell in (cell for cell in cells if cell.cell_type == "code"):
            if cell.source.strip().startswith("stack.plan()"):
                return namespace["stack"]
            exec(python_of(cell.source, namespace), namespace)  # noqa: S102
            if "parameters" in cell.metadata.get("tags", []):
                namespace["kms_key_arns"] = list(kms_key_arns)
                namespace |= {section[0]: dict(section[1])} if section else {}
    raise AssertionError(f"{notebook} has no plan")


def _of_reports(kms_key_arns: tuple[str, ...]) -> list[Resource]:
    """What 70_audit describes beside, when it is told to."""
    parameters = Parameters.check({"audit": {"inventory": "Daily"}, "kms_key_arns": list(kms_key_arns)})
    scope = Stack(_nowhere(parameters), parameters, "audit").scope
    return [resource for resource, _ in inventory_configurations.described(parameters, scope)]


def described(*kinds: type[Resource], kms_key_arns: tuple[str, ...] = ()) -> list:
    """Return what all notebooks describe of these kinds, each as a pytest parameter with a name."""
    stacks = [stack_of(notebook, kms_key_arns).resources.values() for notebook in PIPELINES]
    return [
        pytest.param(resource, id=f"{resource.noun} {resource.name}".replace(" ", "-"))
        for resources in (*stacks, _of_reports(kms_key_arns))
        for resource in resources
        if isinstance(resource, kinds)
    ]
