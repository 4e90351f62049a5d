"""What an audit finds: counted, the first differences at hand, all of them in a file."""

import gzip
import json
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from tempfile import TemporaryFile
from threading import Event, Lock
from typing import TypeVar

from lib.base.own_fault import Fault, or_fault
from lib.base.waits import Wait

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
        detail: What differs, without any content; or why it could not be judged.
        by_design: Whether nobody is meant to do anything about it: the pipeline does not follow deletes, or
            it is too early or too late to judge. What cannot be judged for a fault of its own is no such.
    """

    key: str
    state: str
    detail: str = ""
    by_design: bool = False

    def row(self) -> dict[str, str | bool]:
        """Return it as a row of a table."""
        return asdict(self)


def not_due(key: str, why: str) -> Finding:
    """Return that it is too early or too late to judge a key, which is as it should be.

    Args:
        key: Which.
        why: In words.
    """
    return Finding(key, UNJUDGED, why, by_design=True)


class Findings:
    """Findings of any number in bounded memory; any thread may add some.

    Attributes:
        counts: How many objects of each state.
        kept: The first differences, and what could not be judged.
        to_do: How many differences are not by design.
        acknowledged: Keys of which it is known that they differ, and to what was said of it.
        known: How many of these do differ.
        unjudged: How many could not be judged for a fault of their own, by reason.
        examples: The first key of each such reason.
    """

    def __init__(self, most: int):
        """Begin.

        Args:
            most: How many differences to keep in memory; all are in a temporary file.
        """
        self.counts: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self.to_do = self.known = 0
        self.acknowledged: Mapping[str, object] = {}
        self.unjudged: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
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
            if finding.state == SAME or (finding.state == UNJUDGED and finding.by_design):
                return
            if said := not finding.by_design and self.acknowledged.get(finding.key):
                self.known += 1
                detail = "; ".join(filter(None, (finding.detail, str(said))))
                finding = replace(finding, detail=detail, by_design=True)
                self._keep(finding)
                return
            if finding.state == UNJUDGED:
                self.unjudged[finding.detail] += 1
                self.examples.setdefault(finding.detail, finding.key)
            else:
                self.to_do += not finding.by_design
            self._keep(finding)

    def _keep(self, finding: Finding) -> None:
        if len(self.kept) < self._most:
            self.kept.append(finding)
        self._lines.write(json.dumps(finding.row()) + "\n")

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
    progress: Wait,
) -> None:
    """Judge all items of several streams, some streams and many items at a time, in bounded memory.

    An item that cannot be judged for a fault of its own does not hold up the others.

    Args:
        streams: Each is read by one thread, and closed; it gives items, or findings where no call is needed.
        judge: Called in other threads.
        findings: Where the findings go.
        threads: How many items are judged at a time.
        progress: Told of each.

    Raises:
        Exception: The first that a stream raises, or a judgement if it is everybody's fault; the others end
            soon after.
    """
    stop, attempt = Event(), or_fault(judge)

    def take(done: Future) -> None:
        found = done.result()
        is_fault = isinstance(found, Fault)
        findings.add(Finding(_key(found.item), UNJUDGED, found.reason) if is_fault else found)
        progress.update()

    with ThreadPoolExecutor(threads) as judges, ThreadPoolExecutor(STREAMS) as readers:

        def read(stream: Iterable[Item]) -> None:
            waiting: deque[Future] = deque()
            try:
                for item in stream:
                    if stop.is_set():
                        return
                    if isinstance(item, Finding):
                        findings.add(item)
                        progress.update()
                        continue
                    waiting.append(judges.submit(attempt, item))
                    if len(waiting) > 2 * threads:
                        take(waiting.popleft())
                for done in waiting:
                    take(done)
            finally:  # the next stream may wait for the end of this one
                if isinstance(stream, Generator):
                    stream.close()

        try:
            for done in as_completed([readers.submit(read, stream) for stream in streams]):
                done.result()
        except BaseException:
            stop.set()
            readers.shutdown(cancel_futures=True)
            raise


def _key(item: object) -> str:
    """Return the key of what a stream gives: a key itself, what has one, or a pair of such."""
    if isinstance(item, tuple):
        return _key(next(each for each in item if each is not None))
    return str(getattr(item, "key", item))
