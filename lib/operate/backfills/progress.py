"""How far a backfill has come: a file that outlives the process, so that the next one goes on there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from lib.base import paths
from lib.base.errors import RunbookError
from lib.base.run_data import file_of
from lib.base.shown import counted
from lib.engine.ledger import Ledger
from lib.parameters import Parameters


@dataclass
class Stretch:
    """A range of keys, and how far it is done.

    Attributes:
        after: After which key it begins, as `Selection.ranges` gives it.
        until: Its last key, likewise; None for all that follow.
        last: The last key whose event was sent; empty for none.
        sent: How many events.
        done: Whether all of it is.
    """

    after: str
    until: str | None
    last: str = ""
    sent: int = 0
    done: bool = False


@dataclass
class Progress:
    """The file `<account>-<prefix>-<env>-backfill-<pipeline>.json`, written after each batch, atomically.

    Attributes:
        path: Where it is.
        account_id: The account of the pipeline, by which `make clean` knows what it may throw away.
        what: What is backfilled: another prefix, time span or bucket is another backfill.
        stretches: The ranges of keys.
    """

    path: Path
    account_id: str
    what: dict[str, str]
    stretches: list[Stretch]
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def sent(self) -> int:
        """How many events were sent, by this run and those that it goes on for."""
        return sum(stretch.sent for stretch in self.stretches)

    @property
    def is_done(self) -> bool:
        """Whether every range is."""
        return all(stretch.done for stretch in self.stretches)

    def advance(self, stretch: Stretch, last: str, sent: int) -> None:
        """Write down that the events of a range were sent up to a key.

        Args:
            stretch: The range.
            last: The key.
            sent: How many more events.
        """
        with self._lock:
            stretch.last, stretch.sent = last, stretch.sent + sent
            self.save()

    def finish(self, stretch: Stretch) -> None:
        """Write down that a range is done."""
        with self._lock:
            stretch.done = True
            self.save()

    def save(self) -> None:
        """Write the file; a process killed meanwhile leaves the old one."""
        content = {
            "account_id": self.account_id,
            "what": self.what,
            "stretches": [asdict(stretch) for stretch in self.stretches],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        paths.write_atomically(self.path, json.dumps(content, indent=1, ensure_ascii=False))


def path_of(parameters: Parameters, pipeline: str) -> Path:
    """Return where the progress of a pipeline's backfill is kept; one of before is taken over if it is ours.

    Args:
        parameters: Whose it is: `account_id`, `prefix` and `env`.
        pipeline: The pipeline's name.
    """
    env, account_id = parameters.env, parameters.account_id
    path = file_of(account_id, parameters.prefix, env, f"backfill-{pipeline}")
    older = path.with_name(f"{env}-backfill-{pipeline}.json")  # whosever the prefix and the account were
    if older.exists() and not path.exists():
        content = json.loads(older.read_text("utf-8"))
        owns = Ledger.of(parameters).owns(pipeline, content["what"]["bucket"])
        if owns and content["account_id"] == account_id:
            older.rename(path)
    return path


def unfinished(path: Path, what: dict[str, str], restart: bool = False) -> Progress | None:
    """Return the backfill to go on with.

    Args:
        path: Its file.
        what: What shall be backfilled.
        restart: Whether to forget one that is unfinished.

    Returns:
        None if there is none: no file, or all of it was done, or it was of a bucket that is gone.

    Raises:
        RunbookError: If one of another prefix or time span is unfinished.
    """
    if restart or not path.exists():
        return None
    content = json.loads(path.read_text("utf-8"))
    stretches = [Stretch(**stretch) for stretch in content["stretches"]]
    found = Progress(path, content["account_id"], content["what"], stretches)
    if found.is_done:
        return None
    if any(found.what[name] != what[name] for name in ("bucket", "bucket_created")):
        return None
    if found.what != what:
        raise RunbookError(
            f"a backfill of {found.what} is unfinished, after {counted(found.sent, 'event')} ({path}). "
            f"Finish that one first, or forget it: backfill.restart=true"
        )
    return found


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes of this machine from the same backfill.

    Args:
        path: Its file.

    Raises:
        RunbookError: If another process is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{path}.lock", timeout=0):
            yield
    except Timeout as error:
        raise RunbookError(f"another process is at this backfill ({path}); wait for it to end") from error
