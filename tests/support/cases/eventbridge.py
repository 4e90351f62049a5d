"""Rules that run a function by the clock."""

from lib.engine.stack import Stack
from lib.resources import eventbridge, lambda_
from lib.resources.base import tag_dict
from support import cases, theirs
from support.breaking import leaving_out, setting
from support.case import ELSEWHERE, Break, Case, Change, Others


def rule(stack: Stack) -> eventbridge.Rule:
    function = cases.lambda_.function(stack)
    how = {"schedule": "rate(1 minute)", "state": "DISABLED", "description": "Now and then"}
    often = stack.add(eventbridge.Rule("often", ELSEWHERE, function=function, **how))
    invoked = {"function": function, "principal": "events.amazonaws.com", "source_arn": often.arn}
    stack.add(lambda_.Permission("from-rule", ELSEWHERE, **invoked))
    return often


def _put(**changed):
    def change(client, ours: eventbridge.Rule) -> None:
        kept = {name: ours.desired()[name] for name in ("ScheduleExpression", "State", "Description")}
        client.put_rule(Name=ours.name, **{**kept, **changed})

    return change


def _put_target(client, ours: eventbridge.Rule) -> None:
    target = {"Id": "runbook", "Arn": cases.lambda_.FUNCTION_OF_OTHERS}
    client.put_targets(Rule=ours.name, Targets=[target])


def _put_others(client, ours: eventbridge.Rule) -> None:
    """Another target, retries of ours, a pattern beside the schedule, a tag."""
    client.tag_resource(ResourceARN=ours.arn, Tags=theirs.TAG_LIST)
    _put(EventPattern='{"source": ["theirs"]}')(client, ours)
    arn = ours.function.arn
    retries = {"Id": "runbook", "Arn": arn, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    client.put_targets(Rule=ours.name, Targets=[{"Id": "theirs", "Arn": arn}, retries])


def _get_others(client, ours: eventbridge.Rule) -> dict:
    tags = tag_dict(client.list_tags_for_resource(ResourceARN=ours.arn)["Tags"])
    return {
        "tags": theirs.tags_of_others(tags),
        "pattern": client.describe_rule(Name=ours.name).get("EventPattern"),
        "targets": sorted(
            (target["Id"], str(target.get("RetryPolicy")))
            for target in client.list_targets_by_rule(Rule=ours.name)["Targets"]
        ),
    }


CASES = [
    Case(
        eventbridge.Rule,
        rule,
        changes=[
            Change({"schedule": "rate(5 minutes)", "description": ""}, {"ScheduleExpression", "Description"}),
            Change({"state": "ENABLED"}, {"State"}),
        ],
        drift={
            "ScheduleExpression": _put(ScheduleExpression="rate(2 days)"),
            "State": lambda client, ours: client.enable_rule(Name=ours.name),
            "Description": _put(Description="Theirs"),
            "Target": _put_target,
            "tags": lambda client, ours: client.untag_resource(ResourceARN=ours.arn, TagKeys=theirs.OUR_TAGS),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="Description",
        breaks=[
            Break("request-model", "ingest", setting(eventbridge.Rule, "generate", description="x" * 513)),
            Break(
                "rule-schedule", "ingest", setting(eventbridge.Rule, "generate", schedule="rate(1 minutes)")
            ),
            Break("rule-target", "ingest", leaving_out(lambda_.Permission, "schedule")),
        ],
    )
]
