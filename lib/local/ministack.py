"""The local AWS's life: one server for each state folder, started when needed, kept until it is stopped."""

import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from ssl import create_default_context

from filelock import FileLock

from lib.base.errors import RunbookError
from lib.base.paths import home, write_atomically
from lib.base.run_data import move_addresses
from lib.local.in_server.correction import WITHOUT
from lib.local.in_server.lag_times import Lag
from lib.local.install import INSTALL_TIMEOUT_S
from lib.local.reports import warning
from lib.local.server_process import (
    POLL_INTERVAL_S,
    STOP_TIMEOUT_S,
    certificate_path,
    earlier_log_path,
    end,
    end_orphans,
    holder,
    is_server,
    kill,
    launch,
    log_path,
    server_code,
    was_not_stopped,
)

ACCOUNT_ID = "000000000000"  # of whoever has an access key that is no account's number
START_TIMEOUT_S = 60  # it answers after 0.5 s on an idle machine
# Another run may install, stop and start before it is our turn.
LOCK_TIMEOUT_S = INSTALL_TIMEOUT_S + START_TIMEOUT_S + STOP_TIMEOUT_S
CODE = "server-code.txt"  # which code the server was started with
SAID_AFTER_S = 2  # a stop that takes longer says what it waits for
Sleep = Callable[[float], None]
Say = Callable[[str], None]


class LocalAwsError(RunbookError):
    """The local AWS did not start, answer or save its state."""


@dataclass(frozen=True)
class LocalAws:
    """A server that runs.

    Attributes:
        port: On 127.0.0.1; remembered, so it stays the same across restarts unless somebody else takes it.
        pid: The server's process.
        started: When it was started (UTC, ISO 8601): tells this run of the server from another.
        state: The folder, readable by its owner only, in which it keeps everything.
        lag: How late it is, as the text of a `Lag`; empty if it is not.
    """

    port: int
    pid: int
    started: str
    state: Path
    lag: str = ""

    @property
    def lateness(self) -> str:
        """How late it is, in words; empty if it is not."""
        return str(Lag.read(self.lag)) if self.lag else ""

    @property
    def endpoint_url(self) -> str:
        """The URL for `boto3.client(endpoint_url=…)` and AWS_ENDPOINT_URL."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_bundle(self) -> str:
        """The certificate to trust, for `boto3.client(verify=…)` and AWS_CA_BUNDLE."""
        return str(certificate_path(self.state))

    @property
    def log(self) -> Path:
        """What the server says; begun anew at each start."""
        return log_path(self.state)


def start(sleep: Sleep = time.sleep, lag: Lag | None = None) -> LocalAws:
    """Start the local AWS, or return the one that runs; installs it the first time.

    Args:
        sleep: Called between two looks at the server, with seconds.
        lag: How late it shall be until it is stopped; None for any that runs, or one that is not late.

    Returns:
        A server that answers.

    Raises:
        LocalAwsError: It ended, or did not answer within START_TIMEOUT_S, with the end of its log; or the one
            that runs was started by another version of the runbook, or is not as late.
        InstallError: Its environment could not be made.
        filelock.Timeout: Another run has held the lock for longer than an installation may take.
    """
    with _lock():
        if server := status():
            _require_same_code(server)
            if lag and server.lag != lag.text:
                raise LocalAwsError(
                    f"The local AWS runs, and {server.lateness or 'it is not late'}. To start it otherwise, "
                    "stop it first: `runbook local stop`"
                )
        else:
            server = _launch(lag)
        _wait_until_healthy(server, sleep)
        return server


def status() -> LocalAws | None:
    """Return the server that runs, or None; does not say whether it answers."""
    server = _last()
    return server if server and is_server(server.pid, server.state) else None


def how_it_ended() -> str:
    """Return that the last server ended without being stopped, and where its log is; empty if it did not."""
    if status() or not was_not_stopped(_state()):
        return ""
    return f"It had ended without being stopped (its log: {log_path(_state())})"


def keeps() -> str:
    """Return what it takes of this machine's disk and memory, and for how long, in words."""
    from lib.local.kept import kept

    server = status()
    return kept(_state(), server.pid if server else None)


def let_pass(server: LocalAws, seconds: float) -> None:
    """Let time pass at once for all that is late on a server, for tests.

    Args:
        server: One that is late.
        seconds: How much.

    Raises:
        LocalAwsError: It does not know of lag.
    """
    if _get(server, f"/_ministack/lag/{seconds}") != b"{}":
        raise LocalAwsError(f"The local AWS (pid {server.pid}) is not late: nothing has to pass")


def stop(sleep: Sleep = time.sleep, say: Say = print) -> bool:
    """Stop the local AWS and its handlers; its state is kept for the next start.

    Args:
        sleep: Called between two looks at the process, with seconds.
        say: Called with what a stop waits for that takes longer than SAID_AFTER_S.

    Returns:
        Whether one ran.

    Raises:
        LocalAwsError: It had to be killed, so that the last seconds are lost; or could not save all.
    """
    with _lock():
        server = status()
        if server and not end(server.pid, server.state, sleep, _Waits(server, say)):
            raise LocalAwsError(
                f"The local AWS (pid {server.pid}) was killed: it had not stopped within {STOP_TIMEOUT_S} s. "
                f"What was made in the last seconds is lost: run again to repair.\n{_log_end(server)}"
            )
        if server and (complaints := _state() / "data" / "not_saved.txt").exists():
            raise LocalAwsError(
                "The local AWS has stopped, but could not save all: what was made since it could is lost. Is "
                f"the disk full? Run again to repair.\n{complaints.read_text('utf-8')}"
            )
        return server is not None


def on_their_way() -> int:
    """Return how many events and asynchronous invocations a server that does not run has kept.

    They are delivered when it is started again.
    """
    journal = _state() / "data" / "deliveries.sqlite"
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(journal)) as rows:
        return rows.execute("SELECT count(*) FROM deliveries").fetchone()[0]


def reset() -> None:
    """Stop the local AWS and delete all that it holds; its port and certificate stay."""
    with _lock():
        if server := status():
            kill(server.pid, server.state)
        end_orphans(_state())
        for name in ("data", "s3", "tmp", "discarded", "users"):
            if (folder := _state() / name).exists():
                shutil.rmtree(folder)


class _Waits:
    """Says what a stop waits for, each thing once."""

    def __init__(self, server: LocalAws, say: Say) -> None:
        self._server, self._say, self._said = server, say, ""

    def __call__(self, seconds: float) -> None:
        if seconds < SAID_AFTER_S:
            return
        what = "the local AWS saves what it holds"
        if work := _work(self._server):
            running = ", ".join(f"{name} ({count})" for name, count in work["running"].items())
            what = f"stopping; functions still run: {running}" if running else what
        if what != self._said:
            self._said = what
            self._say(f"{what} …")


def _state() -> Path:
    """The state folder, by the one path that no symbolic link is in, however it is reached."""
    folder = home() / ".local-aws" / "state"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process at a time start, stop or reset: two runs share one server."""
    with FileLock(_state() / "lock", timeout=LOCK_TIMEOUT_S):
        yield


def _last() -> LocalAws | None:
    """The server that was started last, whether it still runs or not."""
    path = _state() / "server.json"
    return LocalAws(**json.loads(path.read_text("utf-8")), state=_state()) if path.exists() else None


def _launch(lag: Lag | None) -> LocalAws:
    last, is_after_a_death = _last(), was_not_stopped(_state())
    pid, port = launch(_state(), last.port if last else 0, lag)
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    server = LocalAws(port, pid, began, _state(), lag.text if lag else "")
    if last and last.port != port:
        move_addresses(ACCOUNT_ID, last.endpoint_url, server.endpoint_url)
        print(
            f"The local AWS has moved from port {last.port}, which {holder(last.port)} has, to {port}. In a "
            'terminal that works with it, enter `eval "$(runbook env)"` again.',
            file=sys.stderr,
        )
    if is_after_a_death:
        print(
            f"The local AWS had ended without being stopped (its log: {earlier_log_path(server.state)}): "
            "started again with its saved state.",
            file=sys.stderr,
        )
    if said := warning():
        print(said, file=sys.stderr)
    if without := os.environ.get(WITHOUT):
        print(f"The local AWS does without the correction {without}, as {WITHOUT} says.", file=sys.stderr)
    facts = asdict(server)
    del facts["state"]
    write_atomically(server.state / CODE, server_code())
    write_atomically(server.state / "server.json", json.dumps(facts))
    return server


def _require_same_code(server: LocalAws) -> None:
    """Refuse a server that was started with other code than ours: it would give other answers."""
    path = server.state / CODE
    if not path.exists() or path.read_text("utf-8") != server_code():
        raise LocalAwsError(
            f"The local AWS that runs (pid {server.pid}) was started by another version of the runbook. "
            "Restart it: `runbook local stop`, then do this again. It keeps all that it holds"
        )


def _wait_until_healthy(server: LocalAws, sleep: Sleep) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _is_healthy(server):
        if not is_server(server.pid, server.state):
            raise LocalAwsError(f"The local AWS ended while it was starting.\n{_log_end(server)}")
        if time.monotonic() > deadline:
            raise LocalAwsError(
                f"The local AWS (pid {server.pid}, {server.endpoint_url}) has not answered for "
                f"{START_TIMEOUT_S} s. `runbook local stop` ends it.\n{_log_end(server)}"
            )
        sleep(POLL_INTERVAL_S)


def _is_healthy(server: LocalAws) -> bool:
    return _get(server, "/_ministack/health") is not None


def _work(server: LocalAws) -> dict | None:
    """What its functions do just now (in_server/saving.py); None while it saves, and answers nobody."""
    body = _get(server, "/_ministack/work", timeout_s=1)
    return json.loads(body) if body else None


def _get(server: LocalAws, path: str, timeout_s: float = 5) -> bytes | None:
    """Ask it, trusting our certificate only; None if it does not answer. urllib would use a proxy."""
    try:
        context = create_default_context(cafile=server.ca_bundle)
        with closing(
            HTTPSConnection("127.0.0.1", server.port, timeout=timeout_s, context=context)
        ) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read() if answer.status == 200 else None
    except (OSError, HTTPException):
        return None


def _log_end(server: LocalAws) -> str:
    lines = server.log.read_text("utf-8", errors="replace").splitlines()[-20:]
    return "\n".join([f"The end of {server.log}:", *lines])
