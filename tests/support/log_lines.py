"""Lines of functions' logs, and what is told by them."""

import json

import pandas as pd

from lib.operate.observe import activity
from lib.operate.observe.activity import Activity

NOW = pd.Timestamp("2026-01-02T15:04:05Z")

SINCE = NOW - pd.Timedelta(minutes=4)


def metrics(time: pd.Timestamp = NOW, **values) -> str:
    """A line of metrics, as Powertools writes it; the values are lists, or one."""
    groups = [{"Namespace": "runbook", "Metrics": [{"Name": name} for name in values]}]
    return json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": groups}, "service": "x", **values})


def report(ms: int, memory_mb: int, status: str = "") -> str:
    ending = f"\tStatus: {status}" if status else ""
    times = f"Duration: {ms - 0.5} ms\tBilled Duration: {ms} ms\tMemory Size: {memory_mb} MB"
    return f"REPORT RequestId: 1-2\t{times}\tMax Memory Used: 90 MB{ending}"


def failed(key: str) -> str:
    return json.dumps({"level": "ERROR", "message": "failed", "key": key})


def done(key: str) -> str:
    return json.dumps({"level": "INFO", "message": "copied", "key": key})


def taken(*lines: str, name: str = "migrate", function: str = "replicate") -> Activity:
    found = Activity([name], SINCE, NOW)
    for text in lines:
        activity._take_line(found, name, function, NOW, text)
        activity._take_report(found, name, function, NOW, text)
    return found
