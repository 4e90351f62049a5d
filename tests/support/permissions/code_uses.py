"""Calls that stand in lib/ but that neither the notebooks nor the tests make on the local AWS.

For instance S3 Batch Operations and Lambda's waiters: what the local AWS has not, or not in that way.
"""

import re
from functools import cache

from botocore import xform_name
from botocore.session import Session
from support.permissions.call_needs import OF_A_VERSION, RENAMED, named

from lib.base.paths import ROOT
from lib.resources.registry import types

SERVICES = (*sorted({kind.service for kind in types()}), "s3control")


# As a method, which may be handed to `retry_on`; or by name: paginators and waiters are asked so.
CALLED = re.compile(r"""\.(\w+)[(,]|["'](\w+)(?=["'])""")


@cache
def code_uses() -> dict[str, str]:
    """Return for each action a file of lib/ that has the call which needs it."""
    found: dict[str, str] = {}
    called: dict[str, str] = {}
    for path in sorted(ROOT.glob("lib/**/*.py")):
        if "local" not in path.parts:
            for name in {one or other for one, other in CALLED.findall(path.read_text("utf-8"))}:
                called.setdefault(name, str(path.relative_to(ROOT)))
    for service in SERVICES:
        for operation in Session().get_service_model(service).operation_names:
            action = RENAMED.get(named(service, operation), named(service, operation))
            if where := called.get(xform_name(operation)):
                found.setdefault(action, where)
                if action in OF_A_VERSION:
                    found.setdefault(OF_A_VERSION[action], where)
    return found
