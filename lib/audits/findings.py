"""What an audit finds: counted, the first differences at hand, all of them in a file."""

import gzip
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Event, Lock
from typing import TypeVar

from tqdm import tqdm

SAME, MISSING, STALE, EXTRA, METADATA, TAGS = "same", "missing", "stale", "extra", "metadata", "tags"
UNJUDGED = "not judged"
STATES = (SAME, MISSING, STALE, EXTRA, METADATA, TAGS, UNJUDGED)
STREAMS = 8  # listings that are read at the same time

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one object.

    Attributes:
        key: Its key.
        state: One of STATES.
        detail: What differs, without any content.
        by_design: Whether the pipeline is not meant to do anything about it.
    """

    key: str
    state: str
    detail: str = ""
    by_design: bool = False

    def row(self) -> dict[str, str | bool]:
        """Return it as a row of a table."""
        return {"key": self.key, "state": self.state, "detail": self.detail, "by_design": self.by_design}


class Findings:
    """Findings of any number in bounded memory; any thread may add some.

    Attributes:
        counts: How many objects of each state.
        kept: The first differences.
        to_do: How many differences are not by design.
    """

    def __init__(self, most: int):
        """Begin.

        Args:
            most: How many differences to keep in memory; all are in a temporary file.
        """
        self.counts: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self.to_do = 0
        self._most, self._lock = most, Lock()
        # Gone with this object. https://docs.python.org/3/library/tempfile.html#tempfile.TemporaryFile
        self._file = TemporaryFile()  # noqa: SIM115
        self._lines = gzip.open(self._file, "wt", encoding="utf-8")  # noqa: SIM115

    def add(self, finding: Finding | None) -> None:
        """Count a finding, and keep it if it is a difference; None is for nothing found."""
        if finding is None:
            return
        with self._lock:
            self.counts[finding.state] += 1
            if finding.state in (SAME, UNJUDGED):
                return
            self.to_do += not finding.by_design
            if len(self.kept) < self._most:
                self.kept.append(finding)
            self._lines.write(json.dumps(finding.row(), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """End adding; from now on they can be read."""
        self._lines.close()

    def __iter__(self) -> Iterator[Finding]:
        """Yield all differences, from the file."""
        self._file.seek(0)
        with gzip.open(self._file, "rt", encoding="utf-8") as lines:
            yield from (Finding(**json.loads(line)) for line in lines)


def walk(
    streams: Iterable[Iterable[Item]],
    judge: Callable[[Item], Finding | None],
    findings: Findings,
    threads: int,
    progress: tqdm,
) -> None:
    """Judge all items of several streams, some streams and many items at a time, in bounded memory.

    Args:
        streams: Each is read by one thread.
        judge: Called in other threads.
        findings: Where the findings go.
        threads: How many items are judged at a time.
        progress: Told of each.

    Raises:
        Exception: The first that a stream or a judgement raises; the others end soon after.
    """
    stop = Event()
    with ThreadPoolExecutor(threads) as judges, ThreadPoolExecutor(STREAMS) as readers:

        def read(stream: Iterable[Item]) -> None:
            waiting: deque[Future] = deque()
            for item in stream:
                if stop.is_set():
                    return
                waiting.append(judges.submit(judge, item))
                if len(waiting) > 2 * threads:
                    findings.add(waiting.popleft().result())
                    progress.update()
            for done in waiting:
                findings.add(done.result())
                progress.update()

        try:
            for done in as_completed([readers.submit(read, stream) for stream in streams]):
                done.result()
        except BaseException:
            stop.set()
            readers.shutdown(cancel_futures=True)
            raise
