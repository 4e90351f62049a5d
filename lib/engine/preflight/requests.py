"""The requests that would make or change what is described, held against AWS's own models of them.

Each resource makes itself, as it will, by a client that sends nothing: whatever request it composes is looked
at, whichever class it is of. An answer is empty, so that what a resource asks for on the way is not there.
"""

import inspect
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import OperationModel

from lib.base.aws_models import bare_session
from lib.base.errors import RunbookError, WaitError
from lib.base.request_model import Misfit, misfits
from lib.resources.base import GLOBAL_REGION, Resource
from lib.resources.checks import Finding

RULE = "request-model"
MOST_REQUESTS = 100  # of one resource: what looks again and again, looks for what is never there

_known: dict[bytes | None, list[Finding]] = {}


class Answer(dict):
    """An answer that has nothing: whatever is looked for in it is another such, empty and false."""

    def __missing__(self, name: str) -> "Answer":
        """Return what is looked for."""
        return Answer()


class Rehearsed(BaseException):
    """All that can be composed without answers was composed."""


class Rehearsal:
    """Composes requests, and sends none.

    Attributes:
        made: Names of the operations, in their order.
        found: What does not fit.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.found: list[Finding] = []
        self._told: set[Misfit] = set()

    def make(self, resource: Resource) -> None:
        """Compose the requests that make a resource, and those that change it.

        Args:
            resource: As it is described.
        """
        with self._watched(resource.service) as client:
            try:
                resource.create(client, **_waiting(resource.create))
            except (Rehearsed, WaitError):  # that nothing is there when a wait is over is no fault
                pass
            except ParamValidationError as error:
                if not any(one.what.startswith(f"{self.made[-1]}: ") for one in self.found):
                    self._tell(self.made[-1], error.kwargs["report"])
            except Exception as error:  # whatever it is described with: that is told, and the rest looked at
                self._tell("its requests cannot be composed", f"{type(error).__name__}: {error}")
            if self.found:
                return  # a change would have the same values
            # What a change needs to know of what is there, such as a UUID, nobody tells here: it may end.
            with suppress(Rehearsed, RunbookError, ClientError, ParamValidationError, LookupError):
                resource.update(client, resource.desired(), **_waiting(resource.update))

    @contextmanager
    def _watched(self, service: str) -> Iterator[BaseClient]:
        client = _client(service)
        client.meta.events.register("before-parameter-build", self._look, unique_id="rehearsal")
        try:
            yield client
        finally:
            client.meta.events.unregister("before-parameter-build", unique_id="rehearsal")

    def _look(self, params: dict[str, Any], model: OperationModel, **_: Any) -> None:
        self.made.append(model.name)
        if len(self.made) > MOST_REQUESTS:
            raise Rehearsed
        for where, wrong in misfits(model, params):
            if (where, wrong) not in self._told:  # by another request of the same values
                fix = f"change {where} so that it fits"
                self.found.append(Finding(RULE, f"{model.name}: {where} {wrong}", fix))
                self._told.add((where, wrong))

    def _tell(self, operation: str, what: str) -> None:
        text = "; ".join(what.splitlines())
        self.found.append(Finding(RULE, f"{operation}: {text}", "change what it is described with"))


def check(resource: Resource) -> Iterator[Finding]:
    """Find what AWS's own models do not allow of the requests that make or change a resource. Asks nobody.

    Args:
        resource: As it is described; of what is somebody else's, nothing is made.
    """
    if resource.is_made:
        yield from dict.fromkeys(_found(resource))


def _found(resource: Resource) -> list[Finding]:
    """Rehearse a resource, or return what was found when one was described just so: a plan is made often."""
    try:
        content = blake2b(pickle.dumps(resource)).digest()  # with all that it refers to
    except Exception:  # pickle raises anything; what has no such text is rehearsed each time
        content = None
    if content in _known:
        return _known[content]
    rehearsal = Rehearsal()
    rehearsal.make(resource)
    if content is not None:
        _known[content] = rehearsal.found
    return rehearsal.found


def _waiting(create: Callable) -> dict[str, Callable]:
    """Return what ends a rehearsal when a resource would wait."""
    return {"sleep": _stop} if "sleep" in inspect.signature(create).parameters else {}


def _stop(*_: object) -> None:
    raise Rehearsed


_session = cache(bare_session)  # one for all services, each of whose clients has events of its own


@cache
def _client(service: str) -> BaseClient:
    client = _session().create_client(
        service,
        region_name=GLOBAL_REGION,
        aws_access_key_id="nobody",
        aws_secret_access_key="nobody",
        config=Config(proxies={}, user_agent="nobody"),  # else it is composed for each request
    )
    client.meta.events.register("before-call", _answer)
    client.get_waiter = lambda _: SimpleNamespace(wait=lambda **_: None)
    return client


def _answer(**_: Any) -> tuple[SimpleNamespace, Answer]:
    """Answer in the place of AWS (botocore: before-call)."""
    return SimpleNamespace(status_code=200), Answer()
