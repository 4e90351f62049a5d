"""What each handler says of itself, in `handlers/<name>/facts.yaml`: what it logs, counts, calls and costs.

It is data, since `lib` imports no handler. Nothing here knows any of them; `tests/handlers/test_facts.py`
holds each to what its code does. An amount is a number, or an expression in Jinja's syntax: of the parameters
of the pipeline, `bytes` (how large the object is) and what is in `KNOWN`, such as
`1 if bytes > athena_above_mb * MB else 0`.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lib.base import yaml_file
from lib.base.errors import RunbookError
from lib.base.paths import ROOT
from lib.operate.results import Result
from lib.parameters import Parameters
from lib.resources.prices import prices

FILE = "facts.yaml"
UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
DAYS_A_MONTH = 30.4
DPU_HOURS_A_CRAWL = 2 / 6  # two units, and ten minutes at least
# What the names in expressions stand for, besides parameters.
KNOWN = {**UNITS, "DAYS_A_MONTH": DAYS_A_MONTH, "DPU_HOURS_A_CRAWL": DPU_HOURS_A_CRAWL}
_LANGUAGE = SandboxedEnvironment(undefined=StrictUndefined)


@cache
def _compiled(text: str):
    return _LANGUAGE.compile_expression(text, undefined_to_none=False)


def _checked(amount: float | str) -> float | str:
    if isinstance(amount, str):
        try:
            _compiled(amount)
        except TemplateError as error:
            raise ValueError(f"{amount!r} is no expression: {error}") from error
    return amount


def _priced(amounts: dict) -> dict:
    if unknown := sorted(amounts.keys() - prices().keys()):
        raise ValueError(f"lib/resources/prices.yaml has no price {', '.join(unknown)}")
    return amounts


Amount = Annotated[float | str, AfterValidator(_checked)]
# By the short names of prices, such as `s3_write`.
Amounts = Annotated[dict[str, Amount], AfterValidator(_priced)]
Calls = Annotated[dict[str, dict[str, Amount]], AfterValidator(_priced)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(_Said):
    """A metric of the namespace `runbook`.

    Attributes:
        unit: CloudWatch's.
        counts: What, for people.
        published: Whether it is published all the time, and so billed: 1, or 0 if it is an exception's.
    """

    unit: Literal["Count", "Bytes", "Milliseconds"]
    counts: str
    published: Amount = 1


class Made(_Said):
    """Objects that a handler makes by itself.

    Attributes:
        objects: How many each time.
        schedule: Which expression of EventBridge says when.
    """

    objects: Amount
    schedule: Amount


class Part(_Said):
    """What a handler does in one pipeline; its amounts are of one new object.

    Attributes:
        region: Where the function is.
        memory_mb: How much memory it has.
        disk_mb: How much temporary storage it has.
        counts_objects: Whether its `work` counts the pipeline's objects.
        makes: The objects that it makes, if they do not come from elsewhere.
        events: How often it is told of a new object.
        batch_size: How many objects come with one invocation.
        queue: Whether its events come through a queue.
        topic: Whether they come through a topic before that.
        reads_in: In which region bytes are read; empty if they are not.
        writes_in: In which region they are written; likewise.
        stored: What stays, by the names of prices a month.
        per_month: What the pipeline uses even if nothing happens, besides alarms, metrics and its queue.
        alarms: Those that the pipeline's notebook sets on the function and its queues, by name.
    """

    region: Amount
    memory_mb: Amount
    disk_mb: Amount = 512
    counts_objects: bool = False
    makes: Made | None = None
    events: Amount = 1
    batch_size: Amount = 1
    queue: bool = False
    topic: bool = False
    reads_in: Amount = "''"
    writes_in: Amount = "''"
    stored: Amounts = Field(default_factory=dict)
    per_month: Amounts = Field(default_factory=dict)
    alarms: tuple[str, ...] = ()


class Facts(_Said):
    """What a handler says of itself.

    Attributes:
        name: Its folder's name.
        outcomes: What it logs last of a key that it has dealt with, and the metric that counts it, if any.
        steps: What else it logs of a key, besides failures.
        sequence: Of these, what it logs of a key in this order if all goes well; empty if that is one line.
        metrics: What it emits, by name.
        work: The metric of the work that it has done.
        lag: The metric of how long after its event was sent each key was dealt with: a value for each of
            `work`.
        bytes: The metric of the bytes that it has copied.
        seconds: How long it works on one new object: assumed.
        log_bytes: What is logged of one new object: START, END and REPORT, its lines, the metrics: assumed.
        calls: All calls to AWS that it makes, each below its price: how much of that one new object takes;
            0 for what only others take.
        uncounted: Its calls that cost nothing, or that are counted where they arrive.
        result: What it makes of an object, by which its pipelines are audited; nothing if another handler's
            work is audited instead.
        invoked_by: The service that invokes it, if it is in no pipeline.
        columns: Of the JSON lines that it writes, as Athena's types.
        pipelines: What it does in each pipeline.
    """

    name: str
    outcomes: dict[str, str | None]
    steps: tuple[str, ...] = ()
    sequence: tuple[str, ...] = ()
    metrics: dict[str, Metric]
    work: str
    lag: str = ""
    bytes: str = ""
    seconds: Amount
    log_bytes: Amount
    calls: Calls
    uncounted: tuple[str, ...] = ()
    result: Result | None = None
    invoked_by: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    pipelines: dict[str, Part] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_consistent(self) -> "Facts":
        counting = {name for name in self.outcomes.values() if name}
        named = {self.work, *counting, *filter(None, (self.lag, self.bytes))}
        if unknown := sorted(named - self.metrics.keys()):
            raise ValueError(f"metrics does not have {', '.join(unknown)}")
        if self.work not in counting:
            raise ValueError(f"no outcome counts as the work {self.work}")
        for name, unit in ((self.work, "Count"), (self.lag, "Milliseconds"), (self.bytes, "Bytes")):
            if name and self.metrics[name].unit != unit:
                raise ValueError(f"{name} has the unit {self.metrics[name].unit}, not {unit}")
        if unknown := sorted(set(self.sequence) - self.outcomes.keys() - set(self.steps)):
            raise ValueError(f"neither outcomes nor steps have {', '.join(unknown)}")
        return self

    @property
    def done(self) -> tuple[str, ...]:
        """The outcomes that are work done, such as `copied`."""
        return tuple(outcome for outcome, metric in self.outcomes.items() if metric == self.work)

    @property
    def counts(self) -> tuple[str, ...]:
        """The metrics that count: first the work done, then the rest."""
        counts = (name for name, metric in self.metrics.items() if metric.unit == "Count")
        return (self.work, *(name for name in counts if name != self.work))


def load(folder: Path) -> Facts:
    """Read what a handler says of itself.

    Args:
        folder: The handler's.

    Raises:
        RunbookError: If the file is not there, or does not say what it has to.
    """
    path = folder / FILE
    try:
        return Facts.model_validate({**yaml_file.read(path), "name": folder.name})
    except (OSError, TypeError, yaml.YAMLError, ValidationError) as error:
        raise RunbookError(
            f"{path}: {error}. What a handler has to say of itself is in lib/operate/facts.py"
        ) from error


@cache
def every() -> Mapping[str, Facts]:
    """Return what all handlers say, by their names.

    Raises:
        RunbookError: If a file does not say what it has to.
    """
    return {path.parent.name: load(path.parent) for path in sorted((ROOT / "handlers").glob(f"*/{FILE}"))}


def of(name: str) -> Facts:
    """Return what a handler says.

    Args:
        name: The handler's.

    Raises:
        RunbookError: If there is no such handler, or it says nothing.
    """
    if name not in every():
        raise RunbookError(f"no handlers/{name}/{FILE}; there are: {', '.join(every())}")
    return every()[name]


def handler_of(function: str) -> str:
    """Return the name of a function's handler, which is what the function's name ends with.

    Args:
        function: The function's full name, or that of its log group, such as `runbook-local-index-index`.

    Returns:
        The longest name of a handler that it ends with; if there is none, what follows the last hyphen.
    """
    known = [name for name in every() if function.endswith(f"-{name}")]
    return max(known, key=len, default=function.rpartition("-")[2])


def of_function(function: str) -> Facts | None:
    """Return what the handler of a function says; None if it says nothing.

    Args:
        function: As for `handler_of`.
    """
    return every().get(handler_of(function))


def invoked_by(service: str) -> Facts:
    """Return what the handler says that a service invokes outside of all pipelines.

    Args:
        service: Its principal, such as `batchoperations.s3.amazonaws.com`.

    Raises:
        RunbookError: If it is not exactly one.
    """
    found = [each for each in every().values() if each.invoked_by == service]
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise RunbookError(
            f"one handler must say `invoked_by: {service}` in its {FILE}; it is said by: {names}"
        )
    return found[0]


def pipelines() -> tuple[str, ...]:
    """Return the names of all pipelines that handlers say they are in, in the order of the parameters."""
    named = {name for each in every().values() for name in each.pipelines}
    ordered = [name for name in Parameters.sections() if name in named]
    return (*ordered, *sorted(named.difference(ordered)))


def parts(pipeline: str) -> list[tuple[Facts, Part]]:
    """Return which handlers a pipeline has, and what each does there; empty if none says so.

    Args:
        pipeline: Its name.
    """
    return [(each, each.pipelines[pipeline]) for each in every().values() if pipeline in each.pipelines]


def counting(pipeline: str) -> Facts | None:
    """Return what the handler says whose work counts the objects of a pipeline; None if none says that.

    Args:
        pipeline: Its name.
    """
    return next((each for each, part in parts(pipeline) if part.counts_objects), None)


def value(amount: float | str, names: Mapping[str, object]) -> Any:
    """Return what an amount is.

    Args:
        amount: A number, or an expression.
        names: What the names in it stand for, besides those in `KNOWN`.

    Raises:
        RunbookError: If it has a name that stands for nothing, or cannot be computed.
    """
    if not isinstance(amount, str):
        return amount
    try:
        found = _compiled(amount)({**KNOWN, **names})
        if isinstance(found, StrictUndefined):
            str(found)  # raises, with the name
    except (TemplateError, TypeError, ArithmeticError) as error:
        raise RunbookError(f"handlers: {amount!r} in a {FILE} cannot be computed: {error}") from error
    return found
