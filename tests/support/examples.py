"""An example of each class of resources, and what to change of it."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

from lib.engine.stack import Stack
from lib.resources import (
    athena,
    cloudtrail,
    cloudwatch,
    dynamodb,
    eventbridge,
    glue,
    iam,
    lambda_,
    logs,
    s3,
    s3_inventory,
    sns,
    sqs,
)
from lib.resources.base import Resource
from lib.resources.policies import document, let_inventory_in

HERE, ELSEWHERE = "us-west-1", "us-east-1"


def a_zip(source: str) -> bytes:
    """A function's code; equal sources give equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), source)
    return file.getvalue()


def may_read(bucket_arn: str) -> dict:
    return document(
        [{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket_arn}/*"}]
    )


def may_work(stack: Stack) -> dict:
    """All that the function of the examples needs: to read, to be run by its queue, to report, to log."""
    sqs_here = f"arn:aws:sqs:{ELSEWHERE}:{stack.scope.account_id}:{stack.scope.beginning}"
    log = (
        f"arn:aws:logs:{ELSEWHERE}:{stack.scope.account_id}:log-group:/aws/lambda/{stack.scope.name('copy')}"
    )
    needs = {
        "Consume": (
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            f"{sqs_here}files",
        ),
        "Report": (["sqs:SendMessage"], f"{sqs_here}failed"),
        "Log": (["logs:CreateLogStream", "logs:PutLogEvents"], f"{log}:*"),
    }
    statements = [
        {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arn}
        for sid, (actions, arn) in needs.items()
    ]
    return document([*may_read(bucket(stack).arn)["Statement"], *statements])


def bucket(stack: Stack) -> s3.Bucket:
    return stack.add(s3.Bucket("files", HERE))


def inventory(stack: Stack) -> s3_inventory.InventoryConfiguration:
    source, reports = bucket(stack), stack.add(s3.Bucket("reports", HERE))
    reports.statements = [let_inventory_in(reports.arn, [source.arn], stack.scope.account_id)]
    return stack.add(
        s3_inventory.InventoryConfiguration(
            "files",
            HERE,
            source=source,
            destination=reports,
            frequency="Daily",
            optional_fields=("Size", "ETag"),
        )
    )


def topic(stack: Stack) -> sns.Topic:
    return stack.add(sns.Topic("files", HERE, publishers={"s3.amazonaws.com": bucket(stack).arn}))


def notification(stack: Stack) -> s3.BucketNotification:
    publisher = topic(stack)
    return stack.add(
        s3.BucketNotification("files", HERE, bucket=bucket(stack), destination=publisher, key_prefix="in/")
    )


def queue(stack: Stack) -> sqs.Queue:
    dead_letters = stack.add(sqs.Queue("dead", ELSEWHERE, retention_s=14 * sqs.DAY_S))
    senders = {"sns.amazonaws.com": topic(stack).arn}
    return stack.add(
        sqs.Queue("files", ELSEWHERE, visibility_timeout_s=360, dead_letter=dead_letters, senders=senders)
    )


def subscription(stack: Stack) -> sns.Subscription:
    receiver = queue(stack)
    return stack.add(sns.Subscription("files", HERE, topic=topic(stack), endpoint=receiver.arn))


def mailbox(stack: Stack) -> sns.Subscription:
    return stack.add(
        sns.Subscription("mail", HERE, topic=topic(stack), endpoint="ops@example.org", protocol="email")
    )


def role(stack: Stack) -> iam.Role:
    return stack.add(iam.Role("copy", "us-east-1", trusts="lambda.amazonaws.com", policy=may_work(stack)))


def log_group(stack: Stack) -> logs.LogGroup:
    return stack.add(logs.LogGroup("copy", ELSEWHERE, retention_days=7))


def function(stack: Stack) -> lambda_.Function:
    code = a_zip("def handler(event, context): pass")
    return stack.add(
        lambda_.Function(
            "copy", ELSEWHERE, role=role(stack), code=code, environment={"TARGET_BUCKET": "here"}
        )
    )


def permission(stack: Stack) -> lambda_.Permission:
    invoked = function(stack)
    return stack.add(
        lambda_.Permission(
            "from-bucket",
            ELSEWHERE,
            function=invoked,
            principal="s3.amazonaws.com",
            source_arn=bucket(stack).arn,
        )
    )


def invoke_config(stack: Stack) -> lambda_.EventInvokeConfig:
    failed = stack.add(sqs.Queue("failed", ELSEWHERE))
    return stack.add(
        lambda_.EventInvokeConfig("copy", ELSEWHERE, function=function(stack), on_failure=failed)
    )


def queue_notification(stack: Stack) -> s3.BucketNotification:
    incoming = stack.add(s3.Bucket("incoming", ELSEWHERE))
    receiver = stack.add(sqs.Queue("incoming", ELSEWHERE, senders={"s3.amazonaws.com": incoming.arn}))
    return stack.add(s3.BucketNotification("queue", ELSEWHERE, bucket=incoming, destination=receiver))


def function_notification(stack: Stack) -> s3.BucketNotification:
    incoming, invoked = stack.add(s3.Bucket("incoming", ELSEWHERE)), function(stack)
    stack.add(
        lambda_.Permission(
            "from-incoming",
            ELSEWHERE,
            function=invoked,
            principal="s3.amazonaws.com",
            source_arn=incoming.arn,
        )
    )
    return stack.add(
        s3.BucketNotification(
            "function", ELSEWHERE, bucket=incoming, destination=invoked, events=("s3:ObjectRemoved:*",)
        )
    )


def rule(stack: Stack) -> eventbridge.Rule:
    run = function(stack)
    often = eventbridge.Rule(
        "often",
        ELSEWHERE,
        schedule="rate(1 minute)",
        function=run,
        state="DISABLED",
        description="Now and then",
    )
    stack.add(often)
    stack.add(
        lambda_.Permission(
            "from-rule", ELSEWHERE, function=run, principal="events.amazonaws.com", source_arn=often.arn
        )
    )
    return often


def table(stack: Stack) -> dynamodb.Table:
    return stack.add(
        dynamodb.Table(
            "files", HERE, partition_key="file_key", sort_key="timestamp", time_to_live="expires_at"
        )
    )


def mapping(stack: Stack) -> lambda_.EventSourceMapping:
    source = queue(stack)
    return stack.add(lambda_.EventSourceMapping("files", ELSEWHERE, queue=source, function=function(stack)))


def alarm(stack: Stack) -> cloudwatch.Alarm:
    alarms = {"cloudwatch.amazonaws.com": cloudwatch.alarm_arns(stack.scope, ELSEWHERE)}
    alerts = stack.add(sns.Topic("alerts", ELSEWHERE, publishers=alarms))
    return stack.add(
        cloudwatch.messages_alarm("dead", queue(stack), topic=alerts, description="Look at the dead letters")
    )


def dashboard(stack: Stack) -> cloudwatch.Dashboard:
    text = {"type": "text", "width": 24, "height": 2, "properties": {"markdown": "How it goes"}}
    return stack.add(cloudwatch.Dashboard("pipelines", "us-east-1", body={"widgets": [text]}))


def database(stack: Stack) -> glue.Database:
    return stack.add(glue.Database("tables", ELSEWHERE, description="What came here"))


def json_table(stack: Stack) -> glue.Table:
    lines = stack.add(s3.Bucket("lines", ELSEWHERE))
    columns = {"name": "string", "rows": "array<struct<n:bigint>>"}
    return stack.add(
        glue.Table(
            "all-lines",
            ELSEWHERE,
            database=database(stack),
            bucket=lines,
            key_prefix="lines/",
            columns=columns,
            description="One line a row",
        )
    )


def classifier(stack: Stack) -> glue.CsvClassifier:
    return stack.add(glue.CsvClassifier("csv", ELSEWHERE))


def crawler(stack: Stack) -> glue.Crawler:
    crawled = stack.add(s3.Bucket("lake", ELSEWHERE))
    tables, csv = database(stack), classifier(stack)
    policy = glue.crawler_policy(crawled, tables)
    reader = stack.add(iam.Role("crawl", "us-east-1", trusts="glue.amazonaws.com", policy=policy))
    return stack.add(
        glue.Crawler("files", ELSEWHERE, role=reader, bucket=crawled, database=tables, classifier=csv)
    )


def workgroup(stack: Stack) -> athena.WorkGroup:
    results = stack.add(s3.Bucket("results", ELSEWHERE))
    return stack.add(athena.WorkGroup("queries", ELSEWHERE, results=results))


def trail(stack: Stack) -> cloudtrail.Trail:
    """Its bucket is in another region than it is itself, and so is what it records."""
    files = stack.add(s3.Bucket("logs", HERE, expire_days=90))
    files.statements = cloudtrail.delivery(files, cloudtrail.trail_arn(stack.scope, "objects", ELSEWHERE))
    return stack.add(cloudtrail.Trail("objects", ELSEWHERE, logs=files, recorded=[bucket(stack)]))


# How to describe each: adds a resource, and before it those that it needs, to a stack.
EXAMPLES: dict[str, Callable[[Stack], Resource]] = {
    "Bucket": bucket,
    "BucketNotification": notification,
    "BucketNotification to a queue": queue_notification,
    "BucketNotification to a function": function_notification,
    "InventoryConfiguration": inventory,
    "Topic": topic,
    "Subscription": subscription,
    "Subscription by mail": mailbox,
    "Queue": queue,
    "Role": role,
    "LogGroup": log_group,
    "Function": function,
    "EventSourceMapping": mapping,
    "Permission": permission,
    "EventInvokeConfig": invoke_config,
    "Rule": rule,
    "Alarm": alarm,
    "Dashboard": dashboard,
    "Table": table,
    "Database": database,
    "Glue table": json_table,
    "CsvClassifier": classifier,
    "Crawler": crawler,
    "WorkGroup": workgroup,
    "Trail": trail,
}

# What to change of each: arguments to new values, and the settings that a plan must name then, and no others.
CHANGES: dict[str, list[tuple[dict[str, Any], set[str]]]] = {
    "Bucket": [
        ({"expire_days": 5}, {"lifecycle"}),
        ({"expire_days": None}, {"lifecycle"}),
        ({"keep_noncurrent_days": 2}, {"lifecycle"}),
        ({"temporary_prefix": "staging/"}, {"lifecycle"}),
        ({"temporary_prefix": ""}, {"lifecycle"}),
    ],
    "BucketNotification": [
        ({"key_suffix": ".csv"}, {"filter"}),
        ({"key_prefix": "", "key_suffix": ""}, {"filter"}),
        ({"events": ("s3:ObjectRemoved:*", "s3:ObjectCreated:Put")}, {"events"}),
    ],
    "BucketNotification to a queue": [({"key_prefix": "in/"}, {"filter"})],
    "BucketNotification to a function": [({"events": ("s3:ObjectCreated:*",)}, {"events"})],
    "InventoryConfiguration": [
        ({"frequency": "Weekly"}, {"Schedule"}),
        ({"optional_fields": ("ETag", "Size", "StorageClass")}, {"OptionalFields"}),
        ({"optional_fields": ()}, {"OptionalFields"}),
    ],
    "Topic": [({"publishers": {}}, {"policy"})],
    "Queue": [
        ({"visibility_timeout_s": 90, "retention_s": 120}, {"VisibilityTimeout", "MessageRetentionPeriod"}),
        ({"senders": {}, "max_receive_count": 9}, {"policy", "RedrivePolicy"}),
    ],
    "Role": [
        ({"policy": may_read("arn:aws:s3:::another")}, {"policy"}),
        ({"trusts": "glue.amazonaws.com"}, {"trust"}),
    ],
    "LogGroup": [({"retention_days": 14}, {"retentionInDays"})],
    "Function": [
        ({"environment": {"TARGET_BUCKET": "there"}}, {"Environment"}),
        ({"environment": {}}, {"Environment"}),
        ({"memory_mb": 256, "timeout_s": 30}, {"MemorySize", "Timeout"}),
        ({"disk_mb": 1024}, {"EphemeralStorage"}),
        ({"code": a_zip("def handler(event, context): return 1")}, {"CodeSha256"}),
    ],
    "EventSourceMapping": [
        ({"maximum_concurrency": 4}, {"ScalingConfig"}),
        ({"batch_size": 1}, {"BatchSize"}),
    ],
    "Permission": [
        ({"source_arn": "arn:aws:events:us-east-1:000000000000:rule/r"}, {"Condition"}),
        ({"principal": "events.amazonaws.com"}, {"Principal"}),
    ],
    "EventInvokeConfig": [
        ({"retries": 0}, {"MaximumRetryAttempts"}),
        ({"maximum_event_age_s": 60}, {"MaximumEventAgeInSeconds"}),
    ],
    "Rule": [
        ({"schedule": "rate(5 minutes)", "description": ""}, {"ScheduleExpression", "Description"}),
        ({"state": "ENABLED"}, {"State"}),
    ],
    "Table": [
        ({"time_to_live": "until"}, {"TimeToLive"}),
        ({"time_to_live": ""}, {"TimeToLive"}),
        ({"time_to_live": "expires_at"}, {"TimeToLive"}),
    ],
    "Glue table": [
        ({"columns": {"name": "string", "n": "bigint"}}, {"Columns"}),
        ({"description": "", "key_prefix": "more/"}, {"Description", "Location"}),
    ],
    "Alarm": [
        ({"threshold": 3}, {"Threshold"}),
        ({"description": "", "statistic": "Sum"}, {"AlarmDescription", "Statistic"}),
    ],
    "Dashboard": [({"body": {"widgets": [], "start": "-PT3H"}}, {"body"})],
    "Database": [
        ({"description": "Something else"}, {"Description"}),
        ({"description": ""}, {"Description"}),
    ],
    "CsvClassifier": [({"delimiter": ";"}, {"Delimiter"}), ({"quote_symbol": "'"}, {"QuoteSymbol"})],
    "Crawler": [
        ({"schedule": "cron(15 3 * * ? *)"}, {"Schedule"}),
        ({"schedule": ""}, {"Schedule"}),
        ({"key_prefix": "in/2024"}, {"Targets", "Configuration"}),
        ({"one_table": True, "key_prefix": "in/"}, {"Configuration"}),
        ({"classifier": None}, {"Classifiers"}),
    ],
    "WorkGroup": [({"scan_limit_mb": 20}, {"BytesScannedCutoffPerQuery"})],
    "Trail": [
        ({"writes_only": True}, {"FieldSelectors"}),
        ({"writes_only": False}, {"FieldSelectors"}),
    ],
}
