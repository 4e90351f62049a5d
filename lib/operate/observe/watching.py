"""What watches an environment, on nobody's laptop: a function on a schedule, alarms, and whom they tell."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lib.engine.alerting import alerts_topic
from lib.engine.stack import Stack
from lib.operate import facts
from lib.operate.audits.comparisons import is_copying
from lib.operate.observe.alerts import AUDITS, DIFFERENCES, DIMENSION, NAMESPACE, environment_of
from lib.operate.pipelines import Pipeline
from lib.resources.base import GLOBAL_REGION, Resource
from lib.resources.bundle import bundle
from lib.resources.cloudwatch import Alarm, errors_alarm
from lib.resources.eventbridge import Rule
from lib.resources.iam import Role
from lib.resources.lambda_ import Function, Permission
from lib.resources.logs import LogGroup
from lib.resources.policies import from_template
from lib.resources.s3 import Bucket
from lib.resources.sns import Topic

PRINCIPAL = "events.amazonaws.com"  # invokes it
TIMEOUT_S, MEMORY_MB = 300, 256
HOUR_S = 3600
# The alarms on metrics of *watch* of which any value is one too many: the metric, and what to do.
NEVER = {
    "not-done": ("MessagesNotDone", "Work was not done and waits: runbook redrive says what, and why"),
    "growing": (
        "BacklogsGrowing",
        "A queue has grown from look to look, its function does not keep up: the log of watch says which",
    ),
    "not-delivered": (
        "NotificationsNotDelivered",
        "A topic could not deliver: is its queue gone, or does it refuse? The log of watch says which",
    ),
    "short": ("ObjectsShort", "A source has objects that have no copy: runbook audit says which"),
    "not-looked-at": ("NotLookedAt", "watch could not look at something: its log says at what, and why"),
}


def describe(stack: Stack, pipelines: Sequence[Pipeline]) -> list[Resource]:
    """Describe what watches an environment, if the parameters want it; else that it shall not exist.

    Args:
        stack: That of *observe*.
        pipelines: Those that are deployed: which copies are counted.

    Returns:
        What was described and is wanted.
    """
    settings = stack.parameters.observe
    topic = alerts_topic(stack, settings.region, email=settings.alert_email, wanted=settings.watch)
    described = [topic, *(stack.add(one, settings.watch) for one in _function(stack, pipelines))]
    (function,) = [one for one in described if isinstance(one, Function)]
    for alarm, wanted in _alarms(stack, function, topic):
        stack.add(alarm, wanted=wanted and settings.watch)
        described += [alarm] if wanted else []
    return described if settings.watch else []


def _function(stack: Stack, pipelines: Iterable[Pipeline]) -> Iterator[Resource]:
    """Yield the function, and what it needs."""
    settings, region = stack.parameters.observe, stack.parameters.observe.region
    names_begin_with = stack.parameters.scope().beginning
    handler = facts.invoked_by(PRINCIPAL).name
    log = LogGroup(handler, region, retention_days=settings.log_retention_days)
    yield log
    may = from_template(
        f"handlers/{handler}/policy.json",
        our_queue_arn=f"arn:aws:sqs:*:{stack.parameters.account_id}:{names_begin_with}*",
        our_bucket_arn=f"arn:aws:s3:::{names_begin_with}*",
        log_group=log,
    )
    role = Role(handler, GLOBAL_REGION, trusts="lambda.amazonaws.com", policy=may)
    yield role
    variables = {
        "NAMES_BEGIN_WITH": names_begin_with,
        "WATCHED": environment_of(stack.parameters),
        "REGIONS": ",".join(stack.parameters.regions),
        "COPIES": json.dumps([*_copies(pipelines)], separators=(",", ":")),
        "OWNER": stack.parameters.account_id,
        "MOST_COUNTED": str(settings.most_counted),
        "GRACE_S": str(settings.copy_grace_s),
        "PERIOD_S": str(settings.watch_period_s),
    }
    code = bundle(handler, stack.target.runtime) if settings.watch else b""  # which takes its time
    size = {"timeout_s": TIMEOUT_S, "memory_mb": MEMORY_MB}
    function = Function(handler, region, role=role, code=code, environment=variables, **size)
    yield function
    rule = Rule(handler, region, schedule=settings.watch_schedule, function=function)
    yield rule
    yield Permission(handler, region, function=function, principal=PRINCIPAL, source_arn=rule.arn)


def _copies(pipelines: Iterable[Pipeline]) -> Iterator[dict]:
    """Yield what is counted: the two buckets of each pipeline that copies objects, if both are ours."""
    for one in pipelines:
        ends = [one.source, one.destination]
        ours = all(isinstance(end, Bucket) and end.is_made and not end.is_elsewhere for end in ends)
        if ours and is_copying(one) and len(one.filters) == 1 and not one.filters[0].suffix:
            source, copies = ({"bucket": end.name, "region": end.region} for end in ends if end)
            yield {
                "pipeline": one.name,
                "prefix": one.key_prefix,
                "source": source,
                "destination": copies,
            }


def _alarms(stack: Stack, function: Function, topic: Topic) -> Iterator[tuple[Alarm, bool]]:
    """Yield the alarms, and whether each is wanted."""
    settings, region = stack.parameters.observe, stack.parameters.observe.region
    period_s, wait_s = settings.watch_period_s, settings.oldest_message_alarm_s
    own: dict[str, Any] = {
        "namespace": NAMESPACE,
        "dimensions": {DIMENSION: environment_of(stack.parameters)},
        "topic": topic,
    }
    for what, (metric, to_do) in NEVER.items():
        said: dict[str, Any] = {"metric": metric, "threshold": 0, "period_s": period_s, "description": to_do}
        yield Alarm(what, region, **said, **own), True
    too_long = "A message has waited too long for its turn: the log of watch says in which queue"
    said = {"metric": "OldestMessageSeconds", "threshold": wait_s, "period_s": period_s}
    yield Alarm("oldest-message", region, description=too_long, **said, **own), True
    differs = "An audit of all pipelines has found differences: runbook audit says which are left"
    # Short, so that each audit is judged by itself: what the next one finds is told of, too.
    said = {"metric": DIFFERENCES, "threshold": 0, "period_s": HOUR_S}
    yield Alarm("audit-differences", region, description=differs, **said, **own), True
    overdue = "Nobody has audited all pipelines for too long: runbook audit --alert"
    hours = settings.audit_overdue_h or 1  # one that is not wanted has a period, too
    said = {
        "metric": AUDITS,
        "threshold": 1,
        "statistic": "Sum",
        "period_s": hours * HOUR_S,
        "must_happen": True,
    }
    yield Alarm("audit-overdue", region, description=overdue, **said, **own), settings.audit_overdue_h > 0
    yield (
        errors_alarm("watch-errors", function, topic=topic, description="watch fails: its log says why"),
        True,
    )
    stands = "watch does not run any more: is its rule on? runbook plan observe says what differs"
    said = {
        "metric": "Invocations",
        "threshold": 1,
        "statistic": "Sum",
        "period_s": period_s,
        "must_happen": True,
    }
    own = {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": function.name}, "topic": topic}
    yield Alarm("watch-overdue", region, description=stands, **said, **own), True
