"""The call ledger: what was asked of AWS, of what, and how it went; never what was in it."""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.model import OperationModel

from lib.base.call_resource import copied, names, resource
from lib.base.errors import RunbookError

if TYPE_CHECKING:
    import pandas as pd

# Names the file that a run's calls are kept in; `runbook run` sets it for its kernels.
PATH_VARIABLE = "RUNBOOK_CALLS"
KERNELS = "calls.jsonl"  # that file in a run's folder
# So many calls stay in memory, some 10 MB; the file has them all.
REMEMBERED = 20_000
STASH = "runbook_call"
SHOWN = 200  # characters of a line that is no call


class CallLedgerError(RunbookError):
    """The calls to AWS cannot be written down."""


@dataclass(frozen=True)
class Call:
    """One call to AWS.

    Attributes:
        time: When it began, UTC, ISO 8601.
        service: boto3's name of the service.
        operation: Of its API, such as `PutObject`.
        region: Where it was sent.
        resource: What it was about: `bucket/key`, or a name or ARN; empty if it was about none.
        source: What it copied from, `bucket/key`.
        parameters: The names of the parameters it had, not their values.
        outcome: `ok`, or AWS's error code, or the exception's type if there was no answer.
        ms: How long it took, retries included.
        retries: How often botocore tried again.
        caller: ARN of the user or role.
    """

    time: str
    service: str
    operation: str
    region: str
    resource: str
    source: str
    parameters: tuple[str, ...]
    outcome: str
    ms: int
    retries: int = 0
    caller: str = ""


@dataclass
class CallLedger:
    """Writes down the calls of all sessions that it watches.

    Attributes:
        path: A file that gets one line of JSON for each call; None for none.
    """

    path: Path | None = None
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=REMEMBERED), repr=False)
    _made: int = 0
    _failure: OSError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def watch(self, session: boto3.Session, named_by: Sequence[str], caller: str = "") -> None:
        """Write down the calls of all clients that a session makes from now on.

        Args:
            session: Whose clients.
            named_by: The parameters that say what a call is about, as for `call_resource.resource`.
            caller: ARN of whom it acts as.
        """
        session.events.register_first("before-parameter-build", partial(self._begin, named_by, caller))
        session.events.register("after-call", self._end)
        session.events.register("after-call-error", self._break)

    @property
    def made(self) -> int:
        """How many calls were made so far."""
        return self._made

    def calls(self, numbers: range) -> list[Call]:
        """Return calls by their numbers, counted from 0, as far as they are remembered."""
        with self._lock:
            forgotten = self._made - len(self._calls)
            remembered = range(max(numbers.start, forgotten), numbers.stop)
            return [self._calls[number - forgotten] for number in remembered]

    def _begin(
        self,
        named_by: Sequence[str],
        caller: str,
        params: Mapping,
        model: OperationModel,
        context: dict,
        **_: Any,
    ) -> None:
        # Refused before it is sent: a call that AWS carried out must not look as if it had failed.
        if self._failure is not None:
            raise CallLedgerError(f"{self.path}: the calls to AWS cannot be written down: {self._failure}")
        context[STASH] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "service": model.service_model.service_name,
            "operation": model.name,
            "region": context["client_region"] or "",
            "resource": resource(model.name, params, named_by),
            "source": copied(params),
            "parameters": names(params),
            "caller": caller,
            "began": time.monotonic(),
        }

    def _end(self, parsed: Mapping, context: dict, **_: Any) -> None:
        retries = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        self._keep(context, parsed.get("Error", {}).get("Code", "ok"), retries)

    def _break(self, exception: Exception, context: dict, **_: Any) -> None:
        self._keep(context, type(exception).__name__)

    def _keep(self, context: dict, outcome: str, retries: int = 0) -> None:
        begun = context.pop(STASH)
        ms = round(1000 * (time.monotonic() - begun.pop("began")))
        call = Call(**begun, outcome=outcome, ms=ms, retries=retries)
        with self._lock:
            self._calls.append(call)
            self._made += 1
            self._append(call)

    def _append(self, call: Call) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(call)) + "\n")
        except OSError as error:
            self._failure = error


@cache
def ledger() -> CallLedger:
    """Return the ledger of this process; it keeps a file if RUNBOOK_CALLS names one.

    Raises:
        CallLedgerError: If that file cannot be written.
    """
    path = Path(os.environ[PATH_VARIABLE]) if os.environ.get(PATH_VARIABLE) else None
    if path is not None:
        try:
            path.touch(mode=0o600)
        except OSError as error:
            raise CallLedgerError(f"{path}: the calls to AWS cannot be written down: {error}") from error
    return CallLedger(path)


def read(path: Path, torn: list[str] | None = None) -> Iterator[Call]:
    """Read the calls that were kept in a file.

    Args:
        path: The file.
        torn: Gets the lines that are no calls, as of a process that was killed while it wrote.

    Raises:
        CallLedgerError: If a line is none, and nobody takes it.
    """
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            kept = json.loads(line)
            call = Call(**{**kept, "parameters": tuple(kept["parameters"])})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            if torn is None:
                raise CallLedgerError(f"{path}: this line is no call: {line[:SHOWN]!r}") from error
            torn.append(line)
            continue
        yield call


def table(calls: list[Call]) -> "pd.DataFrame":
    """Sum calls up, one row for each operation and outcome, in the order of the first of each.

    Args:
        calls: Of one cell, for instance.

    Returns:
        Columns `service`, `operation`, `outcome`, `calls`, `ms` (the sum) and `resources` (the first few).
    """
    import pandas as pd  # here, since whatever asks AWS writes calls down, and few commands sum them up

    rows = pd.DataFrame([asdict(call) for call in calls], columns=list(Call.__dataclass_fields__))
    grouped = rows.groupby(["service", "operation", "outcome"], sort=False)
    return grouped.agg(
        calls=("ms", "size"), ms=("ms", "sum"), resources=("resource", _first_few)
    ).reset_index()


def _first_few(names: Iterable[str], shown: int = 1) -> str:
    distinct = [name for name in dict.fromkeys(names) if name]
    more = f" and {len(distinct) - shown} more" if len(distinct) > shown else ""
    return ", ".join(distinct[:shown]) + more
