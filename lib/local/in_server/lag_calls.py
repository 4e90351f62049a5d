"""Each call takes its time, and is refused above the rate that AWS takes. See `lag.py`."""

import asyncio
import time
from collections.abc import Callable

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import detect_service

from lib.local.in_server.lag import let_pass, settings, wrapping
from lib.local.in_server.lag_times import RATES, Rate

LAG = settings()
# What each service answers above its rate, and the status: of most a 400.
CODES = {"lambda": ("TooManyRequestsException", 429)}
CODES |= dict.fromkeys(("iam", "monitoring", "sns"), ("Throttling", 400))
THROTTLED = ("ThrottlingException", 400)
PASS_PATH = b"/_ministack/lag/"


class Bucket:
    """Tokens, of which a call takes one: as many as a second gives are kept."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._tokens, self._at = per_second, clock()

    def takes(self) -> bool:
        """Return whether there is one for a call, and take it."""
        now = self._clock()
        self._tokens = min(self._per_second, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


_buckets: dict[tuple, Bucket] = {}


def rate_of(service: str, operation: str) -> Rate | None:
    """Return the rate of an operation; None if it has none that we know.

    Args:
        service: As MiniStack names it.
        operation: Such as `GetFunction`.
    """
    for rate in RATES:
        if rate.service == service and rate.is_of(operation):
            return rate if rate.per_second else None
    return None


def is_too_much(service: str, operation: str) -> bool:
    """Return whether a call is one too many in this second."""
    if (rate := rate_of(service, operation)) is None:
        return False
    key = (get_account_id(), get_region(), rate, operation if rate.each else "")
    return not _buckets.setdefault(key, Bucket(rate.per_second)).takes()


@wrapping("ministack.app:_dispatch_service_request")
async def dispatch(
    method: str, path: str, headers: dict, body: bytes, query_params: dict, request_id: str
) -> tuple:
    """Answer a call, unless it is one too many; not before its time."""
    if LAG.latency_ms:
        await asyncio.sleep(LAG.latency_ms / 1000)
    if LAG.throttles:
        params = app._routing_params(method, path, headers, body, query_params)
        service = detect_service(method, path, headers, params)
        if any(rate.service == service for rate in RATES):
            action = iam_actions.extract_iam_action(service, method, path, headers, body, params) or ""
            if is_too_much(service, action.partition(":")[2]):
                return _refused(service, action, request_id, headers)
    return await dispatch.original(method, path, headers, body, query_params, request_id)


@wrapping("ministack.app:app")
async def note_time(scope: dict, receive: Callable, send: Callable) -> None:
    """Answer a request; one of a test lets time pass."""
    path = scope.get("raw_path") or b""
    if not path.startswith(PASS_PATH):
        await note_time.original(scope, receive, send)
        return
    let_pass(float(path.removeprefix(PASS_PATH)))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def _refused(service: str, action: str, request_id: str, headers: dict) -> tuple:
    code, status = CODES.get(service, THROTTLED)
    answer = iam_actions.access_denied_response(
        service, action, "", request_id, error_code=code, message="Rate exceeded", headers=headers
    )
    return status, *answer[1:]
