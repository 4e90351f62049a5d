"""How the pipelines stand now: which are deployed, what waits in their queues, what they have cost."""

from collections.abc import Iterable
from datetime import timedelta

import pandas as pd

from lib.base import told
from lib.engine.waiting import Waiting
from lib.operate import facts
from lib.operate.observe import cost, usage
from lib.operate.observe.activity import Activity
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.sqs import Queue
from lib.target import Target

WORK = "work"
AGE_WINDOW = timedelta(minutes=10)  # SQS tells the age once in one to five minutes


def queues(target: Target, looked_at: Iterable[Pipeline]) -> pd.DataFrame:
    """Look at all queues.

    Args:
        target: The AWS to look at.
        looked_at: The pipelines; they are deployed.

    Returns:
        One row a queue: pipeline, queue, kind (`work`, or that of `DeadLetters`), messages that wait, those
        in flight, and the age of the oldest in seconds: missing where messages wait and CloudWatch does not
        say, as on the local AWS.
    """
    rows = []
    for pipeline in looked_at:
        kinds = {each.queue.name: each.kind for each in pipeline.dead_letters}
        for queue in pipeline.queues:
            waiting, in_flight = Waiting.of(target, queue).depths()
            oldest = _oldest_s(target, queue) if waiting else 0.0
            rows.append((pipeline.name, queue.what, kinds.get(queue.name, WORK), waiting, in_flight, oldest))
    columns = ["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"]
    return pd.DataFrame(rows, columns=columns)


def cost_so_far(parameters: Parameters, activity: Activity) -> pd.DataFrame:
    """Estimate what the work that was read from the logs costs on AWS.

    Objects, bytes, invocations and their time are counted; calls to S3 and other services are those that an
    object takes. Not in it: what costs something even if nothing happens, and queries.

    Args:
        parameters: Those of the pipelines say what an object takes.
        activity: What was done.

    Returns:
        As `cost.per_million`.
    """
    bill = cost.bill({name: _used(parameters, activity, name) for name in activity.pipelines})
    told.note(
        "cost so far",
        since=activity.since.isoformat(),
        **{f"{name}_usd": f"{usd:.6f}" for name, usd in bill.loc[cost.TOTAL].items()},
    )
    return bill


def _used(parameters: Parameters, activity: Activity, pipeline: str) -> usage.Usage:
    said = facts.counting(pipeline)
    objects = activity.total(pipeline, said.work) if said else 0
    mean_bytes = activity.total(pipeline, said.bytes) / objects if said and objects else 0
    one = usage.per_object(parameters, pipeline, mean_bytes) if objects else {}
    invocations = [each for each in activity.invocations if each[0] == pipeline]
    return {
        **{name: objects * amount for name, amount in one.items()},
        "lambda_request": len(invocations),
        "lambda_gb_second": sum(ms / 1000 * memory_mb / 1024 for *_, ms, memory_mb in invocations),
    }


def _oldest_s(target: Target, queue: Queue) -> float:
    """Return what CloudWatch last said of the oldest message, in seconds; NaN if it said nothing."""
    now = pd.Timestamp.now("UTC")
    points = target.client("cloudwatch", queue.region).get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": queue.name}],
        StartTime=(now - AGE_WINDOW).to_pydatetime(),
        EndTime=now.to_pydatetime(),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else float("nan")
