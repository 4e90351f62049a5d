"""The MiniStack process: its command line, its environment, how it is known again and how it is ended."""

import hashlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from textwrap import shorten

import psutil

from lib.local.certificate import ensure_certificate
from lib.local.in_server.correction import WITHOUT
from lib.local.in_server.lag_times import LAG, Lag
from lib.local.install import REQUIREMENTS, ensure_installed
from lib.local.kept import IDLE_S

STOP_TIMEOUT_S = 120  # handlers get 3 s of it (in_server/saving.py), saving the rest
POLL_INTERVAL_S = 0.05
COMMAND_COLUMNS = 100  # of a command line that is shown
WORKER = "_worker.py"  # what MiniStack runs handlers with, from its temporary folder
CONFIG = Path(__file__).with_name("hypercorn_config.py")
UNSTOPPED = "unstopped.txt"  # in `data` from when a server serves until it was stopped (in_server/saving.py)


def certificate_path(state: Path) -> Path:
    """Return where the state folder keeps the certificate of its server."""
    return state / "tls" / "server.crt"


def log_path(state: Path) -> Path:
    """Return where the server of a state folder says what it does; begun anew at each start."""
    return state / "server.log"


def earlier_log_path(state: Path) -> Path:
    """Return where the log is kept of the last server that ended without being stopped."""
    return state / "server.log.1"


def was_not_stopped(state: Path) -> bool:
    """Say whether the last server ended without being stopped, such as killed; if one runs, nothing is said.

    Args:
        state: The state folder, whose server does not run.
    """
    return (state / "data" / UNSTOPPED).exists()


def launch(state: Path, port: int, lag: Lag | None = None) -> tuple[int, int]:
    """Start a server that outlives this process; does not wait for it to answer.

    Args:
        state: The state folder; the server reads what an earlier one saved there. The log of one that was not
            stopped is put aside, in place of what was there of an earlier one.
        port: The port on 127.0.0.1 to take, if it is free; 0 for any.
        lag: How late it shall be; None if it is not.

    Returns:
        The server's pid and the port it has.
    """
    python = ensure_installed()
    end_orphans(state)
    certificate, key = ensure_certificate(certificate_path(state).parent)
    _discard(state / "tmp")
    for name in ("data", "s3", "tmp"):
        (state / name).mkdir(exist_ok=True)
    if was_not_stopped(state):
        if log_path(state).exists():
            log_path(state).replace(earlier_log_path(state))
        (state / "data" / UNSTOPPED).unlink()
    # The server inherits the socket: no one can take the port between choosing it and listening on it.
    with _listen(port) as listener, log_path(state).open("wb") as log:
        taken = listener.getsockname()[1]
        process = subprocess.Popen(
            _command(python, listener.fileno(), certificate, key),
            env=_environment(state, taken, certificate, key) | ({LAG: lag.text} if lag else {}),
            cwd=state / "tmp",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    return process.pid, taken


def server_code() -> str:
    """Return what tells the code of one server from that of another: a digest of what it runs of ours."""
    lib = Path(__file__).parents[1]
    own = sorted([*(lib / "base").glob("*.py"), *(lib / "local" / "in_server").glob("*.[ps]*")])
    # Not CONFIG, in whose place a test may put one that adds faults.
    files = [REQUIREMENTS, lib / "local" / "hypercorn_config.py", *own]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def is_server(pid: int, state: Path) -> bool:
    """Say whether the pid is this state folder's server: pids are reused, its command line is not.

    It may have been started by another path to the same folder.
    """
    certificate = certificate_path(state)
    try:
        return any(_is_at(word, certificate) for word in psutil.Process(pid).cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # ended, a zombie, or another user's
        return False


def end(pid: int, state: Path, sleep: Callable[[float], None], waits: Callable[[float], None]) -> bool:
    """Let the server save its state and end, its handlers with it; kill it if it does not.

    Args:
        pid: The server's process; nothing is done if it is not this state folder's server.
        state: The state folder.
        sleep: Called between two looks at the process, with seconds.
        waits: Called after each look that finds it still there, with the seconds since it was told to end.

    Returns:
        Whether it ended by itself, its state saved; False if it had to be killed after STOP_TIMEOUT_S.
    """
    if not is_server(pid, state):
        return True
    server = psutil.Process(pid)
    handlers = set(server.children(recursive=True))
    server.terminate()
    began = time.monotonic()
    while is_server(pid, state) and (waited := time.monotonic() - began) < STOP_TIMEOUT_S:
        handlers |= _children(server)
        waits(waited)
        sleep(POLL_INTERVAL_S)
    saved = not is_server(pid, state)
    _kill([server, *handlers])
    return saved


def kill(pid: int, state: Path) -> None:
    """End the server and its handlers at once; nothing is saved.

    Args:
        pid: The server's process; nothing is done if it is not this state folder's server.
        state: The state folder.
    """
    if is_server(pid, state):
        server = psutil.Process(pid)
        _kill([server, *_children(server)])


def holder(port: int) -> str:
    """Return who listens on a port of this machine, in words.

    Args:
        port: On 127.0.0.1.
    """
    with suppress(psutil.Error):  # macOS tells root only
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"`{shorten(command, COMMAND_COLUMNS, placeholder=' …')}` (pid {connection.pid})"
    return "another program"


def end_orphans(state: Path) -> None:
    """Kill the handlers that a killed server left behind: they write to its folder and to the next server.

    Args:
        state: The state folder, whose server does not run.
    """
    orphans = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(_is_worker(word, state / "tmp") for word in process.info["cmdline"] or [])
    ]
    _kill(orphans)


def _is_at(word: str, path: Path) -> bool:
    """Whether a word of a command line is a path, by whichever symbolic links it leads there."""
    return word.endswith(path.name) and Path(word).resolve() == path.resolve()


def _is_worker(word: str, folder: Path) -> bool:
    """Whether a word of a command line is what runs handlers, below a folder."""
    return word.endswith(WORKER) and Path(word).resolve().is_relative_to(folder.resolve())


def _children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _kill(processes: Sequence[psutil.Process]) -> None:
    """Kill processes, and wait until none works any more."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()  # psutil makes sure that the pid is still the same process's
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while any(map(_works, processes)) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)


def _works(process: psutil.Process) -> bool:
    """Whether a process or one of its threads has not ended, and so may hold the port.

    In a container there may be nobody who takes note of an end: it is then a zombie for ever.
    """
    try:
        process.wait(timeout=0)  # takes note of it, if it is a child of ours
    except psutil.TimeoutExpired:
        with suppress(psutil.NoSuchProcess):
            return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    return False


def _discard(folder: Path) -> None:
    """Put aside what handlers were run from and have left, as with an execution environment of AWS.

    It is tens of thousands of files: the server deletes them while it works.
    """
    if folder.exists():
        aside = folder.with_name("discarded")
        aside.mkdir(exist_ok=True)
        folder.replace(aside / secrets.token_hex(8))


def _listen(port: int) -> socket.socket:
    """Take the port on 127.0.0.1 or, if somebody has it, a free one."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def _command(python: Path, listener: int, certificate: Path, key: Path) -> list[str]:
    return [
        *(str(python), "-m", "hypercorn", "ministack.app:app", "--config", f"file:{CONFIG}"),
        *("--bind", f"fd://{listener}", "--certfile", str(certificate), "--keyfile", str(key)),
    ]


def _environment(state: Path, port: int, certificate: Path, key: Path) -> dict[str, str]:
    """All that the server and its handlers see of the world outside.

    Nothing of the caller's environment, but the correction that a test does without.
    """
    without = {WITHOUT: os.environ[WITHOUT]} if os.environ.get(WITHOUT) else {}
    return without | {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(state / "tmp"),  # where there is no .aws/config
        "TMPDIR": str(state / "tmp"),
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "LAMBDA_WARM_TTL_SECONDS": str(IDLE_S),
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        "AWS_CA_BUNDLE": str(certificate),  # what handlers trust; does not depend on the system's store
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "data"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state}/no-docker",  # else MiniStack removes containers, at start and stop
    }
