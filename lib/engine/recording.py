"""What the record of a run says: who, with what, what for, and what came of it; and no secret."""

import platform
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.base import call_ledger, told
from lib.base.explained import explained
from lib.base.json_text import json_object
from lib.base.paths import ROOT, home, runbook_version
from lib.base.refusals import DENIED
from lib.base.shown import counted
from lib.engine.ledger import Ledger
from lib.engine.records import whose
from lib.parameters import Parameters
from lib.parameters.types import SECRET

NOT_RECORDED = "(not recorded)"
# What is signed may be used by whoever has it; the token of a session has no other mark than its length.
SIGNED = re.compile(r"(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s'\"]+", re.IGNORECASE)
TOKEN = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{200,}={0,2}")
# What a name before it says, and a secret key behind a `=`, as on a command line.
NAMED = re.compile(
    r"((?:secret|password|passwd|credential|session_?token|access_?key)[\w-]*['\"]?\s*[=:]\s*['\"]?)[^\s'\",;}]+",
    re.IGNORECASE,
)
GIVEN = re.compile(r"(?<==)(?=\S*[A-Z])(?=\S*[a-z])(?=\S*[0-9])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
# AWS calls it no secret, and a role is not entered without it.
EXTERNAL_ID = re.compile(r"(external_id['\"]?\s*[=:]\s*)[^\s,;}]+", re.IGNORECASE)
PACKAGES = ("boto3", "botocore", "papermill", "ministack")
FORGOTTEN = ("", "not remembered", "")  # calls of which a process that made very many knows the number only
GIT_TIMEOUT_S = 30
MOST_FILES = 20  # that are named of those which the commit does not have so
MESSAGE_CHARACTERS = 2000
Outcome = Literal["ok", "failed", "interrupted"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Who(_Part):
    """Who did it, and where."""

    caller: str = Field(description="the ARN as which AWS was called")
    user: str = Field(description="who started it, on that machine")
    host: str
    machine: str = Field(description="what tells machines of the same name apart")
    pid: int
    command: str = Field(description="what was started")


class Code(_Part):
    """With what it was done."""

    version: str = Field(description="of the runbook")
    commit: str = Field("", description="of git; empty if that cannot be told")
    clean: bool | None = Field(None, description="whether all files are as in the commit; none if not known")
    changed: list[str] = Field([], description="files that are not as in the commit, the first of them")
    python: str
    packages: dict[str, str] = Field({}, description="versions of those by which it is done")


class Setting(_Part):
    """A parameter that is not its default."""

    parameter: str
    value: str
    origin: str = Field(description="where the value is from")


class Calls(_Part):
    """How AWS was called."""

    made: int
    refused: int = Field(description="how many were denied")
    failed: int = Field(description="how many more ended in another error, also those that were expected")
    by: list[dict[str, Any]] = Field(description="service, operation, outcome and number, the most first")


class Evidence(_Part):
    """A file that the run has written, as it was then."""

    file: str = Field(description="below RUNBOOK_HOME")
    sha256: str
    bytes: int


class RunRecord(_Part):
    """What is recorded of a run: when it begins, and when it has ended."""

    format: Literal["runbook.record/1"] = "runbook.record/1"
    number: int | None = Field(None, description="in its chain; none of a run that only looked")
    chain: str | None = Field(None, description="of which it is: those of one life of an environment")
    previous: str | None = Field(None, description="the digest of the record before it; empty for the first")
    digest: str = Field(description="SHA-256 of the canonical JSON of all else")
    event: Literal["began", "ended"]
    began_as: str | None = Field(None, description="the digest of the record of its beginning")
    run: str
    at: str = Field(description="UTC, ISO 8601")
    mode: str
    environment: dict[str, str] = Field(description="target, account_id, prefix and env")
    who: Who
    code: Code
    parameters: list[Setting] = Field([], description="those that are not their defaults; in `began`")
    defaults: dict[str, str] = Field({}, description="all others; in `began`")
    outcome: Outcome | None = None
    error: dict[str, str] | None = Field(None, description="kind and message of what ended it")
    seconds: int | None = None
    notebooks: list[dict[str, Any]] = Field([], description="as of runbook.run: outcome, steps, points, …")
    created: list[str] = Field([], description="type, name and region of what is there now and was not")
    changed: list[str] = []
    deleted: list[str] = []
    facts: list[dict[str, Any]] = Field([], description="what it told: of lag, of a drill, of cost")
    calls: Calls | None = None
    evidence: list[Evidence] = []
    last: bool = Field(False, description="whether it has destroyed the environment, its records with it")


def without_secrets(value: Any) -> Any:
    """Return a value of JSON without what looks like a credential, and with whole numbers only.

    Args:
        value: A text, a number, a list or a mapping; what has a fraction becomes text, which is the same
            text wherever it is written.
    """
    if isinstance(value, str):
        text = value
        for named in (SIGNED, EXTERNAL_ID, NAMED):
            text = named.sub(rf"\g<1>{NOT_RECORDED}", text)
        for secret in (TOKEN, GIVEN, SECRET):
            text = secret.sub(NOT_RECORDED, text)
        return text
    if isinstance(value, Mapping):
        return {
            without_secrets(str(name)): NOT_RECORDED
            if str(name).endswith("external_id") and each
            else without_secrets(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return value if value is None or isinstance(value, bool | int) else str(value)


@cache
def code() -> Code:
    """Return with what this process works, as it was when it was first asked."""
    commit = (_git("rev-parse", "HEAD") or "").strip()
    # Whatever the person's own settings of git leave out of it.
    status = _git("status", "--porcelain", "--untracked-files=normal") if commit else None
    changed = [line[3:] for line in (status or "").splitlines()]
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:  # of the local AWS, which has an environment of its own
            continue
    return Code(
        version=runbook_version(),
        commit=commit,
        clean=None if status is None else not changed,
        changed=changed[:MOST_FILES],
        python=platform.python_version(),
        packages=packages,
    )


def _git(*arguments: str) -> str | None:
    """Return what git says of the project; None if it cannot tell, or the project is no repository itself."""
    command = ["git", "-C", str(ROOT), "--no-optional-locks", *arguments]
    try:
        if arguments[0] != "rev-parse" or _is_own_repository():
            done = subprocess.run(command, capture_output=True, check=True, timeout=GIT_TIMEOUT_S)
            return done.stdout.decode("utf-8", errors="replace")  # names of files are any bytes
    except (OSError, subprocess.SubprocessError):
        pass
    return None


def _is_own_repository() -> bool:
    """Return whether it is one: it may also lie in somebody else's repository, whose commit says nothing."""
    return (ROOT / ".git").exists()


@dataclass
class Recording:
    """A run, or a part of one, while it is at work.

    Attributes:
        parameters: Its own.
        run: Its id.
        who: Who does it.
        known: What the ledger said when it began.
        began: When.
        told: What whoever does the work tells: `notebooks`, `outcome`, `error`, `folder`, `deleted`.
        began_as: The digest of the record of its beginning.
    """

    parameters: Parameters
    run: str
    who: Who
    known: Mapping[str, Mapping[str, Any]]
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    told: dict[str, Any] = field(default_factory=dict)
    began_as: str | None = None
    _caller: str = ""  # of the kernels, for who does not call AWS itself
    _calls_before: int = field(default_factory=lambda: call_ledger.ledger().made)

    def beginning(self) -> dict[str, Any]:
        """Return what the record of its beginning says."""
        differing, usual = by_default(self.parameters)
        defaults = {each.parameter: each.value for each in usual}
        return self._said("began", self.began, parameters=differing, defaults=defaults)

    def end(self, ledger: Ledger, error: BaseException | None, last: bool) -> dict[str, Any]:
        """Return what the record of its end says.

        Args:
            ledger: What the environment has now.
            error: What ended it, if anything.
            last: Whether it has destroyed the environment, with its records.
        """
        now, folder = datetime.now(UTC), self.told.get("folder")
        outcome = self.told.get("outcome", "ok")
        if error is not None:
            outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        counts = self._calls(folder)
        after = ledger.entries()
        changed = [arn for arn, facts in after.items() if _is_changed(facts, self.known.get(arn), self.run)]
        gone = {arn: self.known[arn] for arn in self.known if arn not in after}
        facts = [*told.take_facts(), *_facts_of(folder)]
        # Those of kernels are facts; what was deleted before something failed is in the ledger still.
        said = [str(fact.get("what")) for fact in facts if fact["kind"] == told.DELETED]
        deleted = {*map(_name, gone, gone.values()), *self.told.get("deleted", []), *said}
        return self._said(
            "ended",
            now,
            began_as=self.began_as,
            outcome=outcome,
            error=_told(error) if error is not None else self.told.get("error"),
            seconds=round((now - self.began).total_seconds()),
            notebooks=self.told.get("notebooks", []),
            created=sorted(_name(arn, after[arn]) for arn in after if arn not in self.known),
            changed=sorted(_name(arn, after[arn]) for arn in changed),
            deleted=sorted(deleted),
            facts=[fact for fact in facts if fact["kind"] != told.DELETED],
            calls=_summed(counts),
            evidence=list(self._evidence(folder)),
            last=last,
        )

    def _said(self, event: Literal["began", "ended"], at: datetime, **said: Any) -> dict[str, Any]:
        record = RunRecord(
            digest="",
            event=event,
            run=self.run,
            at=at.isoformat(timespec="seconds"),
            mode=self.parameters.mode,
            environment=whose(self.parameters),
            who=self.who if self.who.caller else self.who.model_copy(update={"caller": self._caller}),
            code=code(),
            **said,
        )
        # What is nothing is left out, but for the format.
        said = record.model_dump(mode="json", exclude_defaults=True, exclude={"digest"})
        return without_secrets({"format": record.format, **said})

    def _calls(self, folder: Path | None) -> Counter[tuple[str, str, str]]:
        """Count the calls of this process since it began, and those of the kernels that it has started."""
        ledger, counts = call_ledger.ledger(), Counter[tuple[str, str, str]]()
        made = ledger.made
        calls = ledger.calls(range(self._calls_before, made))
        for call in calls:
            counts[call.service, call.operation, call.outcome] += 1
        if forgotten := made - self._calls_before - len(calls):
            counts[FORGOTTEN] += forgotten
        path = folder / call_ledger.KERNELS if folder else None
        if path and path.exists():
            torn: list[str] = []
            for call in call_ledger.read(path, torn):
                counts[call.service, call.operation, call.outcome] += 1
                self._caller = self._caller or call.caller
            if torn:
                counts[FORGOTTEN] += len(torn)
                _say_torn(path, len(torn))
        return counts

    def _evidence(self, folder: Path | None) -> Iterator[Evidence]:
        """Yield the notebooks that the run has executed, and the records of drills and cut-overs of it."""
        paths = sorted(folder.glob("*.ipynb")) if folder else []
        of = f"{self.parameters.account_id}-{self.parameters.prefix}-{self.parameters.env}-*"
        for kind in ("drills", "cutovers"):
            found = (home() / "runs" / kind).glob(of)
            paths += sorted(path for path in found if path.stat().st_mtime >= self.began.timestamp())
        for path in paths:
            content = path.read_bytes()
            name = str(path.relative_to(home())) if path.is_relative_to(home()) else str(path)
            yield Evidence(file=name, sha256=sha256(content).hexdigest(), bytes=len(content))


def _summed(counts: Counter[tuple[str, str, str]]) -> Calls:
    refused = sum(count for (*_, outcome), count in counts.items() if outcome in DENIED)
    failed = sum(count for (*_, outcome), count in counts.items() if outcome not in {"ok", "", *DENIED})
    by = [
        {"service": service, "operation": operation, "outcome": outcome, "calls": count}
        for (service, operation, outcome), count in counts.most_common()
    ]
    return Calls(made=counts.total(), refused=refused, failed=failed, by=by)


def by_default(parameters: Parameters) -> tuple[list[Setting], list[Setting]]:
    """Return the parameters that are not their defaults, and those that are.

    Args:
        parameters: Them all.
    """
    usual = dict(type(parameters).check({}).table()[["parameter", "value"]].itertuples(index=False))
    settings = [
        Setting(parameter=name, value=_value(name, value), origin=origin)
        for name, value, origin in parameters.table().itertuples(index=False)
    ]
    # What a default needs that others have not is one of those that differ, too.
    differing = [each for each in settings if usual.get(each.parameter) != each.value]
    return differing, [each for each in settings if each not in differing]


def _value(name: str, value: str) -> str:
    return NOT_RECORDED if name.endswith("external_id") and value != repr("") else value


def _is_changed(now: Mapping[str, Any], before: Mapping[str, Any] | None, run: str) -> bool:
    """Return whether a run has changed something that was there, by the ledger."""
    return before is not None and now.get("changed_by") == run and now.get("at") != before.get("at")


def _name(arn: str, facts: Mapping[str, Any]) -> str:
    known = all(name in facts for name in ("noun", "name", "region"))
    return told.named(facts["noun"], facts["name"], facts["region"]) if known else arn


def _told(error: BaseException) -> dict[str, str]:
    message = str(explained(error) or error)
    return {"kind": type(error).__name__, "message": message[:MESSAGE_CHARACTERS]}


def _facts_of(folder: Path | None) -> list[dict[str, Any]]:
    path = folder / told.KERNELS if folder else None
    if path is None or not path.exists():
        return []
    lines = path.read_text("utf-8", errors="replace").splitlines()
    facts = [fact for fact in map(json_object, lines) if isinstance(fact.get("kind"), str)]
    if torn := len(lines) - len(facts):
        _say_torn(path, torn)
        facts.append({"kind": "left out", "file": path.name, "lines": torn})
    return facts


def _say_torn(path: Path, lines: int) -> None:
    """Say that some of what a kernel has written is none, as of one that was killed while it wrote."""
    print(f"{path}: {counted(lines, 'line')} cannot be read; the record goes on without", file=sys.stderr)


def who(holder: Mapping[str, Any]) -> Who:
    """Return who works here.

    Args:
        holder: What the lock says of this process.
    """
    return Who(**{name: holder[name] for name in Who.model_fields})
