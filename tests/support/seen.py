"""What a handler was seen to do, and what all scenarios of handlers have."""

from dataclasses import dataclass, field

from support.watched import Invocation

LOG_GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:unused"
REMOVED = "ObjectRemoved:Delete"


@dataclass
class Seen:
    """What a handler was seen to do.

    Attributes:
        new: With objects that are new, from one invocation: how many bytes each has, and the invocation.
        others: With all else.
        objects: How many objects are new in that invocation.
        values: Of parameters, as the handler's environment has them.
    """

    new: list[tuple[int, Invocation]]
    others: list[Invocation]
    objects: int = 1
    values: dict = field(default_factory=dict)

    @property
    def all(self) -> list[Invocation]:
        return [*(invocation for _, invocation in self.new), *self.others]
