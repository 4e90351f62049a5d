"""What the commands answer with `--json`: models, and the JSON schemas of them in docs/schemas.

`python -m lib.cli.answers` writes the schemas anew. Within a version of a format only fields are added; one
that goes, or means something else, is another version, and another file.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from lib.base.paths import ROOT
from lib.base.told import UNCHANGED, named
from lib.engine.recording import RunRecord
from lib.parameters import Parameters

if TYPE_CHECKING:  # it brings papermill with it, which takes a second and a half to import
    from lib.execution.run import Result

FOLDER = ROOT / "docs" / "schemas"
Outcome = Literal["ok", "failed", "interrupted", "not run"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Answer(_Part):
    """A whole answer; the first field of each says which format it is, and its version."""


class Environment(_Part):
    """Whose it is."""

    target: str = Field(description="`local` or `aws`")
    account_id: str = Field(description="12 digits")
    prefix: str
    env: str

    @classmethod
    def of(cls, parameters: Parameters) -> "Environment":
        """Return that of parameters."""
        return cls(**{name: getattr(parameters, name) for name in cls.model_fields})


class LeftOut(_Part):
    """Something that was to be looked at, and was not."""

    notebook: str = Field("", description="in which notebook; empty if in none")
    what: str
    reason: str


class Failure(_Part):
    """Why a notebook failed."""

    kind: str = Field(description="the class of the error")
    message: str
    cell: int | None = Field(None, description="the number that Jupyter shows beside the cell")


class Point(_Part):
    """A point of a notebook's checklist."""

    claim: str
    holds: bool
    evidence: str


class Step(_Part):
    """What has to happen to one resource, or what is known of it."""

    action: str = Field(description="create, change, delete, unchanged, left behind, kept, warning or waived")
    type: str
    name: str
    region: str
    why: str
    difference: str = Field("", description="of policies, code and other long settings, a unified diff")


class Planned(_Part):
    """The plan of one notebook."""

    notebook: str
    outcome: Outcome
    counts: dict[str, int] = Field(description="how many steps of each kind")
    steps: list[Step]
    adopting: list[dict[str, str]] = Field(
        description="what adopting buckets means: bucket, what, found, means"
    )
    failure: Failure | None = None


class PlanAnswer(Answer):
    """Of `runbook plan`."""

    format: Literal["runbook.plan/1"] = "runbook.plan/1"
    environment: Environment
    exit_code: int
    differs: bool = Field(description="whether anything is not as it is described")
    notebooks: list[Planned]
    left_out: list[LeftOut]


class SavedPlan(Answer):
    """What `runbook plan --out FILE` writes, and `runbook run --plan FILE` holds against the account."""

    format: Literal["runbook.saved-plan/1"] = "runbook.saved-plan/1"
    version: str = Field(description="of the runbook that made it")
    names: list[str] = Field(description="of the notebooks that were named; none for all")
    parameters: dict[str, Any]
    plan: PlanAnswer


class Executed(_Part):
    """A notebook that was run."""

    notebook: str
    outcome: Outcome
    seconds: float
    summary: str = Field(description="what it made, in a few words")
    found: str = Field("", description="what it found, in a few words")
    counts: dict[str, int]
    notes: list[str]
    points: list[Point] = Field(description="of its checklist")
    executed: str | None = Field(None, description="the executed copy")
    failure: Failure | None = None


class RunAnswer(Answer):
    """Of `runbook run` and `runbook destroy`."""

    format: Literal["runbook.run/1"] = "runbook.run/1"
    environment: Environment
    exit_code: int
    run: str = Field(description="its id, which `runbook rollback --run` takes")
    report: str = Field(description="the page that shows it")
    notebooks: list[Executed]
    left_out: list[LeftOut]


class Named(_Part):
    """A resource that exists."""

    type: str
    name: str
    region: str
    made_by: str


class OfPipeline(_Part):
    """What exists of a pipeline."""

    pipeline: str
    frozen: bool = Field(description="whether its source is")
    resources: list[Named]


class StatusAnswer(Answer):
    """Of `runbook status`."""

    format: Literal["runbook.status/1"] = "runbook.status/1"
    environment: Environment
    exit_code: int = 0
    where: str = Field(description="which AWS it is, and whether it runs")
    runs: bool
    caller: str = Field("", description="the ARN of whom we work as")
    kept: dict[str, str] = Field({}, description="what is kept on this machine, and for how long")
    pipelines: list[OfPipeline] = []
    environments: list[dict[str, str]] | None = Field(None, description="with --all")


class OutputAnswer(RootModel[dict[str, dict[str, str]]]):
    """Of `runbook output --json`: pipeline to name to value. With a pipeline's name, name to value."""


class Difference(_Part):
    """An object that is not as it should be, or could not be judged."""

    key: str
    state: str
    detail: str


class NotDue(_Part):
    """Objects that it is too early or too late to judge, such as those that may still be on their way."""

    count: int
    example: str = Field(description="the key of one of them")
    reason: str


class Audited(_Part):
    """The audit of one pipeline."""

    pipeline: str
    clean: bool
    counts: dict[str, int] = Field(description="how many objects in each state")
    to_do: int = Field(description="how many differences somebody has to do something about")
    acknowledged: int = Field(0, description="how many more are known, and were acknowledged")
    settled: list[str] = Field([], description="keys that were acknowledged, and do not differ any more")
    not_due: list[NotDue] = Field([], description="what was not judged, as it should be, by reason")
    differences: list[Difference] = Field(description="the first of them, `audit.most` at most")
    error: str = Field("", description="what ended it before its end")


class AuditAnswer(Answer):
    """Of `runbook audit`."""

    format: Literal["runbook.audit/1"] = "runbook.audit/1"
    environment: Environment
    exit_code: int
    clean: bool
    audits: list[Audited]
    left_out: list[LeftOut]


class Waiting(_Part):
    """A queue of work that was not done."""

    pipeline: str
    queue: str
    holds: str
    messages: int
    hidden: int
    oldest: datetime | None = None


class Reason(_Part):
    """Why messages are stuck."""

    pipeline: str
    queue: str
    reason: str
    messages: int
    oldest: datetime
    sample: str
    error: str
    what_to_do: str


class RedriveAnswer(Answer):
    """Of `runbook redrive`, which looks, and changes nothing."""

    format: Literal["runbook.redrive/1"] = "runbook.redrive/1"
    environment: Environment
    exit_code: int
    messages: int = Field(description="about how many are stuck")
    queues: list[Waiting]
    reasons: list[Reason]
    left_out: list[LeftOut]


class PastRun(_Part):
    """A run that has begun."""

    run: str
    at: str
    mode: str
    version: str = Field(description="of the runbook; empty if it was not written down")
    created: int = Field(description="how many that are still there it created")
    changed: int
    by: str = Field("", description="who, on which machine; empty if nothing is recorded of it")
    commit: str = Field("", description="of the runbook; with a + if files were not as in it, ? if not known")
    outcome: str = Field("", description="ok, failed, interrupted, or that it has not ended")
    records: str = Field("", description="the numbers of its records")


class HistoryAnswer(Answer):
    """Of `runbook history`."""

    format: Literal["runbook.history/1"] = "runbook.history/1"
    environment: Environment
    exit_code: int = 0
    runs: list[PastRun] = Field(description="the last one last")


class Found(_Part):
    """A record that is not as it was written."""

    record: int = Field(description="its number")
    run: str
    found: str
    to_do: str


class VerifyAnswer(Answer):
    """Of `runbook verify`, of the records of an environment."""

    format: Literal["runbook.verify/1"] = "runbook.verify/1"
    environment: Environment
    exit_code: int
    records: int = Field(description="how many the account has")
    copies: int = Field(description="how many copies this machine has")
    digest: str = Field(description="of the last one; keep it elsewhere, and give it to --sha256 later")
    findings: list[Found]
    notes: list[str] = Field(description="what is no fault, such as a run that was killed")
    left_out: list[LeftOut]


class ErrorAnswer(Answer):
    """Of any command that did not come to a result."""

    format: Literal["runbook.error/1"] = "runbook.error/1"
    exit_code: int
    error: str = Field(description="the class of the error")
    message: str


ANSWERS: tuple[type[BaseModel], ...] = (
    PlanAnswer,
    SavedPlan,
    RunAnswer,
    StatusAnswer,
    OutputAnswer,
    AuditAnswer,
    RedriveAnswer,
    HistoryAnswer,
    VerifyAnswer,
    RunRecord,
    ErrorAnswer,
)


def failure_of(result: "Result") -> Failure | None:
    """Return why a notebook failed, if it did."""
    failed = result.failure
    return Failure(kind=failed.kind, message=failed.message, cell=failed.cell) if failed else None


def left_out_of(results: "Iterable[Result]") -> list[LeftOut]:
    """Return what notebooks said that they did not look at."""
    return [LeftOut(notebook=result.name, **each) for result in results for each in result.left_out]


def planned(result: "Result") -> Planned:
    """Return the plan that a notebook told."""
    differences = result.made.get("differences", {})
    return Planned(
        notebook=result.name,
        outcome=result.outcome,
        counts=result.made.get("counts", {}),
        steps=[Step(**row, difference=_difference(row, differences)) for row in result.rows],
        adopting=[{name: str(value) for name, value in row.items()} for row in result.adopting],
        failure=failure_of(result),
    )


def _difference(row: Mapping[str, str], differences: Mapping[str, str]) -> str:
    """Return the diff of a row of a plan; what AWS advises against and what is left has none."""
    key = named(row["type"], row["name"], row["region"])
    return differences.get(key, "") if row["action"] == "change" else ""


def executed(result: "Result") -> Executed:
    """Return what became of a notebook."""
    return Executed(
        notebook=result.name,
        outcome=result.outcome,
        seconds=round(result.seconds, 3),
        summary=result.summary,
        found=result.found,
        counts=result.made.get("counts", {}),
        notes=list(result.made.get("notes", [])),
        points=[Point(**point) for point in result.points],
        executed=str(result.executed) if result.executed else None,
        failure=failure_of(result),
    )


def recorded(result: "Result") -> dict[str, Any]:
    """Return what the record of a run says of one of its notebooks: what it did, and what it checked."""
    said = executed(result).model_dump(mode="json", exclude={"executed", "notes"}, exclude_defaults=True)
    steps = [step.model_dump(exclude={"difference"}) for step in planned(result).steps]
    return {
        **said,
        "steps": [step for step in steps if step["action"] != UNCHANGED],
        "left_out": [each.model_dump(exclude={"notebook"}) for each in left_out_of([result])],
    }


def name_of(kind: type[BaseModel]) -> str:
    """Return the name of a schema's file, such as `plan-1.json`."""
    field = kind.model_fields.get("format")
    command, version = (
        (str(field.default) if field else "runbook.output/1").removeprefix("runbook.").split("/")
    )
    return f"{command}-{version}.json"


def schemas() -> Mapping[str, dict[str, Any]]:
    """Return the JSON schemas, by the names of their files."""
    return {name_of(kind): kind.model_json_schema(mode="serialization") for kind in ANSWERS}


def write(folder: Path = FOLDER) -> Sequence[Path]:
    """Write the schemas anew, and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", "utf-8")
        paths.append(folder / name)
    return paths


if __name__ == "__main__":
    for path in write():
        print(f"wrote {path.relative_to(ROOT)}")
