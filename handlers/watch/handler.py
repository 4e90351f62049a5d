"""Lambda *watch*: looks at an environment's queues, topics and buckets, and counts what is not well.

Invoked by an EventBridge schedule; what the event says does not matter. Alarms on what it counts tell people.
Environment: NAMES_BEGIN_WITH, as all names of the environment do; WATCHED, what its metrics are known by;
REGIONS, with commas; COPIES, JSON: of each pipeline that copies objects its name, what the keys begin with,
and bucket and region of source and destination; MOST_COUNTED, objects that are counted in a bucket at most;
GRACE_S, seconds that an object may be on its way.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from common.clients import clients
from common.observed import NAMESPACE, log_and_metrics
from looking import Counted, Look, Waiting, count, grows, queues, topics

logger, metrics = log_and_metrics("watch")
client = clients()
PAST = timedelta(hours=3)  # of which a queue's numbers are compared: it grows, or it does not
FAILED_WITHIN = timedelta(minutes=30)  # a notification that was not delivered is told of for so long
MOST_DATA = 1000  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict, context: LambdaContext) -> dict:
    """Look at everything once, and publish what was found.

    Args:
        event: Any.
        context: Lambda's context.

    Returns:
        The numbers that were published, by the names of their metrics.
    """
    began = time.perf_counter()
    found = Look()
    for region in os.environ["REGIONS"].split(","):
        attempt(found, region, partial(look_at_queues, found, region))
        attempt(found, region, partial(look_at_topics, found, region))
    for copy in json.loads(os.environ["COPIES"]):
        attempt(found, copy["pipeline"], partial(compare, found, copy))
    publish(found)
    seconds, totals = round(time.perf_counter() - began, 3), found.totals()
    logger.info("watched", key=os.environ["WATCHED"], seconds=seconds, **totals)
    metrics.add_metric("Watches", MetricUnit.Count, 1)
    return totals


def attempt(found: Look, what: str, do: Callable[[], None]) -> None:
    """Look at one thing; that it cannot be looked at is counted, and does not keep us from the others."""
    try:
        do()
    except (BotoCoreError, ClientError) as error:
        logger.exception("failed", key=what, reason=str(error))
        found.not_looked_at += 1


def look_at_queues(found: Look, region: str) -> None:
    """Count what waits in the queues of a region, and what was not done."""
    worked_off = set(mapped(region))
    for queue in queues(client("sqs", region), os.environ["NAMES_BEGIN_WITH"]):
        attempt(found, queue, partial(look_at_queue, found, region, queue, worked_off))


def mapped(region: str) -> Iterator[str]:
    """Yield the ARNs of the queues of a region that functions work off; what is in others was not done."""
    pages = client("lambda", region).get_paginator("list_event_source_mappings").paginate()
    yield from (one.get("EventSourceArn", "") for page in pages for one in page["EventSourceMappings"])


def look_at_queue(found: Look, region: str, url: str, worked_off: Iterable[str]) -> None:
    """Count what waits in a queue, or was not done."""
    names = ["QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = client("sqs", region).get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    visible, in_flight = (int(said[name]) for name in names[1:])
    queue = Waiting(said["QueueArn"].rpartition(":")[2], region, visible, in_flight)
    if said["QueueArn"] not in worked_off:
        found.not_done += visible + in_flight
        if visible + in_flight:
            logger.info("was not done", key=queue.name, region=region, messages=visible + in_flight)
        return
    before = past(NAMESPACE, "MessagesWaiting", dimensions(queue.name), PAST)
    if visible or any(before):  # an idle queue has no metric, which would cost something
        found.waiting.append(queue)
    if grows([*before, visible]):
        found.growing += 1
        logger.info("grows", key=queue.name, region=region, messages=visible, before=before)
    if visible:
        of_queue = [{"Name": "QueueName", "Value": queue.name}]
        ages = past("AWS/SQS", "ApproximateAgeOfOldestMessage", of_queue, FAILED_WITHIN, region=region)
        found.oldest_s = max(found.oldest_s, *ages[-1:], 0)
        logger.info("waits", key=queue.name, region=region, messages=visible, oldest_s=ages[-1:])


def look_at_topics(found: Look, region: str) -> None:
    """Count the notifications of a region's topics that could not be delivered."""
    for name in topics(client("sns", region), os.environ["NAMES_BEGIN_WITH"]):
        of_topic = [{"Name": "TopicName", "Value": name}]
        of = ("AWS/SNS", "NumberOfNotificationsFailed", of_topic, FAILED_WITHIN)
        if failed := int(sum(past(*of, region=region, statistic="Sum"))):
            found.undelivered += failed
            logger.info("not delivered", key=name, region=region, notifications=failed)


def compare(found: Look, copy: dict) -> None:
    """Compare how many objects a source has with how many copies there are, if they are quickly counted."""
    due = datetime.now(UTC) - timedelta(seconds=int(os.environ["GRACE_S"]))
    most = int(os.environ["MOST_COUNTED"])

    def counted(end: dict, before: datetime | None) -> Counted:
        where = {"Bucket": end["bucket"], "Prefix": copy["prefix"]}
        return count(client("s3", end["region"]), where, most=most, before=before)

    source = counted(copy["source"], due)
    copies = counted(copy["destination"], None)
    if source.is_whole and copies.is_whole and (short := source.objects - copies.objects) > 0:
        found.short += short
        logger.info("short", key=copy["pipeline"], objects=source.objects, copies=copies.objects)


def past(
    namespace: str,
    metric: str,
    whose: list[dict],
    window: timedelta,
    region: str = "",
    statistic: str = "Maximum",
) -> list[float]:
    """Return a metric's values of the last time, a minute each, the oldest first."""
    now = datetime.now(UTC)
    points = client("cloudwatch", region).get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=whose,
        StartTime=now - window,
        EndTime=now,
        Period=60,
        Statistics=[statistic],
    )["Datapoints"]
    return [point[statistic] for point in sorted(points, key=lambda point: point["Timestamp"])]


def dimensions(queue: str = "") -> list[dict]:
    """Return whose a metric is: the environment's, or one of its queues'."""
    whole = [{"Name": "Environment", "Value": os.environ["WATCHED"]}]
    return [*whole, {"Name": "Queue", "Value": queue}] if queue else whole


def publish(found: Look) -> None:
    """Publish what was found; not as lines of the log, since it is also read again."""
    data = [(name, value, dimensions()) for name, value in found.totals().items()]
    data += [("MessagesWaiting", queue.visible, dimensions(queue.name)) for queue in found.waiting]
    for first in range(0, len(data), MOST_DATA):
        client("cloudwatch").put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {"MetricName": name, "Value": float(value), "Dimensions": whose}
                for name, value, whose in data[first : first + MOST_DATA]
            ],
        )
