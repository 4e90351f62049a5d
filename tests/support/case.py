"""What the tests know of a class of resources: one Case says it all. They are in `support/cases`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lib.engine.stack import Stack
from lib.resources.base import Resource

HERE, ELSEWHERE = "us-west-1", "us-east-1"
WHOLE = "the whole resource"  # what somebody takes away, rather than change a setting

Act = Callable[[Any, Any], Any]  # is given a client of the resource's service, and the resource


@dataclass(frozen=True)
class Change:
    """Another description of a resource.

    Attributes:
        to: What is described otherwise, to new values.
        names: The settings that a plan must name then, and no others.
    """

    to: dict[str, Any]
    names: set[str]


@dataclass(frozen=True)
class Others:
    """Settings that somebody else makes on what is ours, which we leave alone.

    Attributes:
        write: Makes them.
        read: Returns them, and nothing of ours.
    """

    write: Act
    read: Act


@dataclass(frozen=True)
class Key:
    """A KMS key of what is encrypted.

    Attributes:
        names: The settings that a plan may name when the key is another.
        read: Returns the key as somebody sees it in the account; None or empty if there is none.
        wanted: Returns it from the settings that the class wants; None if it is another's key.
    """

    names: set[str]
    read: Act
    wanted: Callable[[dict], str] | None = None


@dataclass(frozen=True)
class Break:
    """How to break a rule of the preflight.

    Attributes:
        rule: Its name.
        pipeline: Whose notebook describes a stack that keeps it.
        by: Changes that stack so that it does not.
        also: Rules that cannot but break with it.
    """

    rule: str
    pipeline: str
    by: Callable[[Stack], object]
    also: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """A class of resources, or one of the ways in which it is used.

    Attributes:
        kind: The class.
        describe: Adds one to a stack, and before it what it needs; twice is the same as once.
        use: Which way, where a class has several, such as `to a queue`.
        changes: Other descriptions, one after the other; each is described anew from the first.
        drift: What somebody may change of it, by the setting that a plan must then name.
        undrifted: Settings that nobody can change of one that exists, with the reason.
        others: What others may set on it; None if AWS lets nobody set anything else.
        in_notebooks: What somebody changes of those in notebooks: a setting of `drift`, or WHOLE.
        key: How its encryption shows, if it keeps anything.
        breaks: What breaks each rule that is about it.
        not_on_moto: What the other emulator cannot do with it: `make`, `update` or `delete twice`.
    """

    kind: type[Resource]
    describe: Callable[[Stack], Resource]
    use: str = ""
    changes: list[Change] = field(default_factory=list)
    drift: dict[str, Act] = field(default_factory=dict)
    undrifted: dict[str, str] = field(default_factory=dict)
    others: Others | None = None
    in_notebooks: str = ""
    key: Key | None = None
    breaks: list[Break] = field(default_factory=list)
    not_on_moto: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What AWS calls it, and which way it is used."""
        return f"{self.kind.noun} {self.use}".strip()

    def __repr__(self) -> str:
        return self.name
