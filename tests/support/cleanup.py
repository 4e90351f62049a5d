"""Deleting what a test has made."""

from lib.engine.inventory import TYPES
from lib.engine.stack import Stack


def remove(stack: Stack) -> None:
    """Delete all that exists of a stack's pipeline, in the order of deletion."""
    places = {(type(one), one.region, one.account_id) for one in stack.resources.values()}
    for kind in TYPES:
        for region, account_id in sorted(place for other, *place in places if other is kind):
            client = stack.target.client(kind.service, region, account_id)
            for found in list(kind.find(client, stack.scope)):
                kind.delete(client, found.identifier)
    stack.ledger.forget(stack.scope.pipeline)
