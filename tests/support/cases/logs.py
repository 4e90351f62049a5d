"""Log groups."""

from lib.engine.stack import Stack
from lib.resources import logs
from support import theirs
from support.breaking import leaving_out, setting
from support.case import ELSEWHERE, Break, Case, Change, Key, Others


def log_group(stack: Stack) -> logs.LogGroup:
    return stack.add(logs.LogGroup("copy", ELSEWHERE, retention_days=7))


def _put_others(client, ours: logs.LogGroup) -> None:
    client.tag_resource(resourceArn=ours.arn, tags=theirs.TAGS)
    metric = {"metricName": "n", "metricNamespace": "theirs", "metricValue": "1"}
    client.put_metric_filter(
        logGroupName=ours.name, filterName="theirs", filterPattern="", metricTransformations=[metric]
    )


def _get_others(client, ours: logs.LogGroup) -> dict:
    filters = client.describe_metric_filters(logGroupName=ours.name)["metricFilters"]
    return {
        "filters": [one["filterName"] for one in filters],
        "tags": theirs.tags_of_others(client.list_tags_for_resource(resourceArn=ours.arn)["tags"]),
    }


def _key(client, ours: logs.LogGroup) -> str | None:
    (group,) = client.describe_log_groups(logGroupNamePrefix=ours.name)["logGroups"]
    return group.get("kmsKeyId")


CASES = [
    Case(
        logs.LogGroup,
        log_group,
        changes=[Change({"retention_days": 14}, {"retentionInDays"})],
        drift={
            "retentionInDays": lambda client, ours: client.delete_retention_policy(logGroupName=ours.name),
            "kmsKeyId": lambda client, ours: client.associate_kms_key(
                logGroupName=ours.name, kmsKeyId="theirs"
            ),
            "tags": lambda client, ours: client.untag_resource(resourceArn=ours.arn, tagKeys=theirs.OUR_TAGS),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="retentionInDays",
        key=Key({"kmsKeyId"}, _key, lambda settings: settings["kmsKeyId"]),
        breaks=[
            Break("log-retention", "index", setting(logs.LogGroup, "index", retention_days=31)),
            Break("log-group-missing", "index", leaving_out(logs.LogGroup, "index")),
        ],
        not_on_moto=frozenset({"update"}),
    )
]
