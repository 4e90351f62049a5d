"""Headless runs: runbooks found by name, executed by papermill, several at once, and what became of each."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import nbformat
import papermill
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError

from lib.base.errors import ParameterError, RunbookError
from lib.base.paths import ROOT, home
from lib.base.signals import counted
from lib.base.told import ADOPTING, COUNTS, FOUND, LEFT_OUT, POINTS
from lib.execution.bars import Bars
from lib.execution.kernels import OurKernels, kernels_of
from lib.execution.side_by_side import Place, may_begin, short_name
from lib.parameters import Parameters
from lib.parameters.types import did_you_mean

NOTEBOOKS = ROOT / "notebooks"
DESTROY = "90_destroy"
# Not run unless they are named: what removes all, and what deploys only what another deploys.
BY_NAME = ("01_tour", DESTROY)
PLAN = "stack.plan()"  # the cell in which the description of a stack ends
ENGINE = "runbook"
LOOK_AGAIN_S = 0.5
STOP_WITHIN_S = 5  # a kernel that was told to stop; then it is killed. A cancelled CI job has seven seconds
KILL = 2  # so often one asks, by Ctrl-C, until no kernel is waited for
Outcome = Literal["ok", "failed", "interrupted", "not run"]


@dataclass(frozen=True)
class Job:
    """One notebook to execute.

    Attributes:
        notebook: The file.
        own: Values for parameters that only this notebook has.
    """

    notebook: Path
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its result is called: the notebook's name, and its own values if there are any."""
        own = (name if value is True else str(value) for name, value in self.own.items() if value)
        return "-".join([self.notebook.stem, *own])


@dataclass(frozen=True)
class Failure:
    """Why a notebook failed.

    Attributes:
        kind: The exception's type.
        message: What it said.
        cell: The number that Jupyter shows beside the failing cell; None if the failure was in no cell.
        source: That cell's source.
    """

    kind: str
    message: str
    cell: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Result:
    """What became of a notebook.

    Attributes:
        name: Its job's name.
        outcome: `ok`, `failed`, `interrupted`, or `not run` because one before it did not end well.
        seconds: How long it took.
        executed: The executed copy, if there is one.
        made: What it told under the MIME type `lib.engine.plan.COUNTS`: `summary`, `counts`, `table` and
            `notes`.
        left_out: What it said that it did not look at: `what` and `reason` of each.
        failure: Why it failed.
        adopting: What it said that adopting a bucket means: bucket, what, found, means of each.
        points: Of its checklist: claim, holds, evidence of each.
        found: What it found, in a few words; empty if it did not say.
    """

    name: str
    outcome: Outcome
    seconds: float = 0.0
    executed: Path | None = None
    made: Mapping[str, Any] = field(default_factory=dict)
    left_out: list[dict[str, str]] = field(default_factory=list)
    failure: Failure | None = None
    adopting: list[dict[str, str]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    found: str = ""

    @property
    def summary(self) -> str:
        """What it made, in a few words; empty if it did not say."""
        return self.made.get("summary", "")

    @property
    def told(self) -> str:
        """What it found, and what it made."""
        return "; ".join(filter(None, (self.found, self.summary)))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The resources it told of, each as the table's columns to values; none if it did not say."""
        table = self.made.get("table", {"columns": [], "data": []})
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]

    @property
    def differs(self) -> bool:
        """Whether it found anything that is not as described; a warning is about what is."""
        counts = self.made.get("counts", {})
        return any(count for word, count in counts.items() if word not in ("unchanged", "warnings"))


def select(names: Sequence[str]) -> list[Path]:
    """Find runbooks by name.

    Args:
        names: Such as `migrate`, `10_migrate` or `notebooks/10_migrate.ipynb`; none for all but BY_NAME.

    Returns:
        Their files, each once, in the order of the names.

    Raises:
        ParameterError: If there is no such runbook; it names those there are.
    """
    known = {path.stem: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    if not names:
        return [path for stem, path in known.items() if stem not in BY_NAME]
    short = {short_name(stem): path for stem, path in known.items()}
    for name in names:
        if short_name(name) not in short:
            hint = did_you_mean(short_name(name), short)
            raise ParameterError(f"unknown runbook {name!r}{hint}; there are: {', '.join(short)}")
    return list(dict.fromkeys(short[short_name(name)] for name in names))


def has_a_plan(notebook: Path) -> bool:
    """Return whether a notebook describes resources, so that it has a plan to show.

    Args:
        notebook: The file.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    return any(cell.cell_type == "code" and cell.source.strip() == PLAN for cell in cells)


def new_folder(now: datetime) -> Path:
    """Make the folder of a run, `runs/<UTC time>`; a second one in the same second gets a number.

    Args:
        now: When the run began.

    Returns:
        The folder, which nobody else has.
    """
    began = now.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    number = 1
    while True:
        folder = home() / "runs" / (began if number == 1 else f"{began}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def execute_all(
    jobs: Sequence[Job],
    parameters: Parameters,
    folder: Path,
    at_once: int = 1,
    ended: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Execute notebooks, several at once if they say that they may run beside each other.

    After one that does not end well none is begun any more, and those that are at work go on to their end.
    Ctrl-C, or SIGTERM, ends those, too; if one asks twice, at once.

    A plan writes nothing, so that one that cannot be made does not keep the others from being made.

    Args:
        jobs: What to execute, in this order.
        parameters: All of them are given to each notebook, whichever its parameters cell names.
        folder: Where the executed copies go.
        at_once: How many may work at once, beside those that wait for most of their time.
        ended: Called with each result as soon as there is one.

    Returns:
        The result of each job, in their order.

    Raises:
        RunbookError: If what a notebook says of its place in the order cannot be read; none was begun.
    """
    places = [Place.of(job.notebook, parameters.pipelines()) for job in jobs]
    if parameters.mode == "plan":  # which writes nothing that another could miss
        names = frozenset(place.name for place in places)
        places = [replace(place, beside=names) for place in places]
    # A plan that cannot be made does not keep the others from being made.
    harmless = {"ok", "failed"} if parameters.mode == "plan" else {"ok"}
    results: dict[int, Result] = {}
    running: dict[int, _Execution] = {}
    with counted() as asked, Bars() as bars, ThreadPoolExecutor(max(1, len(jobs))) as threads:
        try:
            while True:
                if times := asked():
                    for execution in running.values():
                        execution.stop(times)
                outcomes = {result.outcome for result in results.values()}
                goes_on = not times and outcomes <= harmless
                for number in may_begin(places, results, running, at_once) if goes_on else ():
                    running[number] = _Execution(jobs[number], parameters, folder, bars)
                    running[number].begin(threads)
                if not running:
                    break
                for number in _ended(running):
                    results[number] = running.pop(number).result()
                    ended(results[number])
        finally:
            for execution in running.values():
                execution.stop(KILL)
    return [results.get(number) or Result(job.name, "not run") for number, job in enumerate(jobs)]


def _ended(running: Mapping[int, "_Execution"]) -> list[int]:
    """Wait until a notebook has ended, or for a moment; return the numbers of those that have."""
    wait([each.future for each in running.values()], LOOK_AGAIN_S, FIRST_COMPLETED)
    return [number for number, each in running.items() if each.future.done()]


class _Execution:
    """A notebook that is at work, in a thread of its own."""

    def __init__(self, job: Job, parameters: Parameters, folder: Path, bars: Bars) -> None:
        self._job, self._folder = job, folder
        self._values = {**parameters.model_dump(), **job.own}
        self._kernels: list[OurKernels] = []
        self._stopped_at: float | None = None
        self._awaited = folder / f".{job.name}.waits"
        self.bar = bars.bar(job.name, self._awaited)
        # There before its thread is, which Ctrl-C may come before.
        self.future: Future[Result] = Future()

    def begin(self, threads: Executor) -> None:
        """Execute it."""
        threads.submit(self._work)

    def result(self) -> Result:
        """Return what became of it, when it has ended."""
        return Result(self._job.name, "not run") if self.future.cancelled() else self.future.result()

    def stop(self, asked: int) -> None:
        """End it: as Ctrl-C does; if it goes on for long, or one asks again, at once.

        Args:
            asked: How often one has asked for it.
        """
        self.future.cancel()  # it never begins, unless it has
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            for kernel in self._kernels:
                kernel.interrupt()
        if asked >= KILL or time.monotonic() - self._stopped_at > STOP_WITHIN_S:
            for kernel in self._kernels:
                kernel.kill()

    def require(self) -> None:
        """Go on only if nobody has stopped it.

        Raises:
            KeyboardInterrupt: If somebody has.
        """
        if self._stopped_at is not None:
            raise KeyboardInterrupt

    def _work(self) -> None:
        if self.future.set_running_or_notify_cancel():
            try:
                self.future.set_result(self._execute())
            except BaseException as error:  # whoever asks for the result gets it
                self.future.set_exception(error)

    def _execute(self) -> Result:
        job, executed = self._job, self._folder / f"{self._job.name}.ipynb"
        outcome: Outcome = "ok"
        failure, began = None, time.monotonic()
        try:
            papermill.execute_notebook(
                job.notebook,
                executed,
                self._values,
                engine_name=ENGINE,
                kernel_name=NATIVE_KERNEL_NAME,
                # papermill's own `cwd` would be that of this process, in which others are at work.
                kernel_manager_class=kernels_of(
                    self._folder, job.notebook.parent, self._kernels, self._awaited
                ),
                language="python",
                progress_bar=False,
                execution=self,
            )
        except PapermillExecutionError as error:
            outcome, failure = "failed", Failure(error.ename, error.evalue, error.exec_count, error.source)
        except nbformat.reader.NotJSONError as error:
            outcome, failure = "failed", Failure("RunbookError", f"{job.notebook} cannot be read: {error}")
        except (RunbookError, PapermillException, RuntimeError) as error:  # RuntimeError: when a kernel dies
            outcome, failure = "failed", Failure(type(error).__name__, str(error).strip())
        except KeyboardInterrupt:
            outcome = "interrupted"
        finally:
            self.bar.close()
        if self._stopped_at is not None and failure:
            outcome, failure = "interrupted", None
        seconds = time.monotonic() - began
        if not executed.exists():
            return Result(job.name, outcome, seconds, failure=failure)
        told = list(_told(executed))
        made = [data[COUNTS] for data in told if COUNTS in data]
        left_out = [data[LEFT_OUT] for data in told if LEFT_OUT in data]
        adopting = [row for data in told for row in data.get(ADOPTING, [])]
        points = [point for data in told for point in data.get(POINTS, [])]
        found = [data[FOUND] for data in told if FOUND in data]
        last = made[-1] if made else {}
        of_notebook = (last, left_out, failure, adopting, points, found[-1] if found else "")
        return Result(job.name, outcome, seconds, executed, *of_notebook)


class _Engine(NBClientEngine):
    """papermill's own; it tells an execution of its cells, and ends between two if that is stopped."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, execution: _Execution, **options: Any
    ) -> Any:
        """Execute a notebook.

        Args:
            nb_man: papermill's, which it tells of each cell.
            kernel_name: As for papermill.
            execution: Whose notebook it is.
            options: As for papermill.
        """
        begin, save = nb_man.cell_start, nb_man.save

        def cell_start(*arguments: Any, **named: Any) -> None:
            execution.require()
            nb_man.save = lambda **_: None  # it is written when a cell has ended; twice is twice the work
            try:
                begin(*arguments, **named)
            finally:
                nb_man.save = save

        nb_man.cell_start, nb_man.pbar = cell_start, execution.bar
        execution.bar.of(len(nb_man.nb.cells))
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register(ENGINE, _Engine)


def _told(executed: Path) -> Iterator[dict[str, Any]]:
    """Yield what an executed notebook told in each of its outputs: MIME types to data."""
    for cell in json.loads(executed.read_text("utf-8"))["cells"]:
        yield from (output.get("data", {}) for output in cell.get("outputs", []))
