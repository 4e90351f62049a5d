"""Stacks that are described for an AWS that is never asked."""

from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.target import Target
from support.described import describe

KEYS = [
    f"arn:aws:kms:{region}:000000000000:key/12345678-1234-1234-1234-123456789012"
    for region in ("us-east-1", "us-east-2", "us-west-1")
]


def nobodys(**given: object) -> tuple[Target, Parameters]:
    """A target that cannot be asked, and parameters of environment `test`.

    Args:
        given: Parameters that are not at their defaults.
    """
    parameters = Parameters.check({"env": "test", **given})
    return Target("local", session=None, account_id=parameters.account_id, caller="nobody"), parameters


def stack_of(pipeline: str, **given: object) -> Stack:
    """A pipeline's stack, as its notebook describes it.

    Args:
        pipeline: Such as `migrate`.
        given: As for `nobodys`.
    """
    return describe(pipeline, *nobodys(**given))


def empty_stack() -> Stack:
    """The stack of a pipeline that nobody has."""
    return Stack(*nobodys(), "thing")
