"""Deleting what a test has made."""

from lib.engine.inventory import TYPES
from lib.engine.stack import Stack


def remove(stack: Stack) -> None:
    """Delete all that exists of a stack's pipeline, in the order of deletion."""
    regions = {(type(resource), resource.region) for resource in stack.resources.values()}
    for kind in TYPES:
        for region in sorted(region for other, region in regions if other is kind):
            client = stack.target.client(kind.service, region)
            for found in list(kind.find(client, stack.scope)):
                kind.delete(client, found.identifier)
    stack.ledger.forget(stack.scope.pipeline)
