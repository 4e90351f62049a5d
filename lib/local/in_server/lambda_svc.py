"""Correction of MiniStack's Lambda: `corrections/lambda_svc.py` says what of it, and why."""

import os
import queue
import select
import threading
import time
from contextvars import ContextVar
from typing import IO, Any
from weakref import WeakKeyDictionary

from lib.local.in_server.corrections import lambda_svc as corrections


@corrections.ENVIRONMENTS.replacing("ministack.core.lambda_runtime:Worker.invoke")
def invoke(self, *arguments, **named) -> dict:
    """Invoke a function; a process that did not start fails this invocation only, and is begun anew later."""
    try:
        return invoke.original(self, *arguments, **named)
    except (RuntimeError, OSError) as error:  # said by its start; else by a pipe that nobody reads
        self.kill()
        return {"status": "error", "error": str(error)}


# The ids of execution environments, by their processes.
_ids: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
# Of the environment that has run the last invocation of this thread, and of that whose log is being written.
_ran: ContextVar[str] = ContextVar("ran", default="")
_writes: ContextVar[str] = ContextVar("writes", default="")


@corrections.LOG_STREAMS.replacing("ministack.core.lambda_runtime:Worker.invoke")
def invoke_and_note(self, *arguments, **named) -> dict:
    """Invoke a function, and take note of where; an environment that has ended has no more to write."""
    answer = invoke_and_note.original(self, *arguments, **named)
    _ran.set(_ids.setdefault(self._proc, new_id.original()) if self._proc else "")
    return answer


@corrections.LOG_STREAMS.replacing("ministack.services.lambda_svc:_emit_lambda_logs")
def write_log(*arguments, **named) -> None:
    """Write what an invocation has printed into the stream of its environment."""
    token = _writes.set(_ran.get())
    _ran.set("")
    try:
        write_log.original(*arguments, **named)
    finally:
        _writes.reset(token)


@corrections.LOG_STREAMS.replacing("ministack.services.lambda_svc:new_uuid")
def new_id() -> str:
    """Return a new id; the first that is asked for while a log is written is that of its stream."""
    known = _writes.get()
    _writes.set("")
    return known or new_id.original()


MOST_S = 10.0  # for the end of a log: a process that a function has left behind may print for ever
PIECE_BYTES = 2**16  # what a pipe holds


class Printed:
    """What an environment prints: read by a thread, and who wants all of it knows when there is no more."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._reading = threading.Lock()  # held until what was read has been handed on
        self._ended = False

    def read(self, lines: queue.Queue) -> None:
        """Hand on its lines, until the pipe ends."""
        rest = b""
        while not self._ended:
            self._events(None)
            with self._reading:
                piece = os.read(self._pipe.fileno(), PIECE_BYTES)
                *whole, rest = (rest + piece).split(b"\n")
                if not piece:
                    whole, self._ended = [rest] if rest else [], True
                for line in whole:
                    lines.put(line.decode(errors="replace").removesuffix("\r"))

    def wait(self) -> None:
        """Wait until all that was printed before has been handed on."""
        end = time.monotonic() + MOST_S
        while time.monotonic() < end:
            with self._reading:
                if self._ended or not self._events(0) & select.POLLIN:
                    return
            time.sleep(0.001)

    def _events(self, timeout_ms: int | None) -> int:
        asked = select.poll()  # one for each thread that asks
        asked.register(self._pipe, select.POLLIN)
        return sum(events for _, events in asked.poll(timeout_ms))


# By the queues of their lines.
_printed: WeakKeyDictionary[queue.Queue, Printed] = WeakKeyDictionary()


@corrections.WHOLE_LOGS.replacing("ministack.core.lambda_runtime:Worker._read_stderr")
def read_log(self) -> None:
    """Read what an environment prints, in a thread of its own."""
    lines = self._stderr_queue
    _printed[lines] = printed = Printed(self._proc.stderr)
    printed.read(lines)


@corrections.WHOLE_LOGS.replacing("ministack.core.lambda_runtime:Worker._drain_stderr")
def log_so_far(self) -> str:
    """Return what an environment has printed, to the end; of a runtime of one's own, what was read of it."""
    if printed := _printed.get(self._stderr_queue):
        printed.wait()
    return log_so_far.original(self)


@corrections.WHOLE_LOGS.replacing("ministack.core.lambda_runtime:Worker._drain_stderr_bounded")
def log_of_an_answer(self, *arguments, **named) -> str:
    """Return what an environment has printed before it answered."""
    if self._stderr_queue in _printed:
        return log_so_far(self)
    return log_of_an_answer.original(self, *arguments, **named)


@corrections.CODE_LOCATION.replacing("ministack.services.lambda_svc:_presigned_code_url")
def code_location(name: str) -> str:
    """Return where a function's code can be had: from this server, which speaks TLS only."""
    return code_location.original(name).replace("http://", "https://", 1)
