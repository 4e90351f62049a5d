"""Wirings as people write them: what AWS takes is planned, what it refuses is told, none is a traceback."""

from collections.abc import Callable
from copy import copy

import pytest
from support.zips import a_zip

from lib.engine.preflight.violations import described, rules
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import athena, cloudwatch, eventbridge, glue, iam, lambda_, logs, s3, sns, sqs

HERE, ACCOUNT = "us-east-1", "000000000000"
Wiring = Callable[[Stack], object]
TLS = {"Bool": {"aws:SecureTransport": "false"}}
OF_OUR_ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}


@pytest.fixture
def stack() -> Stack:
    """An empty stack that is described only; nobody is asked."""
    return Stack(None, Parameters.check({"env": "test"}), "wired")


def found(stack: Stack) -> tuple[set[str], set[str]]:
    """The rules that refuse a stack, and those that warn."""
    names = {finding.rule for _, finding in described(stack.resources.values())}
    advice = {name for name in names if rules()[name].get("advice")}
    return names - advice, advice


def allow(sid: str, action: str | list[str], resource: str, **more: object) -> dict:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


def role(stack: Stack, *statements: dict, **more: object) -> iam.Role:
    log = f"arn:aws:logs:{HERE}:{ACCOUNT}:log-group:/aws/lambda/{stack.scope.name('work')}:*"
    policy = {"Version": "2012-10-17", "Statement": [allow("Log", list(WRITE), log), *statements], **more}
    return stack.add(iam.Role("work", HERE, trusts="lambda.amazonaws.com", policy=policy))


WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")


def function(stack: Stack, *statements: dict, **how: object) -> lambda_.Function:
    stack.add(logs.LogGroup("work", HERE))
    given = {"role": role(stack, *statements), "code": a_zip("def handler(e, c): pass"), **how}
    return stack.add(lambda_.Function("work", HERE, **given))


def bucket(*statements: dict) -> Wiring:
    """A bucket with these statements more, about its objects."""

    def describe(stack: Stack) -> None:
        one = stack.add(s3.Bucket("files", HERE))
        one.statements = [{**each, "Resource": each.get("Resource") or f"{one.arn}/*"} for each in statements]

    return describe


def notified(**how: object) -> Wiring:
    """A bucket that tells a queue."""

    def describe(stack: Stack) -> None:
        files = stack.add(s3.Bucket("files", HERE))
        queue = stack.add(sqs.Queue("work", HERE, senders={"s3.amazonaws.com": files.arn}))
        stack.add(s3.BucketNotification("files", HERE, bucket=files, destination=queue, **how))

    return describe


def two_buckets(stack: Stack) -> None:
    senders = {"s3.amazonaws.com": f"arn:aws:s3:::{stack.scope.beginning}*"}
    queue = stack.add(sqs.Queue("work", HERE, senders=senders))
    for what in ("one", "two"):
        files = stack.add(s3.Bucket(what, HERE))
        stack.add(s3.BucketNotification(what, HERE, bucket=files, destination=queue))


def across(topic_region: str, queue_region: str) -> Wiring:
    def describe(stack: Stack) -> None:
        topic = stack.add(sns.Topic("news", topic_region))
        queue = stack.add(sqs.Queue("work", queue_region, senders={"sns.amazonaws.com": topic.arn}))
        stack.add(sns.Subscription("work", topic_region, topic=topic, endpoint=queue.arn))

    return describe


def subscribed(endpoint: str) -> Wiring:
    def describe(stack: Stack) -> None:
        topic = stack.add(sns.Topic("news", HERE))
        stack.add(sns.Subscription("work", HERE, topic=topic, endpoint=endpoint))

    return describe


def scheduled(stack: Stack) -> None:
    work = function(stack)
    rule = stack.add(eventbridge.Rule("often", HERE, schedule="rate(5 minutes)", function=work))
    given = {"principal": "events.amazonaws.com", "source_arn": rule.arn.replace("often", "*")}
    stack.add(lambda_.Permission("often", HERE, function=work, **given))


def table(**columns: str) -> Wiring:
    def describe(stack: Stack) -> None:
        files, database = stack.add(s3.Bucket("files", HERE)), stack.add(glue.Database("tables", HERE))
        where = {"database": database, "bucket": files, "key_prefix": "rows/"}
        stack.add(glue.Table("rows", HERE, columns=columns, **where))

    return describe


def of_role(*statements: dict, **more: object) -> Wiring:
    return lambda stack: role(stack, *statements, **more)


READ = allow("Read", "s3:GetObject", "arn:aws:s3:::theirs/*")
# What AWS takes, and what it advises against of it.
LEGAL: dict[str, tuple[Wiring, set[str]]] = {
    "one statement, not in a list": (
        lambda stack: stack.add(
            iam.Role(
                "r", HERE, trusts="glue.amazonaws.com", policy={"Version": "2012-10-17", "Statement": READ}
            )
        ),
        set(),
    ),
    "all actions but some": (
        of_role({"Sid": "A", "Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:s3:::theirs/*"}),
        {"action-wildcard"},
    ),
    "all resources but some": (
        of_role(
            {"Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::no/*"}
        ),
        {"resource-wildcard"},
    ),
    "a denial of all but some": (
        of_role({"Sid": "A", "Effect": "Deny", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::theirs/*"}),
        set(),
    ),
    "a denial of everything": (
        of_role({"Sid": "A", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": TLS}),
        set(),
    ),
    "a literal question mark in an ARN": (
        of_role(allow("Read", "s3:GetObject", "arn:aws:s3:::theirs/what${?}/${*}")),
        set(),
    ),
    "everybody of an organization": (
        bucket(allow("RunbookAll", "s3:GetObject", "", Principal="*", Condition=OF_OUR_ORGANIZATION)),
        set(),
    ),
    "a denial of all principals but one": (
        bucket(
            {
                "Sid": "RunbookNo",
                "Effect": "Deny",
                "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "s3:DeleteObject",
            }
        ),
        set(),
    ),
    "two buckets into one queue": (two_buckets, set()),
    "to a queue of another pipeline": (
        subscribed(f"arn:aws:sqs:{HERE}:{ACCOUNT}:runbook-test-other-q"),
        set(),
    ),
    "to a queue of another account": (subscribed(f"arn:aws:sqs:{HERE}:111122223333:theirs"), set()),
    "to a region that is opted in to": (across("us-east-1", "af-south-1"), set()),
    "from a region that is opted in to": (across("af-south-1", "us-east-1"), set()),
    "between two of them": (across("af-south-1", "eu-south-2"), set()),
    "a permission for all rules": (scheduled, set()),
    "the workgroup primary": (lambda stack: function(stack, environment={"WORKGROUP": "primary"}), set()),
    "a filter with a question mark": (notified(key_prefix="what?/"), set()),
    "a filter of any characters": (notified(key_prefix="dt=2026/é %+[(", key_suffix="&~.csv"), set()),
    "a filter with a star": (notified(key_prefix="a*/"), {"notification-filter-wildcard"}),
    "a long filter": (notified(key_prefix="x" * 1024), set()),
    "nested types": (table(a="array<struct<b:map<string,decimal(10,2)>>>", c="varchar(10)"), set()),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_aws_takes_is_not_refused(stack: Stack, name: str):
    describe, advised = LEGAL[name]
    describe(stack)
    assert found(stack) == (set(), advised)


def anybodys_function(stack: Stack) -> None:
    given = {"principal": "*", "source_arn": "arn:aws:s3:::theirs"}
    stack.add(lambda_.Permission("all", HERE, function=function(stack), **given))


def to_a_role(stack: Stack) -> None:
    files = stack.add(s3.Bucket("files", HERE))
    stack.add(s3.BucketNotification("files", HERE, bucket=files, destination=role(stack)))


def added_to_no_stack(stack: Stack) -> None:
    stack.add(sqs.Queue("work", HERE, dead_letter=sqs.Queue("dead", HERE)))


def permitted_too_late(stack: Stack) -> None:
    files, work = stack.add(s3.Bucket("files", HERE)), function(stack)
    stack.add(s3.BucketNotification("files", HERE, bucket=files, destination=work))
    given = {"principal": "s3.amazonaws.com", "source_arn": files.arn}
    stack.add(lambda_.Permission("files", HERE, function=work, **given))


def dead_letters_in_a_circle(stack: Stack) -> None:
    one = stack.add(sqs.Queue("one", HERE, retention_s=60))
    other = stack.add(sqs.Queue("other", HERE, retention_s=120, dead_letter=one))
    one.dead_letter = copy(other)


def page(body: object) -> Wiring:
    return lambda stack: stack.add(cloudwatch.Dashboard("page", HERE, body=body))


def alarm(**how: object) -> Wiring:
    def describe(stack: Stack) -> None:
        publishers = {"cloudwatch.amazonaws.com": cloudwatch.alarm_arns(stack.scope, HERE)}
        given = {"namespace": "AWS/SQS", "metric": "m", "dimensions": {"QueueName": "q"}, "threshold": 0}
        topic = stack.add(sns.Topic("alerts", HERE, publishers=publishers))
        stack.add(cloudwatch.Alarm("late", HERE, topic=topic, **{**given, **how}))

    return describe


def small_workgroup(stack: Stack) -> None:
    results = stack.add(s3.Bucket("results", HERE))
    stack.add(athena.WorkGroup("queries", HERE, results=results, scan_limit_mb=1))


REFUSED: dict[str, tuple[Wiring, str]] = {
    "a Sid with a space": (of_role({**READ, "Sid": "Read it"}), "policy-grammar"),
    "a Sid twice": (of_role(READ, READ), "statement-sid"),
    "an operator that there is not": (
        of_role({**READ, "Condition": {"StringEqual": {"aws:username": "me"}}}),
        "policy-grammar",
    ),
    "a version that there is not": (of_role(READ, Version="2012-10-18"), "policy-grammar"),
    "a principal in a role": (of_role({**READ, "Principal": "*"}), "policy-grammar"),
    "another partition": (of_role({**READ, "Resource": "arn:aws-us-gov:s3:::theirs/*"}), "arn-partition"),
    "no Sid": (bucket({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}), "statement-sid"),
    "another's Sid": (
        bucket({"Sid": "Mine", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}),
        "statement-sid",
    ),
    "the Sid of our own statement": (
        bucket(allow("RunbookDenyInsecureTransport", "s3:GetObject", "", Principal={"AWS": ACCOUNT})),
        "statement-sid",
    ),
    "everything, to a bucket": (
        bucket({"Sid": "RunbookNo", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
        "policy-of-another",
    ),
    "a service that is none": (
        bucket(allow("RunbookIn", "s3:PutObject", "", Principal={"Service": "s3"})),
        "policy-grammar",
    ),
    "everybody may invoke": (anybodys_function, "policy-grammar"),
    "a role as destination": (to_a_role, "request-model"),
    "what was added to no stack": (added_to_no_stack, "not-described"),
    "a permission after its notification": (permitted_too_late, "order"),
    "dead letters in a circle": (dead_letters_in_a_circle, "failure-loop"),
    "no event": (notified(events=()), "event-unknown"),
    "a filter that is no text": (notified(key_prefix="\udcff"), "notification-filter"),
    "a filter too long once it is encoded": (notified(key_prefix="é" * 300), "notification-filter"),
    "no dashboard": (page(None), "dashboard-body"),
    "widgets that are none": (page({"widgets": "all"}), "dashboard-body"),
    "a widget beside the grid": (
        page({"widgets": [{"type": "text", "x": 24, "properties": {"markdown": ""}}]}),
        "dashboard-body",
    ),
    "what is no JSON": (page({"widgets": [], "start": {1}}), "dashboard-body"),
    "a threshold without end": (alarm(threshold=float("inf")), "request-model"),
    "a statistic that there is not": (alarm(statistic="Median"), "request-model"),
    "more than a week": (alarm(period_s=604860), "alarm-period"),
    "a limit that is too small": (small_workgroup, "request-model"),
    "a type of another dialect": (table(a="list<string>"), "column-type"),
    "an array of nothing": (table(a="array"), "column-type"),
    "a variable of a wrong name": (lambda stack: function(stack, environment={"1A": ""}), "request-model"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_aws_refuses_is_told(stack: Stack, name: str):
    describe, rule = REFUSED[name]
    describe(stack)
    refused, _ = found(stack)
    assert rule in refused
    assert "description-unjudged" not in refused
