"""The ledger: what the runbook set out to make in an environment, and what of it exists."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from lib import paths
from lib.errors import ParameterError

LOCK_TIMEOUT_S = 30


@dataclass(frozen=True)
class Ledger:
    """The file `run_data/<env>.json`, written before and after each change, atomically.

    A run that is killed between the two leaves `intended` behind, so that the next one knows that a half-made
    thing is ours.

    Attributes:
        env: The environment.
        account_id: The account it lives in; the same environment in another account raises ParameterError.
    """

    env: str
    account_id: str

    @property
    def path(self) -> Path:
        """Where the file is."""
        return paths.home() / "run_data" / f"{self.env}.json"

    def intend(self, arn: str, **facts: str) -> None:
        """Write down that something is about to be made or changed.

        Args:
            arn: What identifies it.
            facts: Its `pipeline`, `noun`, `name` and `region`; and `run`, the id of the run that creates it,
                or `changed_by`, that of the run that changes it, which leaves `run` as it was.
        """
        with self._content() as content:
            known = content["entries"].get(arn, {})
            kept = {"run": known["run"]} if "changed_by" in facts and "run" in known else {}
            content["entries"][arn] = {**kept, **facts, "state": "intended", "at": _now()}

    def made(self, arn: str) -> None:
        """Write down that what was intended exists now."""
        with self._content() as content:
            content["entries"][arn].update(state="made", at=_now())

    def confirm(self, arns: Iterable[str]) -> None:
        """Write down that things exist which a run that was stopped had only intended."""
        states = {arn: facts["state"] for arn, facts in self.entries().items()}
        for arn in arns:
            if states.get(arn) == "intended":
                self.made(arn)

    def gone(self, arn: str) -> None:
        """Write down that something does not exist any more."""
        with self._content() as content:
            content["entries"].pop(arn, None)

    def forget(self, pipeline: str) -> None:
        """Write down that nothing of a pipeline exists any more."""
        with self._content() as content:
            entries = content["entries"].items()
            content["entries"] = {arn: facts for arn, facts in entries if facts["pipeline"] != pipeline}
            content["outputs"].pop(pipeline, None)

    def pipelines(self) -> list[str]:
        """Return the names of the pipelines that something is written down of, sorted."""
        return sorted({facts["pipeline"] for facts in self.entries().values()})

    def last_run(self) -> str:
        """Return the id of the run that created something last; empty if nothing is written down."""
        return max((facts.get("run", "") for facts in self.entries().values()), default="")

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

    def _read(self) -> dict[str, dict]:
        if not self.path.exists():
            return {"account_id": self.account_id, "entries": {}, "outputs": {}}
        content = json.loads(self.path.read_text("utf-8"))
        if content["account_id"] != self.account_id:
            raise ParameterError(
                f"env {self.env!r} is deployed in account {content['account_id']} ({self.path}), not in "
                f"{self.account_id}; choose another env, or destroy that one first"
            )
        return content

    @contextmanager
    def _content(self) -> Iterator[dict[str, dict]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT_S):
            content = self._read()
            yield content
            paths.write_atomically(self.path, json.dumps(content, indent=1, ensure_ascii=False))


def forget_account(account_id: str) -> None:
    """Delete all that is written down of an account of which nothing exists any more.

    Args:
        account_id: 12 digits; ledgers and the progress of backfills name theirs.
    """
    for path in (paths.home() / "run_data").glob("*.json"):
        if json.loads(path.read_text("utf-8"))["account_id"] == account_id:
            path.unlink()


def move_addresses(account_id: str, before: str, after: str) -> None:
    """Write down the outputs of an account anew that are addresses there: it has another endpoint now.

    Args:
        account_id: 12 digits.
        before: The endpoint that it had, such as `https://127.0.0.1:4566`.
        after: The endpoint that it has.
    """
    for path in (paths.home() / "run_data").glob("*.json"):
        with FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_S):
            content = json.loads(path.read_text("utf-8"))
            if content["account_id"] == account_id and "outputs" in content:
                for outputs in content["outputs"].values():
                    for name, value in outputs.items():
                        if value.startswith(f"{before}/"):
                            outputs[name] = after + value.removeprefix(before)
                paths.write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
