"""What is left to copy, sent through the pipeline, watched until it is nothing, and drawn against time."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from lib.base import frames, paths
from lib.base.chart import COLOURS, Chart, show_times, style
from lib.base.errors import RunbookError
from lib.base.retry import wait_until
from lib.base.run_data import file_of
from lib.base.shown import counted
from lib.base.waits import Wait
from lib.engine.checklist import Checklist
from lib.operate.audits import audit as auditor
from lib.operate.audits import inventory_reports
from lib.operate.backfills.arrivals import waiting as waiting_in
from lib.operate.backfills.backfill import backfill
from lib.operate.cutover.freezing import is_frozen as is_in_force
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.s3.listing import Entry, Pair, listing, merge, ranges
from lib.s3.objects import Place
from lib.target import Target

MOST_LISTED = 100_000  # of more objects than that, it is the queue that tells how far the copying has come
POLL_S = 2
SIZE = (9, 3.5)  # of the chart, in inches
OPEN, FROZEN = "open", "frozen"  # what the source was


@dataclass(frozen=True)
class Counted:
    """What two listings tell of a source and its destination.

    Attributes:
        objects: How many the pipeline follows.
        bytes: How large they are together.
        largest: How large the largest is, in bytes.
        left: How many the destination has not, or not in this size. What is of the same size and differs
            all the same, an audit finds.
        left_bytes: How large these are together.
        classes: How many are in each storage class.
    """

    objects: int
    bytes: int
    largest: int
    left: int
    left_bytes: int
    classes: dict[str, int]


def count(target: Target, pipeline: Pipeline, written_before: datetime | None = None) -> Counted:
    """Count what there is, and what is left to copy, by listing both buckets.

    Args:
        target: The AWS to look at.
        pipeline: Which.
        written_before: Only what was written before that time counts as left; None for all.
    """
    places = [Place.of(target, each) for each in (pipeline.source_bucket, pipeline.destination_bucket)]
    objects = size = largest = left = left_bytes = 0
    classes: dict[str, int] = {}
    with Wait("Count", unit="object") as bar:
        for within in ranges(places, pipeline.key_prefix):
            for pair in merge(*(listing(place, pipeline.key_prefix, within) for place in places)):
                here, _ = pair
                if here is None or not pipeline.follows(here.key):
                    continue
                bar.update()
                objects, size, largest = objects + 1, size + here.size, max(largest, here.size)
                classes[here.storage_class] = classes.get(here.storage_class, 0) + 1
                if _is_left(pair) and (written_before is None or here.modified < written_before):
                    left, left_bytes = left + 1, left_bytes + here.size
    return Counted(objects, size, largest, left, left_bytes, classes)


def _is_left(pair: Pair) -> bool:
    here, there = pair
    return isinstance(here, Entry) and (there is None or there.size != here.size)


@dataclass(frozen=True)
class Timeline:
    """How many objects were left at which time: a file, so that a cut-over of days is one line.

    Attributes:
        path: The file.
        parameters: Whose.
        pipeline: Of which pipeline.
    """

    path: Path
    parameters: Parameters
    pipeline: Pipeline

    @classmethod
    def of(cls, parameters: Parameters, pipeline: Pipeline) -> "Timeline":
        """Return that of a pipeline's cut-over; there need not be one yet.

        Args:
            parameters: Whose: `account_id`, `prefix` and `env`.
            pipeline: The pipeline.
        """
        whose = parameters.account_id, parameters.prefix, parameters.env
        return cls(file_of(*whose, f"cutover-{pipeline.name}"), parameters, pipeline)

    def note(self, left: int, is_frozen: bool) -> None:
        """Write down how many are left now.

        Args:
            left: How many objects.
            is_frozen: Whether the source is frozen.
        """
        points = [*self._points(), [datetime.now(UTC).isoformat(), left, FROZEN if is_frozen else OPEN]]
        content = {
            "account_id": self.parameters.account_id,
            "bucket": self.pipeline.source_bucket.name,
            "points": points,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        paths.write_atomically(self.path, json.dumps(content, indent=1))

    def frame(self) -> pd.DataFrame:
        """Return one row a look: time, objects left, and whether the source was open or frozen."""
        frame = pd.DataFrame(self._points(), columns=["time", "left", "source"])
        return frame.assign(time=pd.to_datetime(frame["time"], utc=True, format="ISO8601"))

    def frozen_since(self) -> pd.Timestamp | None:
        """Return when it was first seen frozen after it was last seen open; None if it is open."""
        table = self.frame()
        was_open = table.index[table["source"] == OPEN]
        times = table["time"].loc[was_open.max() + 1 if len(was_open) else 0 :]
        return times.iloc[0] if len(times) else None

    def draw(self) -> Chart:
        """Draw how many objects were left against time; a line for the time from which on it was frozen."""
        # Half a second, for a cut-over that has begun only.
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        table = self.frame()
        title = f"{self.pipeline.name}: objects left to copy"
        with style():
            figure = Figure(figsize=SIZE, layout="constrained")
            axes = figure.subplots()
            axes.plot(
                table["time"],
                table["left"],
                marker="o",
                markersize=3,
                drawstyle="steps-post",
                color=COLOURS[0],
            )
            axes.set(title=title, ylim=(0, max(1, 1.1 * table["left"].max())))
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            if len(table):
                show_times(axes, most=8)
            if (frozen := self.frozen_since()) is not None:
                axes.axvline(frozen, linestyle="--", color=COLOURS[1], label="frozen")
                axes.legend()
        looks = [
            f"{left:,} at {frames.time(time)}"
            for time, left in zip(table["time"], table["left"], strict=True)
        ]
        ends = dict.fromkeys([looks[0], looks[-1]]) if looks else {"nobody has looked yet": None}
        since = f"; frozen since {frames.time(frozen)}" if frozen is not None else ""
        return Chart(figure, f"{title}: {', then '.join(ends)}{since}.")

    def _points(self) -> list[list]:
        if not self.path.exists():
            return []
        content = json.loads(self.path.read_text("utf-8"))
        return content["points"] if content["bucket"] == self.pipeline.source_bucket.name else []


def send_what_is_left(target: Target, parameters: Parameters, pipeline: Pipeline) -> pd.DataFrame:
    """Send through the pipeline what is left: everything if that is most of it, else what an audit names.

    Args:
        target: The AWS to work on.
        parameters: `backfill` says how many events a second; `audit` how closely to look.
        pipeline: Which.

    Returns:
        One row: objects there, left before, and how they were sent.

    Raises:
        RunbookError: If the entrance did not accept an event.
    """
    there = count(target, pipeline)
    how = "nothing to send"
    if there.left and there.left >= there.objects / 2:
        everything = {"key_prefix": "", "modified_after": "", "modified_before": ""}
        chosen = parameters.backfill.model_copy(update={"pipeline": pipeline.name, **everything})
        backfill(target, parameters.model_copy(update={"backfill": chosen}), there.objects)
        how = "as a backfill, all of them"
    else:
        closely = _closely(parameters)
        found = auditor.audit(target, closely, pipeline.name)
        if found.findings.to_do:
            auditor.repair(target, closely, pipeline.name, found)
            how = "those that differ"
    row = {"objects": there.objects, "left before": there.left, "sent": how}
    return pd.DataFrame([row])


@dataclass(frozen=True)
class Left:
    """How far the copying has come.

    Attributes:
        objects: How many the source has.
        left: How many of them are left to copy.
        waiting: How many events wait in the queue, those included that are being worked on.
    """

    objects: int
    left: int
    waiting: int

    @property
    def is_all(self) -> bool:
        """Whether nothing is left."""
        return not self.left and not self.waiting

    def __str__(self) -> str:
        waiting = f"{counted(self.waiting, 'event')} {'waits' if self.waiting == 1 else 'wait'}"
        return f"{self.left:,} of {counted(self.objects, 'object')} left to copy, {waiting}"


def until_copied(
    target: Target, parameters: Parameters, pipeline: Pipeline, sleep: Callable[[float], None] = time.sleep
) -> Left:
    """Wait until nothing is left to copy of what is there now, whatever is written meanwhile.

    Args:
        target: The AWS to look at.
        parameters: `cutover.watch_timeout_s` says how long.
        pipeline: Which.
        sleep: Waits between two looks.

    Raises:
        RunbookError: If something is left when the time is up: then it is too early to freeze.
    """
    left = _wait(target, parameters, pipeline, datetime.now(UTC), sleep)
    if left.left:
        waited = f"after {parameters.cutover.watch_timeout_s} s"
        raise RunbookError(
            f"{left} {waited}: it is too early to freeze, and nothing was frozen. `runbook run audit` names "
            "them, `runbook run redrive` says what is stuck and why; if it only takes longer, set "
            "cutover.watch_timeout_s"
        )
    return left


def until_arrived(
    target: Target, parameters: Parameters, pipeline: Pipeline, sleep: Callable[[float], None] = time.sleep
) -> Left:
    """Wait until nothing is left to copy of a source that is frozen, and no event waits, or the time is up.

    Args:
        target: The AWS to look at.
        parameters: `cutover.watch_timeout_s` says how long.
        pipeline: Which.
        sleep: Waits between two looks.
    """
    return _wait(target, parameters, pipeline, None, sleep)


def _wait(
    target: Target,
    parameters: Parameters,
    pipeline: Pipeline,
    written_before: datetime | None,
    sleep: Callable[[float], None],
) -> Left:
    """Look until nothing is left, and write down how it went; while others write, events may always wait."""
    timeline, there = Timeline.of(parameters, pipeline), count(target, pipeline, written_before)
    is_frozen, others_write = is_in_force(target, pipeline), written_before is not None
    timeout_s = parameters.cutover.watch_timeout_s
    with Wait("Copied", total=there.left, unit="object", timeout_s=timeout_s) as bar:

        def look() -> Left:
            waiting = waiting_in(target, pipeline)
            # While others write, the queue tells of their objects too, and may never be empty.
            is_told_by_queue = there.objects > MOST_LISTED and waiting and not others_write
            left = waiting if is_told_by_queue else count(target, pipeline, written_before).left
            timeline.note(left, is_frozen)
            bar.update(max(0, there.left - left - bar.n))
            return Left(there.objects, left, waiting)

        return wait_until(
            look,
            lambda seen: not seen.left and (others_write or not seen.waiting),
            timeout_s,
            POLL_S,
            sleep,
        )


def compare(target: Target, parameters: Parameters, pipeline: Pipeline) -> auditor.Audit:
    """Compare every object: bytes by checksum, metadata and tags, whatever its age.

    Args:
        target: The AWS to look at.
        parameters: Of the audit.
        pipeline: Which.
    """
    return auditor.attempt(auditor.audit, target, _closely(parameters), pipeline.name)


def enter(
    checklist: Checklist, target: Target, parameters: Parameters, pipeline: Pipeline, audited: auditor.Audit
) -> None:
    """Enter into a checklist what was compared; S3's reports prove nothing if the freeze is younger.

    Args:
        checklist: Which.
        target: The AWS to look at.
        parameters: Whose.
        pipeline: Which.
        audited: As `compare` returns it.
    """
    auditor.enter(checklist, [audited])
    if audited.method == "listing" or audited.error:
        return
    frozen = Timeline.of(parameters, pipeline).frozen_since()
    begun = inventory_reports.newest(target, parameters, pipeline)
    evidence = f"begun {begun:%Y-%m-%d %H:%M} UTC, frozen {frozen or 'at a time that nobody wrote down'}"
    is_younger = frozen is not None and begun > frozen
    checklist.check("the reports are of after the freeze, or wait for the next", is_younger, evidence)
    checklist.leave_out(
        f"{pipeline.name}: metadata and tags", "S3's reports do not have them, and so many are not looked at"
    )


def _closely(parameters: Parameters) -> Parameters:
    closely = parameters.audit.model_copy(update={"grace_s": 0, "metadata_and_tags": True})
    return parameters.model_copy(update={"audit": closely})
