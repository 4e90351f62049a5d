"""What the functions of the pipelines have done, read from their logs: lag, counts, errors, time.

On AWS the same figures are metrics of CloudWatch, which the dashboard draws. The local AWS makes no metrics
of what functions log; the lines themselves are the same on both.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd
from botocore.exceptions import ClientError

from lib.base import told
from lib.base.json_text import json_object
from lib.base.own_fault import Fault, by_reason, or_fault, such_as
from lib.base.reasons import in_short
from lib.operate import facts, log_events
from lib.operate.observe.dashboard import what
from lib.operate.pipelines import Pipeline
from lib.resources.logs import log_group_name
from lib.target import Target

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
LINES = '{ ($.key = "*") || ($.level = "ERROR") || ($._aws.Timestamp > 0) }'
REPORTS = '"Billed Duration"'
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
_REPORT = re.compile(r"Billed Duration: (\d+) ms\s+Memory Size: (\d+) MB")
_STATUS = re.compile(r"Status: \w+")  # only of an invocation that was cut off: timeout, error
_COLUMNS = {
    "lags": ["pipeline", "time", "seconds"],
    "counts": ["pipeline", "time", "metric", "value"],
    "invocations": ["pipeline", "time", "milliseconds", "memory_mb"],
    "errors": ["pipeline", "time", "function", "key", "message"],
}


@dataclass
class Activity:
    """What has been done since a time.

    Attributes:
        pipelines: Whose.
        since: From when on.
        until: When the logs were read.
        lags: Of each object that was worked on: pipeline, time, seconds since its event was sent: by S3
            as it was written, or later by a backfill or a repair. What was in place already has no lag.
        counts: Of each metric of each invocation: pipeline, time, metric, value.
        invocations: pipeline, time, milliseconds (as billed), memory_mb.
        errors: Of each line that tells of one: pipeline, time, function, key, message.
        still_failing: Pipeline, function and key of those whose newest line tells of an error.
        left_out: What could not be read, such as a line or a whole log, and the reason.
    """

    pipelines: list[str]
    since: pd.Timestamp
    until: pd.Timestamp
    lags: list[tuple] = field(default_factory=list)
    counts: list[tuple] = field(default_factory=list)
    invocations: list[tuple] = field(default_factory=list)
    errors: list[tuple] = field(default_factory=list)
    still_failing: set[tuple[str, str, str]] = field(default_factory=set)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    _is_noted: bool = field(default=False, init=False, repr=False, compare=False)

    def frame(self, name: str) -> pd.DataFrame:
        """Return one of the lists as a table.

        Args:
            name: Such as `lags`.
        """
        return pd.DataFrame(getattr(self, name), columns=_COLUMNS[name])

    def lag(self) -> pd.DataFrame:
        """Return how many objects were worked on, and p50, p99 and the longest of their lags in seconds.

        The record of this run is told of it, the first time.
        """
        by = self.frame("lags").astype({"seconds": float}).groupby("pipeline")["seconds"]
        p50, p99 = by.quantile(0.5), by.quantile(0.99)
        columns = {"objects": by.size(), "p50": p50, "p99": p99, "longest": by.max()}
        there = [name for name in self.pipelines if name in by.groups]
        table = pd.DataFrame(columns).loc[there].rename_axis("pipeline").reset_index()
        for row in () if self._is_noted else table.itertuples():
            told.note(
                "lag",
                pipeline=row.pipeline,
                objects=row.objects,
                p50_s=round(row.p50, 3),
                p99_s=round(row.p99, 3),
                longest_s=round(row.longest, 3),
            )
        self._is_noted = True
        return table

    def throughput(self) -> pd.DataFrame:
        """Return how many objects were done: one row a minute, one column a pipeline."""
        of = {name: said.work for name in self.pipelines if (said := facts.counting(name))}
        return self._per_minute(
            (name, time, value) for name, time, metric, value in self.counts if metric == of.get(name)
        )

    def errors_per_minute(self) -> pd.DataFrame:
        """Return how often each pipeline failed in each minute; as `throughput`."""
        return self._per_minute((name, time, 1) for name, time, *_ in self.errors)

    def _per_minute(self, rows: Iterable[tuple[str, pd.Timestamp, float]]) -> pd.DataFrame:
        minutes = pd.date_range(self.since.floor("min"), self.until, freq="min", name="minute")
        table = pd.DataFrame(rows, columns=["pipeline", "time", "value"])
        minute = pd.to_datetime(table["time"], utc=True).dt.floor("min").rename("minute")
        sums = table.groupby([minute, "pipeline"])["value"].sum().unstack()
        return sums.reindex(index=minutes, columns=self.pipelines).fillna(0.0)

    def total(self, pipeline: str, metric: str) -> float:
        """Return the sum of a metric.

        Args:
            pipeline: The pipeline's name.
            metric: Such as `ObjectsCopied`.
        """
        return sum(value for name, _, counted, value in self.counts if (name, counted) == (pipeline, metric))

    def seen_errors(self) -> pd.DataFrame:
        """Return how often each pipeline failed, and how many keys have failed and not been done since."""
        failed = Counter(name for name, *_ in self.errors)
        left = Counter(name for name, *_ in self.still_failing)
        rows = [(name, failed[name], left[name]) for name in self.pipelines]
        return pd.DataFrame(rows, columns=["pipeline", "errors", "still failing"])


def read(target: Target, pipelines: Iterable[Pipeline], since: pd.Timestamp) -> Activity:
    """Read the logs of all functions of some pipelines.

    Args:
        target: The AWS to look at.
        pipelines: Which; they are deployed.
        since: From when on.

    Returns:
        What was done. A line, or a log, that cannot be read does not hold up the others: it is `left_out`.
    """
    chosen = list(pipelines)
    activity = Activity([pipeline.name for pipeline in chosen], since, pd.Timestamp.now("UTC"))
    for pipeline in chosen:
        for function in pipeline.functions:
            client, log = target.client("logs", function.region), log_group_name(function.name)
            if facts.of_function(function.name) is None:
                why = f"no handler says in its {facts.FILE} that it counts these"
                activity.left_out.append((f"the lag and work of {function.name}", why))
            for pattern, take in ((LINES, _take_line), (REPORTS, _take_report)):
                try:
                    lines = log_events.events(client, log, since, pattern)
                    _take_all(activity, pipeline.name, what(function), lines, take)
                except ClientError as error:
                    activity.left_out.append((f"the log {log}", in_short(str(error))))
    return activity


def _take_all(
    activity: Activity,
    pipeline: str,
    function: str,
    lines: Iterable[tuple[pd.Timestamp, str]],
    take: Callable[[Activity, str, str, pd.Timestamp, str], None],
) -> None:
    """Take what each line of a log tells; one that cannot be read is counted."""

    def take_one(line: tuple[pd.Timestamp, str]) -> None:
        take(activity, pipeline, function, *line)

    faults = [fault for fault in map(or_fault(take_one), lines) if isinstance(fault, Fault)]
    for reason, count, time in by_reason((str(fault.item[0]), fault.reason) for fault in faults):
        what = such_as(count, "lines of its log", time)
        activity.left_out.append((f"{pipeline} {function}: {what}", reason))


def _take_line(activity: Activity, pipeline: str, function: str, time: pd.Timestamp, text: str) -> None:
    """Take what a line of JSON tells; others tell nothing."""
    line = json_object(text)
    if "_aws" in line:
        _take_metrics(activity, pipeline, function, time, line)
    elif line.get("level") == "ERROR":
        key = line.get("key", "")
        activity.errors.append((pipeline, time, function, key, line.get("message", "")))
        if key:
            activity.still_failing.add((pipeline, function, key))
    elif "key" in line:
        activity.still_failing.discard((pipeline, function, line["key"]))


def _take_metrics(activity: Activity, pipeline: str, function: str, time: pd.Timestamp, line: dict) -> None:
    """Take the metrics of one invocation, in CloudWatch's embedded format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    names = [metric["Name"] for group in line["_aws"]["CloudWatchMetrics"] for metric in group["Metrics"]]
    values = {name: line[name] if isinstance(line[name], list) else [line[name]] for name in names}
    said = facts.every().get(function)
    lag = said.lag if said else ""
    activity.counts += [(pipeline, time, name, sum(each)) for name, each in values.items() if name != lag]
    work = values.get(said.work, []) if said else []
    for milliseconds, done in zip(values.get(lag, []), work, strict=False):
        if done:
            activity.lags.append((pipeline, time, milliseconds / 1000))


def _take_report(activity: Activity, pipeline: str, function: str, time: pd.Timestamp, text: str) -> None:
    """Take the line with which Lambda ends an invocation."""
    if found := _REPORT.search(text):
        activity.invocations.append((pipeline, time, int(found[1]), int(found[2])))
    if found and (status := _STATUS.search(text)):
        activity.errors.append((pipeline, time, function, "", status[0]))
