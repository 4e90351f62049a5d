"""The runbook's calls to AWS, watched or interrupted by botocore's own events."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from lib.local.deployer import new_session
from lib.target import Target

READS = ("Get", "List", "Describe", "Head", "Simulate")
# No resource is made with these: the lock is taken, and a freeze asks whether it holds.
NO_RESOURCE = ("PutObject", "DeleteObject", "PutObjectTagging")
Hook = Callable[..., None]


class Killed(BaseException):
    """The run ends here, and nothing that it has can catch this."""


def is_write(operation: str) -> bool:
    return not operation.startswith(READS)


def watched(target: Target, event: str, hook: Hook) -> Target:
    """Return the target with clients of its own, all of whose calls are told to a hook.

    Args:
        target: The local AWS.
        event: `before-call` or `after-call`.
        hook: Given the call's model as `model`, and more.
    """
    key = target.session.get_credentials()
    session = new_session(key.access_key, key.secret_key)
    session.events.register(event, hook)
    return replace(target, session=session, _clients={})


@dataclass
class Recorder:
    """Writes down the names of all calls."""

    made: list[str] = field(default_factory=list)

    def __call__(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)

    @property
    def writes(self) -> list[str]:
        return [name for name in self.made if is_write(name)]


@dataclass
class KillAt:
    """Ends the run at one of its writes of resources.

    Attributes:
        number: At which, counted from 1.
        name: What that call is, once it was reached.
    """

    number: int = 1
    name: str = ""
    seen: int = 0

    def set(self, number: int) -> None:
        """Begin to count anew."""
        self.number, self.name, self.seen = number, "", 0

    def __call__(self, model: Any, **_: Any) -> None:
        counts = is_write(model.name) and model.name not in NO_RESOURCE
        self.seen += counts
        if counts and self.seen == self.number:
            self.name = model.name
            raise Killed(model.name)
