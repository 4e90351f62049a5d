"""All pipelines on two emulators that know nothing of each other: the same calls, and the same is read back.

Where they differ, one of them does not do as AWS does; which, and in what, is said here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from support import cases
from support.calls import is_write, watched
from support.described import describe

from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.base import Resource, differences
from lib.target import Target, connect

PIPELINES = ["migrate", "backup", "index", "summarize", "ingest"]
ENV, LOCAL, MOTOS = "tboth", "000000000000", "123456789012"
LACKING = {case.kind for case in cases.EVERY.values() if "make" in case.not_on_moto}
SECTIONS = {"ingest": {"schedule_state": "DISABLED"}}  # on the local AWS it is on if nobody says


@dataclass
class Emulator:
    """One of the two.

    Attributes:
        target: It, with clients of its own, whose writes are noted.
        parameters: Those of its environment.
        asked: The writes of the pipeline that was made last.
    """

    target: Target
    parameters: Parameters
    asked: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, target: Target, parameters: Parameters) -> "Emulator":
        emulator = cls(target, parameters)

        def note(params: dict, model: Any, **_: object) -> None:
            if is_write(model.name):
                emulator.asked.append((model.name, alike(params)))

        emulator.target = watched(target, "before-parameter-build", note)
        return emulator

    def make(self, pipeline: str) -> Stack:
        """Make what a notebook describes and both have, one after the other."""
        self.asked.clear()
        section = SECTIONS.get(pipeline, {})
        stack = describe(pipeline, self.target, self.parameters, **section)
        for one in list(stack.resources.values()):
            if type(one) in LACKING:
                del stack.resources[one.arn]
            else:
                one.create(stack.client(one))
        return stack


@pytest.fixture(scope="module")
def theirs(moto: str) -> Iterator[Emulator]:
    """moto, reached as a real account is: all from the caller's environment."""
    with pytest.MonkeyPatch.context() as patch:
        values = {"AWS_ENDPOINT_URL": moto, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        for name, value in values.items():
            patch.setenv(name, value)
        parameters = Parameters.check({"env": ENV, "target": "aws", "account_id": MOTOS, "exercise": False})
        yield Emulator.of(replace(connect(parameters), endpoint_url=moto), parameters)


@pytest.fixture(scope="module")
def ours(local_aws) -> Emulator:
    """The local AWS."""
    parameters = Parameters.check({"env": ENV, "exercise": False})
    return Emulator.of(connect(parameters), parameters)


def alike(value: object) -> str:
    """Anything as text, whosever the account and whatever the bytes of code."""
    return json.dumps(value, sort_keys=True, default=lambda _: "bytes").replace(MOTOS, LOCAL)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_both_are_asked_the_same_and_tell_the_same(ours: Emulator, theirs: Emulator, pipeline: str):
    stacks = here, there = [one.make(pipeline) for one in (ours, theirs)]
    try:
        assert ours.asked == theirs.asked
        assert len(ours.asked) >= len(here.resources)
        read = [
            {one.arn: (one, one.read(stack.client(one))) for one in stack.resources.values()}
            for stack in stacks
        ]
        assert alike(told(read[0])) == alike(told(read[1]))
        for one, found in (pair for each in read for pair in each.values()):
            assert differences(found, one.desired()) == {}, one
        identifiers = [listed(stack) for stack in stacks]
        assert [set(json.loads(alike(sorted(each)))) for each in identifiers] == [
            {arn.replace(MOTOS, LOCAL) for arn in stack.resources} for stack in stacks
        ]
    finally:
        for stack in stacks:
            found = listed(stack)
            for one in reversed(stack.resources.values()):
                if one.arn in found:
                    type(one).delete(stack.client(one), found[one.arn])
    assert [listed(stack) for stack in (here, there)] == [{}, {}]


def told(read: dict[str, tuple[Resource, Any]]) -> dict[str, Any]:
    return {arn.replace(MOTOS, LOCAL): found for arn, (_, found) in read.items()}


def listed(stack: Stack) -> dict[str, str]:
    """What the lists of each service tell of what is described: ARNs to identifiers."""
    kinds = dict.fromkeys((type(one), one.region) for one in stack.resources.values())
    found = (
        each
        for kind, region in kinds
        for each in kind.find(stack.target.client(kind.service, region), stack.scope)
    )
    return {each.arn: each.identifier for each in found if each.arn in stack.resources}
