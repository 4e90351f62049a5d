"""Alarms and dashboards."""

from lib.engine.stack import Stack
from lib.resources import cloudwatch, sns
from lib.resources.base import tag_dict
from support import cases, theirs
from support.breaking import adding, setting
from support.case import ELSEWHERE, WHOLE, Break, Case, Change, Others


def alarm(stack: Stack) -> cloudwatch.Alarm:
    publishers = {"cloudwatch.amazonaws.com": cloudwatch.alarm_arns(stack.scope, ELSEWHERE)}
    alerts = stack.add(sns.Topic("alerts", ELSEWHERE, publishers=publishers))
    queue = cases.sqs.queue(stack)
    return stack.add(
        cloudwatch.messages_alarm("dead", queue, topic=alerts, description="Look at the dead letters")
    )


def _put(**changed):
    return lambda client, ours: client.put_metric_alarm(
        AlarmName=ours.name, **{**ours._metric_alarm(), **changed}
    )


def _put_others(client, ours: cloudwatch.Alarm) -> None:
    client.tag_resource(ResourceARN=ours.arn, Tags=theirs.TAG_LIST)
    told = [ours.topic.arn]
    _put(ActionsEnabled=False, OKActions=told, InsufficientDataActions=told)(client, ours)


def _get_others(client, ours: cloudwatch.Alarm) -> dict:
    found = client.describe_alarms(AlarmNames=[ours.name])["MetricAlarms"][0]
    tags = tag_dict(client.list_tags_for_resource(ResourceARN=ours.arn)["Tags"])
    return {
        "tags": theirs.tags_of_others(tags),
        "actions": found["OKActions"] + found["InsufficientDataActions"],
        "enabled": found["ActionsEnabled"],
    }


TEXT = {"type": "text", "width": 24, "height": 2, "properties": {"markdown": "How it goes"}}


def dashboard(stack: Stack) -> cloudwatch.Dashboard:
    return stack.add(cloudwatch.Dashboard("pipelines", "us-east-1", body={"widgets": [TEXT]}))


def _many_widgets(stack: Stack) -> cloudwatch.Dashboard:
    return cloudwatch.Dashboard("all", "us-east-1", body={"widgets": [TEXT] * 501})


def _without_properties(stack: Stack) -> cloudwatch.Dashboard:
    return cloudwatch.Dashboard("all", "us-east-1", body={"widgets": [TEXT, {"type": "metric"}]})


def _spaced(stack: Stack) -> cloudwatch.Dashboard:
    return cloudwatch.Dashboard("all of it", "us-east-1", body={"widgets": [TEXT]})


CASES = [
    Case(
        cloudwatch.Alarm,
        alarm,
        changes=[
            Change({"threshold": 3}, {"Threshold"}),
            Change({"description": "", "statistic": "Sum"}, {"AlarmDescription", "Statistic"}),
            Change({"must_happen": True}, {"ComparisonOperator", "TreatMissingData"}),
        ],
        drift={
            "Namespace": _put(Namespace="Theirs"),
            "MetricName": _put(MetricName="NumberOfMessagesDeleted"),
            "Dimensions": _put(Dimensions=[]),
            "Statistic": _put(Statistic="Minimum"),
            "Period": _put(Period=600),
            "EvaluationPeriods": _put(EvaluationPeriods=3),
            "Threshold": _put(Threshold=9.0),
            "ComparisonOperator": _put(ComparisonOperator="LessThanThreshold"),
            "AlarmDescription": _put(AlarmDescription="Theirs"),
            "AlarmActions": _put(AlarmActions=[]),
            "TreatMissingData": _put(TreatMissingData="breaching"),
            "tags": lambda client, ours: client.untag_resource(ResourceARN=ours.arn, TagKeys=theirs.OUR_TAGS),
        },
        others=Others(_put_others, _get_others),
        in_notebooks=WHOLE,
        breaks=[
            Break("alarm-period", "index", setting(cloudwatch.Alarm, "failures", period_s=45)),
            Break("alarm-period", "index", setting(cloudwatch.Alarm, "failures", period_s=691200)),
            Break("alarm-topic", "index", setting(sns.Topic, "alerts", publishers={})),
        ],
    ),
    Case(
        cloudwatch.Dashboard,
        dashboard,
        changes=[Change({"body": {"widgets": [], "start": "-PT3H"}}, {"body"})],
        drift={
            "body": lambda client, ours: client.put_dashboard(
                DashboardName=ours.name, DashboardBody='{"widgets": []}'
            )
        },
        breaks=[
            Break("dashboard-quota", "index", adding(_many_widgets)),
            Break("dashboard-body", "index", adding(_without_properties)),
            Break("dashboard-name", "index", adding(_spaced)),
        ],
    ),
]
