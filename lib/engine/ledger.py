"""The ledger: what ran in an environment, what it set out to make there, and what of that exists."""

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from lib.base import paths
from lib.base.errors import RunbookError
from lib.base.paths import runbook_version
from lib.base.run_data import LOCK_TIMEOUT_S, file_of

if TYPE_CHECKING:
    from lib.parameters import Parameters

RUNS_KEPT = 100  # what ran before that is forgotten; what it created is not
PARTS = ("runs", "entries", "put", "outputs", "head")
OF_COPY = ("lineage", "serial", "copied", "copied_at")  # what tells copies apart, and which the account has
# Of the file. A program refuses one of a later format: it would lose what it does not know.
FORMAT = 1
# {prefix}-{env}-{pipeline}-{what}-{account_id}-{region}, as lib.resources.s3 names buckets.
BUCKET = re.compile(r"([a-z][a-z0-9]*)-([a-z][a-z0-9]*)-.+-([0-9]{12})-[a-z0-9-]+")
MODES = ("not recorded", "plan", "apply", "move")  # the later ones do more
NOT_RECORDED = MODES[0]  # the mode of a run of which an older ledger only knew what it made


# Kernels inherit it from the command that starts them: all of them are one run.
RUN_VARIABLE = "RUNBOOK_RUN"


def new_run_id() -> str:
    """Return an id for a run: when it began, in UTC, and some letters that no other run has."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}-{secrets.token_hex(3)}"


_THIS_PROCESS = new_run_id()


def run_id() -> str:
    """Return the id of this run: that of the command which started us, or else this process's own."""
    return os.environ.get(RUN_VARIABLE) or _THIS_PROCESS


@dataclass(frozen=True)
class Run:
    """A run that has begun; how it ended it does not say.

    Attributes:
        id: As `run_id` gives it.
        at: When it began, UTC, ISO 8601.
        mode: `apply`, `move` or `plan`; NOT_RECORDED for one of before runs were written down.
        version: Of the runbook that ran; empty if it was not written down.
        left_home: When it destroyed all, the home of its own lock included, UTC; empty if it did not.
    """

    id: str
    at: str
    mode: str
    version: str = ""
    left_home: str = ""


@dataclass(frozen=True)
class Ledger:
    """The file `run_data/<account>-<prefix>-<env>.json`, written before and after each change, atomically.

    A run that is killed between the two leaves `intended` behind, so that the next one knows that a half-made
    thing is ours.

    Attributes:
        prefix: What the environment's names begin with.
        env: The environment.
        account_id: The account it lives in, 12 digits.
    """

    prefix: str
    env: str
    account_id: str

    @classmethod
    def of(cls, parameters: "Parameters") -> "Ledger":
        """Return the ledger of an environment.

        Args:
            parameters: Whose it is: `account_id`, `prefix` and `env`.
        """
        return cls(parameters.prefix, parameters.env, parameters.account_id)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return file_of(self.account_id, self.prefix, self.env)

    def begin(self, run: str, mode: str) -> None:
        """Write down that a run begins, or goes on: it is now the last one, whatever it will do.

        Args:
            run: Its id; empty for what is no run, which is not written down.
            mode: Its mode, such as `apply`.
        """
        last = self.last_run()
        if not run or (last and (last.id, last.mode) == (run, mode)):
            return
        with self._content() as content:
            known = content["runs"].pop(run, {"at": _now()})
            known["version"] = runbook_version()
            # What has once written is no plan, though it plans again; what has moved something stays a move.
            mode = max(mode, known.get("mode", mode), key=MODES.index)
            runs = [*content["runs"].items(), (run, {**known, "mode": mode})]
            content["runs"] = dict(runs[-RUNS_KEPT:])

    def runs(self) -> list[Run]:
        """Return the runs that are written down, the last one last."""
        known = {each.name for each in fields(Run)}
        runs = self._read()["runs"].items()
        return [Run(run, **{name: facts[name] for name in facts if name in known}) for run, facts in runs]

    def last_run(self) -> Run | None:
        """Return the run that ran last, whether or not it made anything; None if none is written down."""
        return next(reversed(self.runs()), None)

    def leave_home(self, run: str, is_left: bool = True) -> None:
        """Write down that a run has destroyed all, and removes the home of its own lock.

        Args:
            run: Its id.
            is_left: Whether it is so; not any more of one that takes the lock again.
        """
        if is_left == self.has_left_home(run):
            return
        with self._content() as content:
            if run in content["runs"]:
                content["runs"][run]["left_home"] = _now() if is_left else ""

    def has_left_home(self, run: str) -> bool:
        """Return whether a run has written down that it removes the home of its own lock.

        Args:
            run: Its id.
        """
        return any(one.left_home for one in self.runs() if one.id == run)

    def intend(self, arn: str, **facts: str | list[str]) -> None:
        """Write down that something is about to be made or changed.

        Args:
            arn: What identifies it.
            facts: Its `pipeline`, `noun`, `name` and `region`; in `needs` the ARNs of what it needs; and
                `run`, the id of the run that creates it, or `changed_by`, that of the run that changes it,
                which leaves `run` as it was.
        """
        with self._content() as content:
            known = content["entries"].get(arn, {})
            kept = {"run": known["run"]} if "changed_by" in facts and "run" in known else {}
            if not kept:  # what was put into one that is no more is not in this one
                content["put"].pop(arn, None)
            content["entries"][arn] = {**kept, **facts, "state": "intended", "at": _now()}

    def made(self, arn: str, **facts: str) -> None:
        """Write down that what was intended exists now.

        Args:
            arn: What identifies it.
            facts: As for `intend`, of what another run may have forgotten meanwhile, as the lock's home.
        """
        with self._content() as content:
            known = facts | content["entries"].get(arn, {}) if facts else content["entries"][arn]
            content["entries"][arn] = {**known, "state": "made", "at": _now()}
            content["entries"][arn].pop("left", None)

    def doubt(self, arns: Iterable[str]) -> None:
        """Write down that things may be gone soon: they are about to be deleted.

        Args:
            arns: What identifies them.
        """
        with self._content() as content:
            for arn in arns:
                if arn in content["entries"]:
                    content["entries"][arn]["state"] = "intended"

    def hear(self, arn: str, at: str) -> None:
        """Write down when the first event came by a notification, until it is changed.

        Args:
            arn: The notification's.
            at: When, UTC, ISO 8601.
        """
        with self._content() as content:
            if arn in content["entries"]:
                content["entries"][arn]["heard"] = at

    def confirm(self, arns: Iterable[str]) -> None:
        """Write down that things exist which a run that was stopped had only intended, or a move had left."""
        entries = self.entries()
        for arn in arns:
            facts = entries.get(arn, {})
            if facts.get("state") == "intended" or "left" in facts:
                self.made(arn)

    def leave(self, arn: str, **facts: str) -> None:
        """Write down that something is left where it is on purpose, though it is described no more.

        Args:
            arn: What identifies it.
            facts: Its `pipeline`, `noun`, `name` and `region`, for a ledger that was lost.
        """
        with self._content() as content:
            known = content["entries"].get(arn, {**facts, "state": "made", "at": _now()})
            content["entries"][arn] = {**known, "left": _now()}

    def gone(self, arn: str) -> None:
        """Write down that something does not exist any more."""
        with self._content() as content:
            content["entries"].pop(arn, None)
            content["put"].pop(arn, None)

    def forget(self, pipeline: str) -> None:
        """Write down that nothing of a pipeline exists any more."""
        with self._content() as content:
            entries = content["entries"].items()
            content["entries"] = {arn: facts for arn, facts in entries if facts["pipeline"] != pipeline}
            content["put"] = {arn: put for arn, put in content["put"].items() if arn in content["entries"]}
            content["outputs"].pop(pipeline, None)

    def put(self, run: str, arn: str, key: str, version_id: str = "") -> None:
        """Write down that a run put an object into a bucket that it created itself; others do not count.

        Args:
            run: The run's id.
            arn: The bucket's ARN.
            key: The object's key; without a version id, what the keys begin with, which nobody else has.
            version_id: Of the version, or of the delete marker.
        """
        if self.entries().get(arn, {}).get("run") != run:
            return
        with self._content() as content:
            content["put"].setdefault(arn, []).append([key, version_id])

    def puts(self) -> dict[str, list[tuple[str, str]]]:
        """Return what runs put into the buckets that they created: ARN to keys with version ids."""
        return {arn: [(key, version) for key, version in put] for arn, put in self._read()["put"].items()}

    def know_head(self, chain: str, number: int, digest: str) -> None:
        """Write down which record is the last one: whoever takes it away has to change this, too.

        Args:
            chain: Of the records.
            number: Of the last one.
            digest: Its SHA-256.
        """
        with self._content() as content:
            content["head"] = {"chain": chain, "number": number, "digest": digest}

    def forget_head(self) -> None:
        """Write down that the account has no records any more."""
        with self._content() as content:
            content["head"] = {}

    def head(self) -> dict[str, Any]:
        """Return the `chain`, `number` and `digest` of the last record; empty if there is none."""
        return self._read()["head"]

    def copy(self) -> str | None:
        """Return the text of a copy to keep in the account; None if it has that copy already.

        Each copy has a greater number; all copies of an environment, from its first run to its destruction,
        have one lineage. Nothing of it is written down before it is `copied`.
        """
        content: dict[str, Any] = self._read()
        if not any(content[part] for part in PARTS) or content.get("copied") == _digest(content):
            return None
        content["lineage"] = content.get("lineage") or secrets.token_hex(8)
        content["serial"] = content.get("serial", 0) + 1
        content["copied"] = _digest(content)
        content["copied_at"] = _now()
        return self._text(content)

    def copied(self, text: str) -> None:
        """Write down that the account has a copy: one that did not get there is made again.

        Args:
            text: As `copy` gave it.
        """
        copy = json.loads(text)
        with self._content() as content:
            content |= {name: copy[name] for name in OF_COPY}

    def take(self, text: str) -> None:
        """Take over a copy that the account keeps: what others have done since we were here last.

        What this ledger knows and the copy does not is of a run that was killed here, if it is younger than
        the last copy that was made here; else others have deleted it.

        Args:
            text: As `copy` gave it, here or elsewhere.

        Raises:
            RunbookError: If a later version has written it.
        """
        theirs = self._checked(json.loads(text), "the ledger that the account keeps")
        with self._locked():
            self._take_over()
            mine = self._content_of_file()
            is_same = mine.get("lineage") == theirs["lineage"]
            if is_same and mine.get("serial", 0) >= theirs["serial"]:
                return
            content = _joined(mine, theirs) if is_same or not mine.get("lineage") else theirs
            self._write({**content, "copied": _digest(theirs), "copied_at": _now()})

    def pipelines(self) -> list[str]:
        """Return the names of the pipelines that something is written down of, sorted."""
        return sorted({facts["pipeline"] for facts in self.entries().values()})

    def record_outputs(self, pipeline: str, outputs: dict[str, str]) -> None:
        """Write down what a pipeline made that others want to know, in the place of what was there.

        Args:
            pipeline: Such as `migrate`.
            outputs: Such as `{"source_bucket": …}`.
        """
        with self._content() as content:
            content["outputs"][pipeline] = outputs

    def outputs(self) -> dict[str, dict[str, str]]:
        """Return what the pipelines made: pipeline to name to value."""
        return self._read()["outputs"]

    def entries(self) -> dict[str, dict[str, str]]:
        """Return what is written down: ARN to facts."""
        return self._read()["entries"]

    @property
    def _older(self) -> Path:
        """The file of before: one for an env, whosever the prefix and the account."""
        return paths.home() / "run_data" / f"{self.env}.json"

    def _read(self) -> dict[str, dict]:
        if self._older.exists():
            with self._locked():
                self._take_over()
        return self._content_of_file()

    def _content_of_file(self) -> dict[str, dict]:
        content = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        content = self._checked(content, str(self.path))
        return {**{part: {} for part in PARTS}, "account_id": self.account_id, **content}

    def _checked(self, content: dict, what: str) -> dict:
        if content.get("format", FORMAT) > FORMAT:
            raise RunbookError(
                f"{what} was written by runbook {content.get('written_by', 'of a later version')}, which has "
                f"another format ({content['format']}) than this one, {runbook_version()}, knows ({FORMAT}); "
                "nothing was done. Update this checkout"
            )
        return content

    @contextmanager
    def _content(self) -> Iterator[dict[str, dict]]:
        with self._locked():
            self._take_over()
            content = self._content_of_file()
            yield content
            self._write(content)

    def _write(self, content: dict) -> None:
        paths.write_atomically(self.path, self._text(content))

    def _text(self, content: dict) -> str:
        stamped = {**content, "format": FORMAT, "written_by": runbook_version()}
        return json.dumps(stamped, indent=1, ensure_ascii=False)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT_S):
            yield

    def _take_over(self) -> None:
        """Take what is ours out of the file of before; what others have in it stays until they come.

        Ours is written first: a process that is killed between the two writes leaves both, and the next one
        goes on. What this ledger knows already is newer.
        """
        if not self._older.exists():
            return
        with FileLock(f"{self._older}.lock", timeout=LOCK_TIMEOUT_S):
            if not self._older.exists():  # somebody else was faster
                return
            older = json.loads(self._older.read_text("utf-8"))
            if older["account_id"] != self.account_id:
                return
            entries = {
                arn: facts for arn, facts in older["entries"].items() if self.owns(facts["pipeline"], arn)
            }
            outputs = {
                pipeline: values
                for pipeline, values in older["outputs"].items()
                if any(self.owns(pipeline, value) for value in values.values())
            }
            if entries or outputs:
                ids = {
                    facts[how] for facts in entries.values() for how in ("run", "changed_by") if how in facts
                }
                runs = {run: {"at": "", "mode": NOT_RECORDED} for run in sorted(ids)}
                content = self._content_of_file()
                mine = {"runs": runs, "entries": entries, "outputs": outputs}
                self._write({**content, **{part: {**old, **content[part]} for part, old in mine.items()}})
            left = {"entries": entries, "outputs": outputs}
            left = {part: {k: v for k, v in older[part].items() if k not in left[part]} for part in left}
            if any(left.values()):
                text = json.dumps({**older, **left}, indent=1, ensure_ascii=False)
                paths.write_atomically(self._older, text)
            else:
                self._older.unlink()

    def owns(self, pipeline: str, text: str) -> bool:
        """Return whether a name, an ARN or a URL is that of a thing of ours, by the parts of its name.

        Args:
            pipeline: The thing's pipeline.
            text: What holds its name. Glue's names have underscores.
        """
        name = "[-_]".join(map(re.escape, (self.prefix, self.env, pipeline)))
        return bool(re.search(f"(?<![A-Za-z0-9]){name}[-_]", text))


def note_put(bucket: str, key: str, version_id: str = "") -> None:
    """Write down that this run put an object somewhere, so that a rollback knows it from others' objects.

    Args:
        bucket: The bucket's name, which says whose it is; one that is not named as ours are is left out.
        key: As for `Ledger.put`.
        version_id: As for `Ledger.put`.
    """
    whose = BUCKET.fullmatch(bucket)
    if whose and key:
        Ledger(*whose.groups()).put(run_id(), f"arn:aws:s3:::{bucket}", key, version_id)


def _digest(content: dict) -> str:
    """Return what tells two contents apart."""
    parts = json.dumps({part: content.get(part, {}) for part in PARTS}, sort_keys=True)
    return sha256(parts.encode()).hexdigest()


def _joined(mine: dict, theirs: dict) -> dict:
    """Return a later copy, with what only a run that was killed here knows."""
    since = mine.get("copied_at", "")
    new = {arn: facts for arn, facts in mine["entries"].items() if facts["at"] >= since}
    entries = dict(theirs["entries"])
    for arn, facts in new.items():
        if arn not in entries or facts["at"] > entries[arn]["at"]:
            entries[arn] = facts
    runs = {**mine["runs"], **theirs["runs"]}
    in_order = sorted(runs.items(), key=lambda run: (run[1]["at"], run[0]))
    head, known = theirs.get("head") or {}, mine.get("head") or {}
    if not head or (known.get("chain") == head["chain"] and known["number"] > head["number"]):
        head = known
    pipelines = {facts["pipeline"] for facts in new.values()}
    outputs = {name: made for name, made in mine["outputs"].items() if name in pipelines}
    put = {arn: mine["put"].get(arn, []) + theirs["put"].get(arn, []) for arn in entries}
    return {
        **theirs,
        "runs": dict(in_order[-RUNS_KEPT:]),
        "entries": entries,
        "put": {
            arn: [list(one) for one in dict.fromkeys(map(tuple, each))] for arn, each in put.items() if each
        },
        "outputs": {**outputs, **theirs["outputs"]},
        "head": head,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
