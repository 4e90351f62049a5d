"""What a backfill would take: objects, bytes, time and money."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

import pandas as pd

from lib.base import frames
from lib.operate import facts
from lib.operate.backfills import batch_job
from lib.operate.backfills.backfill import selection
from lib.operate.observe import cost, usage
from lib.parameters import Parameters
from lib.resources import prices
from lib.s3.selection import Selection
from lib.target import Target

EXERCISE_OBJECTS = 1000  # more are sent only if `backfill.send` says so
KEYS_PER_LIST = 1000


@dataclass(frozen=True)
class Estimate:
    """What a backfill would take.

    Attributes:
        selected: Which objects.
        objects: How many they are.
        bytes: How large they are together.
        objects_per_second: How many events are sent in a second at most.
        by_job: Whether they are so many that an S3 Batch Operations job is to send them.
        usd: What it costs on a real account, the pipeline's own work included, at list prices.
        archived: How many of them are in an archive class, from which S3 must restore them first.
        knows_work: Whether it is known what the pipeline does with an object, so that `usd` includes it.
    """

    selected: Selection
    objects: int
    bytes: int
    objects_per_second: int
    by_job: bool
    usd: float
    archived: int = 0
    knows_work: bool = True

    @property
    def is_small(self) -> bool:
        """Whether there is something to send, and no more than an exercise sends."""
        return 0 < self.objects <= EXERCISE_OBJECTS

    @property
    def duration(self) -> timedelta:
        """How long sending takes at least."""
        return timedelta(seconds=ceil(self.objects / self.objects_per_second))

    def table(self) -> pd.DataFrame:
        """Return what there is to know, one fact a row."""
        how = "an S3 Batch Operations job" if self.by_job else f"{self.objects_per_second:,} events a second"
        facts = {
            "which": str(self.selected),
            "objects": f"{self.objects:,}",
            "size": f"{self.bytes / 1e9:,.3f} GB",
            "sent by": how,
            "takes at least": "hours, as S3 finds time" if self.by_job else str(self.duration),
            f"costs on AWS, prices of {prices.looked_up()}": f"${self.usd:,.2f}"
            + ("" if self.knows_work else " and what the pipeline does with them, which is not known"),
        }
        if self.archived:
            what = "these fail until S3 has restored them (aws s3api restore-object)"
            facts["archived"] = f"{self.archived:,}; {what}"
        return pd.DataFrame(facts.items(), columns=["", "estimate"])

    def __repr__(self) -> str:
        return frames.text(self.table())

    def _repr_html_(self) -> str:
        return frames.html(self.table())


def estimate(target: Target, parameters: Parameters) -> Estimate:
    """Count what there is to send and say what it takes; reads only.

    Args:
        target: The AWS to look at.
        parameters: `backfill` says which pipeline and objects.

    Returns:
        The estimate.

    Raises:
        RunbookError: If the pipeline is not deployed.
        ParameterError: If the prefix is outside of the pipeline's.
    """
    settings, (_, selected) = parameters.backfill, selection(target, parameters)
    objects, size, archived = (int(total) for total in selected.count(target).sum())
    by_job = objects > settings.batch_above
    used = _used(parameters, objects, size, by_job)
    usd = sum(cost.of(used).values())
    known = settings.pipeline in facts.pipelines()
    return Estimate(selected, objects, size, settings.objects_per_second, by_job, usd, archived, known)


def _used(parameters: Parameters, objects: int, size: int, by_job: bool) -> usage.Usage:
    """Return names of prices to quantities: the pipeline's own work, two listings, and the job's.

    What an object takes of a pipeline that nobody has counted is not in it.
    """
    name, mean_bytes = parameters.backfill.pipeline, size / objects if objects else 0
    one = usage.per_object(parameters, name, mean_bytes) if name in facts.pipelines() else {}
    used = {name: amount * objects for name, amount in one.items() if name != "sns_publish"}
    more: usage.Usage = {"s3_write": 2 * ceil(objects / KEYS_PER_LIST)}
    if by_job:
        work = usage.of_handler(facts.invoked_by(batch_job.PRINCIPAL), batch_job.MEMORY_MB)
        more |= {name: amount * objects for name, amount in {"s3_batch_object": 1, **work}.items()}
        more |= {"s3_batch_job": 1}
    return {name: used.get(name, 0) + more.get(name, 0) for name in {**used, **more}}
