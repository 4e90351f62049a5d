"""The lag mode: the local AWS is as late as AWS is. Imported only by a server that was started so.

What is late, by how much, and where AWS says so is in `lag_times.py`; the services are in modules `lag_…`.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from ministack.core.responses import get_account_id, get_region

from lib.local.in_server.correction import Replacement, put_in_place
from lib.local.in_server.lag_times import Lag, of_this_server

FOREVER_AGO = float("-inf")


def settings() -> Lag:
    """Return how late this server is."""
    found = of_this_server()
    assert found, "a server that is not late does not import this"
    return found


SECONDS = settings().seconds
_passed_s = 0.0


def now() -> float:
    """Return the time by which all is late, in seconds; `let_pass` moves it on."""
    return time.monotonic() + _passed_s


def let_pass(seconds: float) -> None:
    """Let time pass at once, so that tests need not wait for it.

    Args:
        seconds: How much.
    """
    global _passed_s
    _passed_s += seconds


def wrapping(target: str) -> Callable[[Callable[..., Any]], Replacement]:
    """Return what puts a function into the place of one of MiniStack's, kept as `.original`.

    Args:
        target: As in a correction's `replaces`. One that is gone is an error: nothing would be late.
    """

    def put(function: Any) -> Replacement:
        function.original = put_in_place(target, function)
        assert function.original, f"MiniStack has no {target} any more, so nothing of it would be late"
        return function

    return put


class History:
    """What something was set to, and since when: what is seen of it is what it was a while ago."""

    def __init__(self, lag_s: float) -> None:
        self._lag_s = lag_s
        self._lock = threading.Lock()
        self._values: dict[Hashable, list[tuple[float, Any]]] = {}

    def note(self, key: Hashable, value: Any, at: float | None = None) -> None:
        """Note what something is set to.

        Args:
            key: The thing.
            value: Anything that can be compared.
            at: Since when, by `now`, which is the default.
        """
        then = now() - self._lag_s
        with self._lock:
            values = self._values.setdefault(key, [])
            while len(values) > 1 and values[1][0] <= then:
                values.pop(0)  # nobody sees it any more
            if not values or values[-1][1] != value:
                values.append((now() if at is None else at, value))

    def seen(self, key: Hashable, unknown: Any = None) -> Any:
        """Return what is seen of something.

        Args:
            key: The thing.
            unknown: What to return of one of which nothing is seen yet.
        """
        then = now() - self._lag_s
        with self._lock:
            values = [value for at, value in self._values.get(key, []) if at <= then]
        return values[-1] if values else unknown

    def is_new(self, key: Hashable) -> bool:
        """Return whether something is set otherwise than is seen."""
        then = now() - self._lag_s
        with self._lock:
            values = self._values.get(key, [])
            return bool(values) and values[-1][0] > then

    def keys(self) -> list[Hashable]:
        """Return all that was noted."""
        with self._lock:
            return list(self._values)


class Names:
    """What there is of a kind: a list tells of what there was a while ago."""

    def __init__(self, is_global: bool = False) -> None:
        """Know of nothing yet.

        Args:
            is_global: Whether a list is of all regions.
        """
        self._is_global = is_global
        self._lock = threading.Lock()
        self._made: dict[tuple, float] = {}
        self._gone: dict[tuple, tuple[float, Any]] = {}

    def _scoped(self, name: str) -> tuple[str, str, str]:
        return get_account_id(), "" if self._is_global else get_region(), name

    def made(self, name: str) -> None:
        """Note that something was made just now."""
        with self._lock:
            self._made[self._scoped(name)] = now()
            self._gone.pop(self._scoped(name), None)

    def gone(self, name: str, listed: Any) -> None:
        """Note that something was deleted just now.

        Args:
            name: Its name.
            listed: How a list told of it.
        """
        with self._lock:
            self._gone[self._scoped(name)] = now(), listed
            self._made.pop(self._scoped(name), None)

    def hides(self, name: str) -> bool:
        """Return whether a list does not tell of something yet."""
        return self._made.get(self._scoped(name), FOREVER_AGO) > now() - SECONDS["list"]

    def ghosts(self) -> list[Any]:
        """Return how a list still tells of what is gone."""
        then = now() - SECONDS["list"]
        scope = self._scoped("")[:2]
        with self._lock:
            self._gone = {key: (at, listed) for key, (at, listed) in self._gone.items() if at > then}
            return [listed for key, (_, listed) in self._gone.items() if key[:2] == scope]
