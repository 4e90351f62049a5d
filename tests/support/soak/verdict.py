"""What has become of a soak test's objects and messages."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from support.soak.workload import Work

from lib.base.reasons import ACCESS_DENIED, NOT_AN_EVENT
from lib.engine.waiting import Waiting
from lib.operate.failures.explain import explain
from lib.operate.failures.letters import taken
from lib.operate.pipelines import Pipeline
from lib.s3.objects import Place
from lib.target import Target

THREADS = 8
MOST_LETTERS = 10_000


def look(work: Work, destination: Place) -> str:
    """Say what has become of an object: `right`, `lost`, `wrong`, or `refused` if it is poison."""
    head = destination.head(work.key)
    if head is None:
        return "refused" if work.is_poison else "right" if work.is_deleted else "lost"
    if work.is_deleted or work.is_poison:
        return "wrong"
    found = destination.client.get_object(Bucket=destination.bucket, Key=work.key)
    tags = "&".join(f"{name}={value}" for name, value in destination.tags(work.key).items())
    same = (found["Body"].read(), found["Metadata"], tags) == (
        work.bodies[-1],
        dict(work.metadata),
        work.tags,
    )
    return "right" if same else "wrong"


def is_right(work: Work, destination: Place) -> bool:
    """Tell whether an object is as it must be."""
    return look(work, destination) in ("right", "refused")


@dataclass
class Verdict:
    """The counts of one pipeline.

    Attributes:
        objects: What has become of them: state to number. `to redrive` are those that would be lost or wrong
            if there were not a dead letter about them.
        bad: The first keys that are not as they must be.
        reasons: Why letters are dead: reason to number.
        poison: How many poisoned objects and messages are in a queue of dead letters, with their reason.
        not_poison: How many other objects are in such a queue.
    """

    objects: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    poison: int = 0
    not_poison: int = 0


def judge(target: Target, pipeline: Pipeline, works: list[Work], destination: Place) -> Verdict:
    """Compare every object, byte for byte, with what was uploaded last; and look into the dead letters."""
    verdict = Verdict()
    with ThreadPoolExecutor(THREADS) as threads:
        states = list(threads.map(lambda work: look(work, destination), works))
    known = {work.key: work.is_poison for work in works}
    explained = list(_dead(target, pipeline))
    dead = {each.key for each in explained}
    for work, state in zip(works, states, strict=True):
        # What waits for an operator in a queue of dead letters is not lost.
        verdict.objects["to redrive" if state in ("lost", "wrong") and work.key in dead else state] += 1
    verdict.bad = [w.key for w, state in zip(works, states, strict=True) if state in ("lost", "wrong")][:10]
    verdict.reasons = Counter(each.reason for each in explained)
    poisoned = {each.key for each in explained if known.get(each.key) and each.reason == ACCESS_DENIED}
    malformed = sum(each.reason == NOT_AN_EVENT or not each.key for each in explained)
    verdict.poison = len(poisoned) + malformed
    verdict.not_poison = len({each.key for each in explained if known.get(each.key) is False})
    return verdict


def _dead(target: Target, pipeline: Pipeline) -> Iterable:
    for letters in pipeline.dead_letters:
        with taken(Waiting.of(target, letters.queue), MOST_LETTERS) as hand:
            yield from explain(target, pipeline, letters, hand.letters)
