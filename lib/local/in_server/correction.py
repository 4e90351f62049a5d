"""What of MiniStack is replaced, and why: the only way in which anything of it is.

Read by the server, which replaces, and by the runbook, which tells of it: it needs nothing but Python.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

# Names the correction that a server is to do without, to see what MiniStack does: for `make corrections`.
WITHOUT = "RUNBOOK_LOCAL_AWS_WITHOUT"
# What upstream knows, of most.
NOT_FOUND = (
    "not reported by us; none found among its issues on 2026-11-30 (a stored copy, which may lack some)"
)
# In place of a digest: MiniStack has nothing by that name.
ABSENT = ""

Value = TypeVar("Value")
logger = logging.getLogger("corrections")


class Replacement(Protocol):
    """A function of ours that stands in the place of one of MiniStack's."""

    original: Callable[..., Any]  # what was there before: MiniStack's, or another replacement

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Do what AWS does."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One thing that MiniStack does otherwise than AWS.

    Attributes:
        name: Unique; the service comes first.
        title: Of a report: what is wrong, in a line.
        replaces: What is replaced, such as `ministack.services.s3:_copy_object`,
            `ministack.core.lambda_runtime:Worker.invoke` or `ministack.services.sqs:_HANDLERS[SendMessage]`,
            and the digest of what was reviewed there (`lib/local/originals.py`); ABSENT if there is nothing.
        goes_by: What is not replaced, but what the correction was written for, likewise.
        ministack: What MiniStack does.
        aws: What AWS documents.
        sources: Where; URLs.
        upstream: Whether MiniStack's developers know: what was looked for, and when.
        change: What would have to change in MiniStack.
        reproduce: Python that ends well if MiniStack does as AWS; it may use `client(service, region)`, with
            all rights, or `key=` somebody's. Empty if it takes more than calls, such as a server that ends.
        steps: Then, how to reproduce it by hand.
        tests: Other tests that fail without the correction, such as `tests/local/test_x.py::test_y`.
    """

    name: str
    title: str
    replaces: dict[str, str]
    ministack: str
    aws: str
    sources: tuple[str, ...]
    upstream: str
    change: str
    reproduce: str = ""
    steps: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    goes_by: dict[str, str] = field(default_factory=dict)

    @property
    def is_applied(self) -> bool:
        """Whether this server has it: all have, but one that was asked to do without."""
        return os.environ.get(WITHOUT) != self.name

    def replacing(self, target: str) -> Callable[[Callable[..., Any]], Replacement]:
        """Return what puts a function into the place of MiniStack's.

        Args:
            target: One of `replaces`.
        """

        def put(function: Callable[..., Any]) -> Replacement:
            replacement = cast(Replacement, function)
            replacement.original = self._put(target, function)
            return replacement

        return put

    def adding(self, target: str, value: Value) -> Value:
        """Put a value to where MiniStack has none, and return it.

        Args:
            target: One of `replaces`.
            value: Anything.
        """
        self._put(target, value)
        return value

    def _put(self, target: str, value: Any) -> Any:
        """Put a value into its place, and return what was there; of what has no place any more, None."""
        if target not in self.replaces:
            raise KeyError(f"The correction {self.name} does not say that it replaces {target}.")
        try:
            return put_in_place(target, value) if self.is_applied else in_place(target)
        except (ImportError, AttributeError):  # another MiniStack; the server is to start all the same
            logger.warning("%s: %s is gone, so it is not corrected", self.name, target)
            return None


def in_place(target: str) -> Any:
    """Return what is in a place of MiniStack; None if there is nothing.

    Args:
        target: As in a correction's `replaces`.

    Raises:
        ImportError: If MiniStack has no such module.
        AttributeError: If it has nothing that could hold the target.
    """
    holder, name, is_entry = place_of(target)
    return holder.get(name) if is_entry else getattr(holder, name, None)


def put_in_place(target: str, value: Any) -> Any:
    """Put a value into a place of MiniStack, and return what was there; None if there was nothing.

    Args:
        target: As for `in_place`, which says what is raised.
        value: Anything.
    """
    before = in_place(target)
    holder, name, is_entry = place_of(target)
    if is_entry:
        holder[name] = value
    else:
        setattr(holder, name, value)
    return before


def place_of(target: str) -> tuple[Any, str, bool]:
    """Return what holds a target, its name there, and whether that is the key of a dictionary."""
    module, _, path = target.partition(":")
    holder: Any = import_module(module)
    path, _, key = path.partition("[")
    *outer, last = path.split(".")
    for each in outer:
        holder = getattr(holder, each)
    return (getattr(holder, last), key.removesuffix("]"), True) if key else (holder, last, False)
