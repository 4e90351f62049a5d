"""Ways to break by hand, in the description of a stack, what keeps the preflight's rules."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from lib.engine.stack import Stack
from lib.resources import iam
from lib.resources.base import Resource, Settings
from lib.resources.policies import Statement

Breaking = Callable[[Stack], object]
Policy = dict[str, Statement]  # as `desired` has it: by Sid


def the(stack: Stack, kind: type, what: str) -> Resource:
    """The resource of a type and a name."""
    return next(one for one in stack.resources.values() if isinstance(one, kind) and one.what == what)


def setting(kind: type, of: str, /, **values: object) -> Breaking:
    """Set attributes of a resource, as a cell of a notebook could."""

    def change(stack: Stack) -> None:
        for name, value in values.items():
            setattr(the(stack, kind, of), name, value)

    return change


def adding(make: Callable[[Stack], Resource]) -> Breaking:
    return lambda stack: stack.add(make(stack))


def leaving_out(kind: type, what: str) -> Breaking:
    return lambda stack: stack.resources.pop(the(stack, kind, what).arn)


def last(kind: type, what: str) -> Breaking:
    """Describe a resource after all others."""

    def change(stack: Stack) -> None:
        one = the(stack, kind, what)
        del stack.resources[one.arn]
        stack.resources[one.arn] = one

    return change


def statement(role: str, **values: object) -> Breaking:
    """Set parts of the first statement of a role's policy."""

    def change(stack: Stack) -> None:
        one = the(stack, iam.Role, role)
        one.policy = deepcopy(one.policy)
        one.policy["Statement"][0] |= values

    return change


def without_action(role: str, action: str) -> Breaking:
    """Take an action out of a role's policy."""

    def change(stack: Stack) -> None:
        one = the(stack, iam.Role, role)
        kept = [_without(each, action) for each in one.policy["Statement"]]
        one.policy = one.policy | {"Statement": [each for each in kept if each["Action"]]}

    return change


def _without(one: Statement, action: str) -> Statement:
    actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
    return one | {"Action": [each for each in actions if each != action]}


def altered(kind: type, what: str, change: Callable[[Policy], object]) -> Breaking:
    """Change the policy that a resource wants to have, as an edit of its class would."""

    def alter(stack: Stack) -> None:
        one = the(stack, kind, what)

        class Altered(kind):
            def desired(self) -> Settings:
                settings = deepcopy(super().desired())
                change(settings["policy"])
                return settings

        one.__class__ = Altered

    return alter


def many_statements(policy: Policy) -> None:
    """For `altered`: more statements than a policy may have."""
    first = policy["RunbookAllowS3"]
    policy.update(
        {f"RunbookAllow{number}": first | {"Sid": f"RunbookAllow{number}"} for number in range(120)}
    )


def encrypted(kind: type, what: str) -> Breaking:
    """Give a store a key of which its users' policies know nothing."""

    def change(stack: Stack) -> None:
        store = the(stack, kind, what)
        key_arn = f"arn:aws:kms:{store.region}:000000000000:key/k"
        store.scope = replace(store.scope, kms_key_arns=(key_arn,))

    return change
