"""Lambda *watch*: looks at an environment's queues, topics and buckets, and counts what is not well.

Invoked by an EventBridge schedule; what the event says does not matter. Alarms on what it counts tell people.
Environment: NAMES_BEGIN_WITH, as all names of the environment do; WATCHED, what its metrics are known by;
REGIONS, with commas; COPIES, JSON: of each pipeline that copies objects its name, what the keys begin with,
and bucket and region of source and destination; OWNER, the account that these are of; MOST_COUNTED, objects
that are looked at in a bucket at most; GRACE_S, seconds that an object may be on its way; PERIOD_S, seconds
within which it looks at least twice.
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
from looking import GROWN_TIMES, Look, Waiting, grows, lacking, objects, queues, topics

logger, metrics = log_and_metrics("watch")
client = clients()
RECENT = timedelta(minutes=30)  # what CloudWatch tells late is still seen
MOST_POINTS = 1440  # of a call: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
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
    # Longer ago than it takes to look so often: a queue whose numbers are compared grows, or it does not.
    before = past(NAMESPACE, "MessagesWaiting", dimensions(queue.name), (GROWN_TIMES + 2) * period())
    if visible or any(before):  # an idle queue has no metric, which would cost something
        found.waiting.append(queue)
    if grows([*before, visible]):
        found.growing += 1
        logger.info("grows", key=queue.name, region=region, messages=visible, before=before)
    if visible:
        of_queue = [{"Name": "QueueName", "Value": queue.name}]
        ages = past("AWS/SQS", "ApproximateAgeOfOldestMessage", of_queue, recently(), region=region)
        found.oldest_s = max(found.oldest_s, *ages[-1:], 0)
        logger.info("waits", key=queue.name, region=region, messages=visible, oldest_s=ages[-1:])


def look_at_topics(found: Look, region: str) -> None:
    """Count the notifications of a region's topics that could not be delivered."""
    for name in topics(client("sns", region), os.environ["NAMES_BEGIN_WITH"]):
        of_topic = [{"Name": "TopicName", "Value": name}]
        of = ("AWS/SNS", "NumberOfNotificationsFailed", of_topic, recently())
        if failed := int(sum(past(*of, region=region, statistic="Sum"))):
            found.undelivered += failed
            logger.info("not delivered", key=name, region=region, notifications=failed)


def compare(found: Look, copy: dict) -> None:
    """Count the objects of a source that have no copy, as far as that is quickly seen."""
    due = datetime.now(UTC) - timedelta(seconds=int(os.environ["GRACE_S"]))
    most = int(os.environ["MOST_COUNTED"])
    ends = [copy["source"], copy["destination"]]
    try:
        source, copies = (listed(end, copy["prefix"]) for end in ends)
        short = lacking(source, copies, before=due, most=most)
    except ClientError as error:
        if not is_gone(error) or not all(bucket_is_gone(end) for end in ends):
            raise
        logger.info("not deployed any more", key=copy["pipeline"])
        return
    if short:
        found.short += short
        logger.info("short", key=copy["pipeline"], objects=short)


def listed(end: dict, prefix: str) -> Iterator[dict]:
    """Yield the objects of a bucket, as S3 lists them."""
    return objects(client("s3", end["region"], owner=os.environ["OWNER"]), end["bucket"], prefix)


def bucket_is_gone(end: dict) -> bool:
    """Return whether there is no such bucket."""
    try:
        next(listed(end, ""), None)
    except ClientError as error:
        if is_gone(error):
            return True
        raise
    return False


def is_gone(error: ClientError) -> bool:
    """Return whether a call failed since there is no such bucket."""
    return error.response["Error"]["Code"] == "NoSuchBucket"


def period() -> timedelta:
    """Return within which time it looks at least twice."""
    return timedelta(seconds=int(os.environ["PERIOD_S"]))


def recently() -> timedelta:
    """Return how far back a look looks for what has happened since the one before."""
    return max(period(), RECENT)


def past(
    namespace: str,
    metric: str,
    whose: list[dict],
    window: timedelta,
    region: str = "",
    statistic: str = "Maximum",
) -> list[float]:
    """Return a metric's values of the last time, a minute each or, if it is long, some; oldest first."""
    now = datetime.now(UTC)
    minutes = -(-window // timedelta(minutes=MOST_POINTS))
    points = client("cloudwatch", region).get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=whose,
        StartTime=now - window,
        EndTime=now,
        Period=60 * minutes,
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
