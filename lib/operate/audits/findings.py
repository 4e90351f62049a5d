"""What an audit finds: counted, the first differences at hand, all of them in a file."""

import gzip
import json
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from tempfile import TemporaryFile
from threading import Event, Lock
from typing import TYPE_CHECKING, TypeVar

from lib.base.own_fault import Fault, or_fault
from lib.base.waits import Wait

if TYPE_CHECKING:
    from lib.operate.audits.acknowledged import Acknowledged

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
        held: Of a difference, what both sides held of it, such as their ETags, as far as the audit has seen
            it; two findings with the same are of the same difference.
    """

    key: str
    state: str
    detail: str = ""
    by_design: bool = False
    held: str = ""

    def row(self) -> dict[str, str | bool]:
        """Return it as a row of a table."""
        return {name: value for name, value in asdict(self).items() if name != "held"}


def fingerprint(of: object) -> str:
    """Return a short text that is another one if what it is of is.

    Args:
        of: What `json` or else `str` can write; names of dictionaries in any order.
    """
    return sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()[:32]


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
        known: How many of these differ as they did then.
        settled: Those of them that do not differ any more.
        unjudged: How many could not be judged for a fault of their own, by reason.
        not_due: How many it is too early or too late to judge, by reason.
        examples: The first key of each reason not to judge.
    """

    def __init__(self, most: int):
        """Begin.

        Args:
            most: How many differences to keep in memory; all are in a temporary file.
        """
        self.counts: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self.to_do = self.known = 0
        self.acknowledged: Mapping[str, Acknowledged] = {}
        self.settled: list[str] = []
        self.unjudged: Counter[str] = Counter()
        self.not_due: Counter[str] = Counter()
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
            said = self.acknowledged.get(finding.key)
            if finding.state == SAME:
                self.settled += [finding.key] * (said is not None)
                return
            if finding.state == UNJUDGED:
                (self.not_due if finding.by_design else self.unjudged)[finding.detail] += 1
                self.examples.setdefault(finding.detail, finding.key)
                if finding.by_design:
                    return
            elif said and not finding.by_design:
                finding = self._held_against(said, finding)
            self.to_do += finding.state != UNJUDGED and not finding.by_design
            self._keep(finding)

    def _held_against(self, said: "Acknowledged", finding: Finding) -> Finding:
        """Return a finding with what was said of its key; by design if it was said of this difference."""
        anew = said.why_anew(finding)
        self.known += not anew
        detail = "; ".join(filter(None, (finding.detail, str(said), anew)))
        return replace(finding, detail=detail, by_design=not anew)

    def _keep(self, finding: Finding) -> None:
        if len(self.kept) < self._most:
            self.kept.append(finding)
        self._lines.write(json.dumps(asdict(finding)) + "\n")

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
