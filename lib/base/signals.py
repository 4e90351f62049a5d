"""What asks a program to end: Ctrl-C, and the SIGTERM that CI sends when it cancels a job."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

BOTH = (signal.SIGINT, signal.SIGTERM)
STANDARD_ERROR = 2


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Take a SIGTERM for a Ctrl-C, so that what is at work can end: its lock is given back."""
    with _taken_by(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """Count how often one asks to end, so that what is at work is interrupted nowhere but where it looks.

    A KeyboardInterrupt amid Python's own locks may leave them broken: https://docs.python.org/3/library/signal.html

    Yields:
        To be called: how often one has asked.
    """
    asked: list[int] = []
    with _taken_by(lambda number, _: asked.append(number)):
        yield lambda: len(asked)


@contextmanager
def uninterrupted(doing: str) -> Iterator[None]:
    """Let neither Ctrl-C nor SIGTERM stop what takes seconds, and leaves things behind if it is not finished.

    Args:
        doing: What that is, said to whoever asks to end it.
    """
    told = f"{doing}, which is not interrupted; SIGKILL leaves things behind\n".encode()
    # Not by print: it may be what was interrupted, and standard output has results alone.
    with _taken_by(lambda *_: os.write(STANDARD_ERROR, told)):
        yield


@contextmanager
def _taken_by(handler: Callable[[int, FrameType | None], object], *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # no signal comes here
        yield
        return
    before = {each: signal.signal(each, handler) for each in signals or BOTH}
    try:
        yield
    finally:
        for each, handler_before in before.items():
            signal.signal(each, handler_before)
