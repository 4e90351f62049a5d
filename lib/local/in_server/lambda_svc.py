"""Correction of MiniStack's Lambda: `corrections/lambda_svc.py` says what of it, and why."""

from contextvars import ContextVar
from typing import Any
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


@corrections.CODE_LOCATION.replacing("ministack.services.lambda_svc:_presigned_code_url")
def code_location(name: str) -> str:
    """Return where a function's code can be had: from this server, which speaks TLS only."""
    return code_location.original(name).replace("http://", "https://", 1)
