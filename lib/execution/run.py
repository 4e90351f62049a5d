"""Headless runs: runbooks found by name, executed by papermill, and what became of each."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from papermill.exceptions import PapermillException, PapermillExecutionError
from traitlets import default

from lib.base.call_ledger import PATH_VARIABLE
from lib.base.errors import ParameterError, RunbookError
from lib.base.paths import ROOT, home
from lib.engine.checklist import LEFT_OUT, POINTS
from lib.engine.plan import COUNTS
from lib.execution.describing import PLAN
from lib.operate.adopting import ADOPTING
from lib.parameters import Parameters
from lib.parameters.types import did_you_mean

NOTEBOOKS = ROOT / "notebooks"
DESTROY = "90_destroy"
PROGRESS_BAR = "{desc} {bar:30} {n_fmt}/{total_fmt} cells  {elapsed}"
Outcome = Literal["ok", "failed", "interrupted", "not run"]
NAME_CHARACTERS = 16  # of the progress bars' names, so that the bars stand below each other


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

    @property
    def summary(self) -> str:
        """What it made, in a few words; empty if it did not say."""
        return self.made.get("summary", "")

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


class OurKernels(AsyncKernelManager):
    """Starts kernels with the interpreter that runs us, whatever kernels the user has installed.

    Without folders to look in, jupyter_client falls back to the ipykernel of `sys.executable`. The encryption
    keeps other users of this machine from listening, and the kernel from warning that they could.
    """

    variables: Mapping[str, str] = {}  # of the kernels' environment, beside ours

    @default("transport_encryption")
    def _encrypted(self) -> str:
        return "auto"

    @default("kernel_spec_manager")
    def _ours_only(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)

    def start_kernel(self, **arguments: Any) -> Any:
        """Start a kernel whose progress bars are off: nobody watches, and they would stay in the output."""
        return super().start_kernel(env={**os.environ, **self.variables, "TQDM_DISABLE": "1"}, **arguments)


def kernels_of(folder: Path) -> type[OurKernels]:
    """Return kernels whose calls to AWS are written to `calls.jsonl` in a run's folder."""
    return type("Kernels", (OurKernels,), {"variables": {PATH_VARIABLE: str(folder / "calls.jsonl")}})


def select(names: Sequence[str]) -> list[Path]:
    """Find runbooks by name.

    Args:
        names: Such as `migrate`, `10_migrate` or `notebooks/10_migrate.ipynb`; none for all but 90_destroy.

    Returns:
        Their files, each once, in the order of the names.

    Raises:
        ParameterError: If there is no such runbook; it names those there are.
    """
    known = {path.stem: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    if not names:
        return [path for stem, path in known.items() if stem != DESTROY]
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


def short_name(name: str) -> str:
    """Return `migrate` for `migrate`, `10_migrate`, `10_migrate.ipynb` and a path to it."""
    stem = Path(name).name.removesuffix(".ipynb")
    return stem[3:] if stem[:2].isdigit() and stem[2:3] == "_" else stem


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


def execute_all(jobs: list[Job], parameters: Parameters, folder: Path) -> Iterator[Result]:
    """Execute notebooks one after the other; after one that does not end well the others are not run.

    A plan writes nothing, so that one that cannot be made does not keep the others from being made.

    Args:
        jobs: What to execute.
        parameters: All of them are given to each notebook, whichever its parameters cell names.
        folder: Where the executed copies go.

    Yields:
        The result of each job, when it has one.
    """
    goes_on = True
    for job in jobs:
        result = _execute(job, parameters, folder) if goes_on else Result(job.name, "not run")
        is_harmless = parameters.mode == "plan" and result.outcome == "failed"
        goes_on = goes_on and (result.outcome == "ok" or is_harmless)
        yield result


def _execute(job: Job, parameters: Parameters, folder: Path) -> Result:
    executed = folder / f"{job.name}.ipynb"
    values = {**parameters.model_dump(), **job.own}
    outcome: Outcome = "ok"
    failure, began = None, time.monotonic()
    try:
        papermill.execute_notebook(
            job.notebook,
            executed,
            values,
            kernel_name=NATIVE_KERNEL_NAME,
            kernel_manager_class=kernels_of(folder),
            language="python",
            cwd=job.notebook.parent,
            # disable=None: no bar where nobody watches (tqdm asks whether stderr is a terminal).
            progress_bar={
                "desc": f"{job.name:<{NAME_CHARACTERS}}",
                "bar_format": PROGRESS_BAR,
                "disable": None,
            },
        )
    except PapermillExecutionError as error:
        outcome, failure = "failed", Failure(error.ename, error.evalue, error.exec_count, error.source)
    except nbformat.reader.NotJSONError as error:
        outcome, failure = "failed", Failure("RunbookError", f"{job.notebook} cannot be read: {error}")
    except (RunbookError, PapermillException, RuntimeError) as error:  # RuntimeError: when a kernel dies
        outcome, failure = "failed", Failure(type(error).__name__, str(error).strip())
    except KeyboardInterrupt:
        outcome = "interrupted"
    seconds = time.monotonic() - began
    if not executed.exists():
        return Result(job.name, outcome, seconds, failure=failure)
    told = [data[COUNTS] for data in _told(executed) if COUNTS in data]
    left_out = [data[LEFT_OUT] for data in _told(executed) if LEFT_OUT in data]
    adopting = [row for data in _told(executed) for row in data.get(ADOPTING, [])]
    points = [point for data in _told(executed) for point in data.get(POINTS, [])]
    made = told[-1] if told else {}
    return Result(job.name, outcome, seconds, executed, made, left_out, failure, adopting, points)


def _told(executed: Path) -> Iterator[dict[str, Any]]:
    """Yield what an executed notebook told in each of its outputs: MIME types to data."""
    for cell in json.loads(executed.read_text("utf-8"))["cells"]:
        yield from (output.get("data", {}) for output in cell.get("outputs", []))
