"""CloudWatch: alarms and dashboards."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from lib.resources.base import Deletion, Found, Link, Resource, Scope, Settings, our_tags, tag_dict, tag_list
from lib.resources.checks import Finding, written_as
from lib.resources.lambda_ import Function
from lib.resources.sns import Topic
from lib.resources.sqs import Queue

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html (EvaluationPeriods)
MOST_PERIOD_S = 7 * 24 * 60 * 60


@dataclass(repr=False, kw_only=True)
class Alarm(Resource):
    """Something is wrong when a metric exceeds a threshold, or falls below it; a topic is told.

    Attributes:
        namespace: The metric's namespace, such as `AWS/SQS`.
        metric: Its name.
        dimensions: Whose metric it is, such as `{"QueueName": …}`.
        threshold: The greatest value that is still well, or the least if it `must_happen`.
        topic: Who is told.
        statistic: How the values of a period become one.
        period_s: The length of a period.
        description: What to do, for the person who is woken by it.
        must_happen: Whether it is wrong if there is no value, too.
    """

    namespace: str
    metric: str
    dimensions: dict[str, str]
    threshold: float
    topic: Topic
    statistic: str = "Maximum"
    period_s: int = 60
    description: str = ""
    must_happen: bool = False

    service: ClassVar[str] = "cloudwatch"
    noun: ClassVar[str] = "CloudWatch alarm"
    deletion: ClassVar[Deletion] = Deletion.OBSERVER
    acts: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("topic",)
    call_names: ClassVar[tuple[str, ...]] = ("AlarmName", "AlarmNames", "AlarmNamePrefix")

    @property
    def arn(self) -> str:
        return f"arn:aws:cloudwatch:{self.region}:{self.scope.account_id}:alarm:{self.name}"

    def _metric_alarm(self) -> dict:
        return {
            "AlarmDescription": self.description,
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions.items()],
            "Statistic": self.statistic,
            "Period": self.period_s,
            "EvaluationPeriods": 1,
            "Threshold": float(self.threshold),
            "ComparisonOperator": "LessThanThreshold" if self.must_happen else "GreaterThanThreshold",
            # SQS and Lambda publish nothing while nothing happens: that is well.
            "TreatMissingData": "breaching" if self.must_happen else "notBreaching",
            "AlarmActions": [self.topic.arn],
        }

    def desired(self) -> Settings:
        return {**self._metric_alarm(), "tags": self.scope.tags}

    def checks(self) -> Iterable[Finding]:
        if self.period_s not in (10, 20, 30) and self.period_s % 60:
            what, fix = f"period_s is {self.period_s}", "set it to 10, 20, 30 or a multiple of 60"
            yield Finding("alarm-period", what, fix)
        elif self.period_s > MOST_PERIOD_S:
            what, fix = f"period_s is {self.period_s}, more than a week", f"keep to {MOST_PERIOD_S}"
            yield Finding("alarm-period", what, fix)

    def read(self, client) -> Settings | None:
        alarms = client.describe_alarms(AlarmNames=[self.name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        if not alarms:
            return None
        tags = tag_dict(client.list_tags_for_resource(ResourceARN=self.arn)["Tags"])
        # An alarm with an empty description is told without one.
        found = {"AlarmDescription": "", **alarms[0]}
        return {**{key: found.get(key) for key in self._metric_alarm()}, "tags": our_tags(tags)}

    def create(self, client) -> None:
        client.put_metric_alarm(AlarmName=self.name, **self._metric_alarm(), Tags=tag_list(self.scope.tags))

    def update(self, client, settings: Settings) -> None:
        # Tags given with an alarm that exists are ignored:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        if "tags" in settings:
            client.tag_resource(ResourceARN=self.arn, Tags=tag_list(settings["tags"]))
        if settings.keys() - {"tags"}:
            client.put_metric_alarm(AlarmName=self.name, **self._others(client), **self._metric_alarm())

    def _others(self, client) -> dict:
        """Return what others may have set; an alarm that is put replaces all that there was."""
        found = client.describe_alarms(AlarmNames=[self.name], AlarmTypes=["MetricAlarm"])["MetricAlarms"][0]
        names = ("ActionsEnabled", "OKActions", "InsufficientDataActions")
        return {name: found[name] for name in names if name in found}

    def links(self, settings: Settings) -> Iterable[Link]:
        for topic_arn in settings["AlarmActions"]:
            yield Link(self.arn, topic_arn, "alarm")

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=scope.beginning):
            for alarm in page["MetricAlarms"]:
                name, arn = alarm["AlarmName"], alarm["AlarmArn"]
                with suppress(client.exceptions.ResourceNotFoundException):
                    tags = client.list_tags_for_resource(ResourceARN=arn)["Tags"]
                    yield Found(name, name, arn, tag_dict(tags))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        with suppress(client.exceptions.ResourceNotFound):
            client.delete_alarms(AlarmNames=[identifier])


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
MOST_WIDGETS = 500
WIDGETS = ("metric", "text", "log", "alarm", "explorer", "custom", "chart")
PLACES = {"x": (0, 23), "y": (0, 10**6), "width": (1, 24), "height": (1, 1000)}
NEEDED = {
    "metric": ("metrics", "annotations"),
    "text": ("markdown",),
    "log": ("query",),
    "alarm": ("alarms",),
}


@dataclass(repr=False, kw_only=True)
class Dashboard(Resource):
    """A page of graphs, the same in every region; whoever changes it by hand will lose that at the next run.

    Dashboards can have tags, but the local AWS (MiniStack) refuses them, so ours are known by name.

    Attributes:
        body: Its widgets, see
            https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
    """

    body: dict[str, Any]

    service: ClassVar[str] = "cloudwatch"
    noun: ClassVar[str] = "CloudWatch dashboard"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.OBSERVER
    is_global: ClassVar[bool] = True
    call_names: ClassVar[tuple[str, ...]] = ("DashboardName", "DashboardNames", "DashboardNamePrefix")

    @property
    def arn(self) -> str:
        return _dashboard_arn(self.scope, self.name)

    def desired(self) -> Settings:
        return {"body": self.body}

    def checks(self) -> Iterable[Finding]:
        pattern, grammar = "[A-Za-z0-9_-]{1,255}", "at most 255 letters, digits, _ and -"
        yield from written_as("dashboard-name", "its name", self.name, pattern, grammar)
        widgets = self.body.get("widgets", []) if isinstance(self.body, dict) else None
        if not isinstance(widgets, list):
            yield Finding("dashboard-body", "body has no list of widgets", "write {'widgets': […]}")
            return
        if len(widgets) > MOST_WIDGETS:
            fix = f"keep to {MOST_WIDGETS}: a second dashboard"
            yield Finding("dashboard-quota", f"it has {len(widgets)} widgets", fix)
        for number, widget in enumerate(widgets):
            for what in _wrong_in(widget):
                fix = "write it as in the dashboard's source in the console of CloudWatch"
                yield Finding("dashboard-body", f"widget {number}: {what}", fix)
        try:
            json.dumps(self.body, allow_nan=False)
        except (TypeError, ValueError) as error:
            yield Finding("dashboard-body", f"body is no JSON: {error}", "write texts, numbers and lists")

    def read(self, client) -> Settings | None:
        try:
            return {"body": json.loads(client.get_dashboard(DashboardName=self.name)["DashboardBody"])}
        except ClientError as error:
            _require_missing(error)
            return None

    def create(self, client) -> None:
        client.put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(self.body))

    def update(self, client, settings: Settings) -> None:
        self.create(client)

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_dashboards").paginate(DashboardNamePrefix=scope.beginning):
            for name in (entry["DashboardName"] for entry in page["DashboardEntries"]):
                yield Found(name, name, _dashboard_arn(scope, name), tags=None)

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        try:
            client.delete_dashboards(DashboardNames=[identifier])
        except ClientError as error:
            _require_missing(error)


def _wrong_in(widget: Any) -> Iterator[str]:
    """Yield what keeps a widget from being one: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html."""
    if not isinstance(widget, dict):
        yield f"{widget!r} is no object of JSON"
        return
    if (kind := widget.get("type")) not in WIDGETS:
        yield f"its type is {kind!r}, which is none of {', '.join(WIDGETS)}"
    for name, (low, high) in PLACES.items():
        place = widget.get(name, low)
        if isinstance(place, bool) or not isinstance(place, int) or not low <= place <= high:
            yield f"{name} is {place!r}, allowed are {low} to {high}"
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield "it has no properties"
    elif kind in NEEDED and not any(name in properties for name in NEEDED[kind]):
        yield f"its properties have no {' or '.join(NEEDED[kind])}"
    elif kind == "metric" and "metrics" in properties and "region" not in properties:
        yield "its properties have no region"


def _dashboard_arn(scope: Scope, name: str) -> str:
    return f"arn:aws:cloudwatch::{scope.account_id}:dashboard/{name}"


def _require_missing(error: ClientError) -> None:
    """Raise any other error than that a dashboard is not there.

    By its code, since botocore has two exceptions of that code, and raises either:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html
    """
    if error.response["Error"]["Code"] != "ResourceNotFound":
        raise error


def alarm_arns(scope: Scope, region: str) -> str:
    """Return a pattern of the ARNs of all alarms of a pipeline in a region."""
    return f"arn:aws:cloudwatch:{region}:{scope.account_id}:alarm:{scope.beginning}*"


def messages_alarm(what: str, queue: Queue, *, topic: Topic, description: str) -> Alarm:
    """Return an alarm for any message in a queue that ought to be empty.

    Args:
        what: The last part of the alarm's name.
        queue: The queue, such as one for dead letters.
        topic: Who is told.
        description: What to do.
    """
    return _queue_alarm(what, queue, "ApproximateNumberOfMessagesVisible", 0, topic, description)


def age_alarm(what: str, queue: Queue, *, oldest_s: float, topic: Topic, description: str) -> Alarm:
    """Return an alarm for messages that wait too long.

    Args:
        what: The last part of the alarm's name.
        queue: The queue.
        oldest_s: How old its oldest message may be, in seconds.
        topic: Who is told.
        description: What to do.
    """
    return _queue_alarm(what, queue, "ApproximateAgeOfOldestMessage", oldest_s, topic, description)


def _queue_alarm(
    what: str, queue: Queue, metric: str, threshold: float, topic: Topic, description: str
) -> Alarm:
    return Alarm(
        what,
        queue.region,
        namespace="AWS/SQS",
        metric=metric,
        dimensions={"QueueName": queue.name},
        threshold=threshold,
        topic=topic,
        description=description,
    )


def errors_alarm(what: str, function: Function, *, topic: Topic, description: str) -> Alarm:
    """Return an alarm for any failed invocation of a function.

    Args:
        what: The last part of the alarm's name.
        function: The function.
        topic: Who is told.
        description: What to do.
    """
    whose = {"FunctionName": function.name}
    return Alarm(
        what,
        function.region,
        namespace="AWS/Lambda",
        metric="Errors",
        dimensions=whose,
        threshold=0,
        topic=topic,
        statistic="Sum",
        description=description,
    )
