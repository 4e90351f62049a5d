"""Backfill: objects that were there before the pipeline was, sent into its own entrance as events."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import Event

import pandas as pd
from pyrate_limiter import Duration, Limiter, Rate

from lib.base.errors import ParameterError, RunbookError
from lib.base.waits import Wait
from lib.operate.backfills.progress import Progress, Stretch, alone, path_of, unfinished
from lib.operate.entrances import ObjectEvent, Send, sending
from lib.operate.pipelines import Pipeline, deployed
from lib.parameters import Parameters
from lib.s3.listing import Entry, Range
from lib.s3.selection import PARALLEL, Selection
from lib.target import Target

BATCH = 100  # objects between two notes of how far it has come: so many of a range are sent twice at most


def selection(target: Target, parameters: Parameters) -> tuple[Pipeline, Selection]:
    """Return the pipeline that is to be backfilled, and which of its source's objects.

    Args:
        target: The AWS to look at.
        parameters: `backfill` says which pipeline, prefix and time span.

    Returns:
        Both.

    Raises:
        RunbookError: If the pipeline is not deployed, or not as the parameters say.
        ParameterError: If the prefix is outside of the pipeline's.
    """
    settings = parameters.backfill
    pipeline = deployed(target, parameters, settings.pipeline).require_agreement()
    key_prefix = settings.key_prefix or pipeline.key_prefix
    if not key_prefix.startswith(pipeline.key_prefix):
        raise ParameterError(
            f"backfill.key_prefix: {pipeline.name} only follows keys that begin with "
            f"{pipeline.key_prefix!r}; found {key_prefix!r}"
        )
    times = (settings.modified_after, settings.modified_before)
    after, before = (datetime.fromisoformat(time) if time else None for time in times)
    return pipeline, Selection(pipeline.source_bucket, key_prefix, pipeline.filters, after, before)


def backfill(
    target: Target, parameters: Parameters, objects: int, clock: Callable[[], float] = time.monotonic
) -> pd.DataFrame:
    """Send an event of every object into the pipeline's entrance, at a bounded rate.

    When a run was cut off, the next one goes on where it stopped. The last batch of each range of keys may be
    sent twice, which does no harm: the handlers look at what the object is now.

    Args:
        target: The AWS to work on.
        parameters: `backfill` says which pipeline and objects, and how many a second.
        objects: How many there are, as `estimate` has counted them.
        clock: Tells the seconds.

    Returns:
        One row: objects `sent` by this run, `before` by those that it goes on for, and `seconds`.

    Raises:
        RunbookError: If there is nothing to send, another backfill is unfinished or at work, or the entrance
            did not accept an event; run it again to go on.
        ClientError: If AWS refused a call; the same.
    """
    pipeline, selected = selection(target, parameters)
    if not objects:
        raise RunbookError(f"nothing to send: there are no {selected}")
    path, per_second = path_of(parameters, pipeline.name), parameters.backfill.objects_per_second
    with alone(path):
        progress = _progress(target, parameters, selected, objects)
        before, began = progress.sent, clock()
        with (
            Limiter(Rate(per_second, Duration.SECOND)) as limiter,
            Wait("Backfill", total=objects, n=before, unit="object") as bar,
        ):
            _Sending(target, pipeline, selected, progress, limiter, min(BATCH, per_second), bar).run()
    row = {"sent": progress.sent - before, "before": before, "seconds": round(clock() - began, 1)}
    return pd.DataFrame([row])


def _progress(target: Target, parameters: Parameters, selected: Selection, objects: int) -> Progress:
    """Return the backfill to go on with, or a new one that has sent nothing yet."""
    settings, path = parameters.backfill, path_of(parameters, parameters.backfill.pipeline)
    what = {
        "bucket": selected.bucket.name,
        "bucket_created": selected.bucket_created(target),
        "key_prefix": selected.key_prefix,
        "modified_after": settings.modified_after,
        "modified_before": settings.modified_before,
    }
    if found := unfinished(path, what, settings.restart):
        return found
    stretches = [Stretch(within.after, within.until) for within in selected.ranges(target, objects)]
    new = Progress(path, parameters.account_id, what, stretches)
    new.save()
    return new


@dataclass(frozen=True)
class _Sending:
    """The sending of what is not sent yet, several ranges of keys side by side."""

    target: Target
    pipeline: Pipeline
    selected: Selection
    progress: Progress
    limiter: Limiter
    batch: int
    bar: Wait

    def run(self) -> None:
        stop = Event()
        with (
            sending(self.target, self.pipeline.entrance, self.pipeline.source_bucket) as send,
            ThreadPoolExecutor(PARALLEL) as threads,
        ):
            todo = [stretch for stretch in self.progress.stretches if not stretch.done]
            futures = [threads.submit(self._send, stretch, send, stop) for stretch in todo]
            try:
                for future in as_completed(futures):
                    future.result()
            finally:  # after an error or an interrupt, the others end with the batch that they are at
                stop.set()

    def _send(self, stretch: Stretch, send: Send, stop: Event) -> None:
        for batch in self._batches(stretch):
            if stop.is_set():
                return
            self.limiter.try_acquire("backfill", weight=len(batch))
            send([ObjectEvent.of(entry) for entry in batch])
            self.progress.advance(stretch, batch[-1].key, len(batch))
            self.bar.update(len(batch))
        self.progress.finish(stretch)

    def _batches(self, stretch: Stretch) -> Iterator[list[Entry]]:
        left = Range(stretch.last or stretch.after, stretch.until)
        objects = self.selected.objects(self.target, left)
        while batch := list(islice(objects, self.batch)):
            yield batch
