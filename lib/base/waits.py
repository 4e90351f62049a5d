"""What is awaited, shown while it lasts, and gone afterwards: docs/decisions/0039-what-is-awaited.md.

Who waits says so, `with Wait("Apply", total=12, unit="resource") as wait`, and need not know who looks: a
person in JupyterLab or at a terminal, `runbook run`, whose terminal shows what its kernels tell, or nobody.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from html import escape
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar
from uuid import uuid4

from lib.base.shown import counted, printable

# A file in which a kernel that nobody looks at tells what it waits for; `runbook run` shows it.
TOLD_VARIABLE = "RUNBOOK_WAITS"
DELAY_S, TICK_S = 1.0, 0.5  # a wait of two seconds shows life
LINES, CHARACTERS = 4, 200  # so much is shown of what is waited for at once

Item = TypeVar("Item")
_OWN: "ContextVar[Screen | None]" = ContextVar("screen", default=None)  # of `shown_on`


class Wait:
    """Something that may take longer than a moment.

    Attributes:
        n: How much of it is done.
        total: How much there is to do; None if nobody knows.
    """

    def __init__(
        self,
        what: str,
        *,
        total: int | None = None,
        n: int = 0,
        unit: str = "",
        timeout_s: float | None = None,
        expected: str = "",
        note: Callable[[], str] = str,
    ):
        """Begin nothing yet.

        Args:
            what: What is done or awaited, in a few words.
            total: How much there is to do.
            n: How much of it was done before.
            unit: Of what, in the singular, such as `object`.
            timeout_s: For how long it is waited at most, in seconds; None if there is no such bound.
            expected: When it will happen, if that is known: `next schedule at 12:03`.
            note: Tells what came last, or stands in the way.
        """
        self.total = total
        self.n = self._before = n
        self._what, self._unit = what, unit
        self._timeout_s, self._expected, self._note = timeout_s, expected, note
        self._remark = ""
        self.began = 0.0
        self.thread = 0

    def __enter__(self) -> Self:
        self.began, self.thread = time.monotonic(), threading.get_ident()
        _SHOWN.begin(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        _SHOWN.end(self)
        if isinstance(error, KeyboardInterrupt) and self.done:
            error.add_note(f"{self._what}: {self.done} done")

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items, each counted as done when the next is asked for.

        Args:
            items: What to go through.
        """
        for item in items:
            yield item
            self.update()

    def update(self, n: int = 1) -> None:
        """Count more as done.

        Args:
            n: How much.
        """
        self.n, self._remark = self.n + n, ""

    def say(self, remark: str) -> None:
        """Say what came last, or stands in the way, until more is done.

        Args:
            remark: In a few words.
        """
        self._remark = remark

    @property
    def done(self) -> str:
        """How much is done, and of how much; empty if nothing is counted."""
        if not self._unit:
            return ""
        return (
            f"{self.n:,} of {counted(self.total, self._unit)}" if self.total else counted(self.n, self._unit)
        )

    @property
    def fraction(self) -> float | None:
        """How much of it is done, from 0 to 1; None if nobody knows."""
        return min(self.n / self.total, 1.0) if self.total else None

    def head(self) -> str:
        """Return what is awaited, for how long, and when to expect it."""
        times = self._times(time.monotonic() - self.began)
        return " · ".join(filter(None, (f"{self._what} {self.done}".strip(), times, self._expected)))

    def note(self) -> str:
        """Return what came last, or stands in the way; empty if nobody said."""
        return self._remark or self._note()

    def _times(self, lasted_s: float) -> str:
        if self._timeout_s is not None:
            return f"{duration(lasted_s)} of at most {duration(self._timeout_s)}"
        new = self.n - self._before
        if not self.total or new < 1 or self.n >= self.total:
            return duration(lasted_s)
        return f"{duration(lasted_s)}, about {duration(lasted_s / new * (self.total - self.n))} more"


def progress(what: str, items: Iterable[Item], *, unit: str, total: int | None = None) -> Iterator[Item]:
    """Go through items, and show how far it has come.

    Args:
        what: As for `Wait`.
        items: What to go through.
        unit: As for `Wait`.
        total: How many they are; None for as many as a list says.

    Yields:
        The items.
    """
    known = len(items) if total is None and isinstance(items, Sized) else total
    with Wait(what, total=known, unit=unit) as wait:
        yield from wait.each(items)


def duration(seconds: float) -> str:
    """Return a time as one says it: `8 s`, `2 min 5 s`, `1 h 10 min`.

    Args:
        seconds: How long.
    """
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def told_in(path: Path) -> str:
    """Return what a kernel waits for now, in one line; empty if it does not.

    Args:
        path: The file that TOLD_VARIABLE of its environment names.
    """
    with suppress(OSError):  # it is not there while nothing is awaited
        return path.read_text("utf-8")
    return ""


class Screen(Protocol):
    """Where waits are shown."""

    def show(self, lines: list[str], fraction: float | None) -> None:
        """Show lines, and how much is done, from 0 to 1, if that is known."""

    def clear(self) -> None:
        """Show nothing any more."""


class _Notebook:
    """One output of the cell that runs, which is replaced each time, and empty in the end."""

    def __init__(self) -> None:
        self._id, self._is_there = uuid4().hex, False

    def show(self, lines: list[str], fraction: float | None) -> None:
        bar = "" if fraction is None else f'<progress max="1" value="{fraction:.3f}"></progress> '
        body = "<br>".join(escape(printable(line, keep="")) for line in lines)
        self._put({"text/plain": "\n".join(lines), "text/html": f'<div role="status">{bar}{body}</div>'})

    def clear(self) -> None:
        self._put({})  # an output of no type at all takes no room

    def _put(self, data: dict[str, str]) -> None:
        from IPython.display import display

        display(data, raw=True, display_id=self._id, update=self._is_there)
        self._is_there = True


class _Terminal:
    """The last lines of a terminal."""

    def __init__(self) -> None:
        from rich.console import Console  # what shows nothing need not import it
        from rich.live import Live

        console = Console(stderr=True, highlight=False)
        # What goes elsewhere, into a file or a pipe, is not drawn above it.
        self._live = Live(
            console=console, transient=True, auto_refresh=False, redirect_stdout=sys.stdout.isatty()
        )
        self._live.start()

    def show(self, lines: list[str], fraction: float | None) -> None:
        from rich.text import Text

        text = Text(printable("\n".join(lines)), "dim", no_wrap=True, overflow="ellipsis")
        self._live.update(text, refresh=True)

    def clear(self) -> None:
        self._live.update("")
        self._live.stop()


class _Told:
    """A file that somebody else reads."""

    def __init__(self, path: Path):
        self._path = path

    def show(self, lines: list[str], fraction: float | None) -> None:
        with suppress(OSError):  # that nobody can be told is no reason to stop
            staged = self._path.with_suffix(".new")
            staged.write_text(" | ".join(lines), "utf-8")
            staged.replace(self._path)

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


@contextmanager
def shown_on(screen: Screen) -> Iterator[None]:
    """Show what is awaited within on something else than what is found.

    Args:
        screen: It is told of each line, and when there is nothing more.
    """
    token = _OWN.set(screen)
    try:
        yield
    finally:
        _OWN.reset(token)


def _screen() -> Screen | None:
    """Return where somebody may look; None if there is nobody."""
    if own := _OWN.get():
        return own
    if path := os.environ.get(TOLD_VARIABLE):
        return _Told(Path(path))
    shell = _shell()
    if shell is not None:
        return _Notebook() if _is_watched(shell.kernel) else None
    return _Terminal() if terminal_is_watched() else None


def _shell() -> Any:
    """Return IPython's shell if this is a kernel."""
    running = sys.modules.get("IPython")
    shell = running.get_ipython() if running else None
    return shell if hasattr(shell, "kernel") else None


def terminal_is_watched() -> bool:
    """Say whether bars may be drawn on the terminal: by escape codes, which NO_COLOR is to be without.

    TQDM_DISABLE turns off other programs' bars, too, and so is set where only the result is wanted.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TQDM_DISABLE"):
        return False
    with suppress(AttributeError, ValueError):  # closed, or nothing at all
        return sys.stderr.isatty()
    return False


def is_watched() -> bool:
    """Say whether this is a notebook in which a person looks at what its cells say."""
    shell = _shell()
    return shell is not None and _is_watched(shell.kernel)


def _is_watched(kernel: Any) -> bool:
    """Say whether whoever sent the cell has a person to ask; nbclient, papermill and nbval have none.

    https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute (allow_stdin)
    """
    return bool(kernel.get_parent().get("content", {}).get("allow_stdin"))


class _Shown:
    """All that is awaited in this process, and the thread that shows it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waits: list[Wait] = []
        self._ended: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def begin(self, wait: Wait) -> None:
        with self._lock:
            self._waits.append(wait)
            if self._ended is not None:
                return
            self._ended = threading.Event()
            # In the context of whoever waits: by it ipykernel knows which cell an output is of.
            run = copy_context().run
            self._thread = threading.Thread(target=run, args=(self._show, self._ended), daemon=True)
            self._thread.start()

    def end(self, wait: Wait) -> None:
        with self._lock:
            if wait in self._waits:
                # With what began within it and was never ended, such as a generator that an error has left.
                own = [each for each in self._waits[self._waits.index(wait) :] if each.thread == wait.thread]
                self._waits = [each for each in self._waits if each not in own]
            if self._waits or self._ended is None or self._thread is None:
                return
            ended, thread, self._ended, self._thread = self._ended, self._thread, None, None
        ended.set()
        if thread is not threading.current_thread():
            thread.join()  # what is printed next comes after it is gone

    def _show(self, ended: threading.Event) -> None:
        if ended.wait(DELAY_S) or (screen := _screen()) is None:
            return
        try:
            while True:
                lines, fraction = self._lines()
                if lines:
                    screen.show(lines, fraction)
                if ended.wait(TICK_S):
                    return
        finally:
            screen.clear()

    def _lines(self) -> tuple[list[str], float | None]:
        """Return a line for each thread that waits, from the whole to the part, and how far the first is."""
        with self._lock:
            waits = list(self._waits)
        threads = dict.fromkeys(wait.thread for wait in waits)
        lines = [_line([wait for wait in waits if wait.thread == thread]) for thread in threads]
        more = [f"and {len(lines) - LINES} more"] if len(lines) > LINES else []
        counts = [wait.fraction for wait in waits if wait.fraction is not None]
        return lines[:LINES] + more, counts[0] if counts else None

    def say(self, remark: str) -> None:
        with self._lock:
            own = [wait for wait in self._waits if wait.thread == threading.get_ident()]
        if own:
            own[-1].say(remark)


def _line(chain: list[Wait]) -> str:
    """Return one line of what a thread waits for, from the whole to the part; then what came last."""
    # Of what counts nothing, such as a whole cell, the part says more.
    heads = [wait for wait in chain if wait.done or wait is chain[-1]]
    notes = filter(None, (wait.note() for wait in reversed(chain)))
    return " · ".join([" › ".join(wait.head() for wait in heads), *notes])[:CHARACTERS]


def say(remark: str) -> None:
    """Say of what this thread waits for what stands in the way, until more is done.

    Args:
        remark: In a few words.
    """
    _SHOWN.say(remark)


_SHOWN = _Shown()
