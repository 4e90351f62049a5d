"""For each rule of the preflight a pipeline as its notebook describes it, and a way to break the rule."""

import io
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

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
from lib.resources.base import Resource, Settings
from lib.resources.policies import Statement, let_inventory_in


def the(stack: Stack, kind: type, what: str) -> Resource:
    """The resource of a type and a name."""
    return next(one for one in stack.resources.values() if isinstance(one, kind) and one.what == what)


@dataclass(frozen=True)
class Break:
    """How to break a rule.

    Attributes:
        rule: Its name.
        pipeline: Whose notebook describes a stack that keeps it.
        by: Changes that stack so that it does not.
        also: Rules that cannot but break with it.
    """

    rule: str
    pipeline: str
    by: Callable[[Stack], object]
    also: frozenset[str] = frozenset()


def setting(kind: type, of: str, /, **values: object) -> Callable[[Stack], None]:
    """Set attributes of a resource, as a cell of a notebook could."""

    def change(stack: Stack) -> None:
        for name, value in values.items():
            setattr(the(stack, kind, of), name, value)

    return change


def adding(make: Callable[[Stack], Resource]) -> Callable[[Stack], Resource]:
    return lambda stack: stack.add(make(stack))


def leaving_out(kind: type, what: str) -> Callable[[Stack], Resource]:
    return lambda stack: stack.resources.pop(the(stack, kind, what).arn)


def statement(role: str, **values: object) -> Callable[[Stack], None]:
    """Set parts of the first statement of a role's policy."""

    def change(stack: Stack) -> None:
        one = the(stack, iam.Role, role)
        one.policy = deepcopy(one.policy)
        one.policy["Statement"][0] |= values

    return change


def without_action(role: str, action: str) -> Callable[[Stack], None]:
    """Take an action out of a role's policy."""

    def change(stack: Stack) -> None:
        one = the(stack, iam.Role, role)
        kept = [_without(each, action) for each in one.policy["Statement"]]
        one.policy = one.policy | {"Statement": [each for each in kept if each["Action"]]}

    return change


def _without(one: Statement, action: str) -> Statement:
    actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
    return one | {"Action": [each for each in actions if each != action]}


def altered(
    kind: type, what: str, change: Callable[[dict[str, Statement]], object]
) -> Callable[[Stack], None]:
    """Change the policy that a resource wants to have, as an edit of its class would."""

    def alter(stack: Stack) -> None:
        one = the(stack, kind, what)

        class Altered(kind):
            def desired(self) -> Settings:
                settings = deepcopy(super().desired())
                change(settings["policy"])
                return settings

        one.__class__ = Altered

    return alter


def zip_of(name: str, source: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, source)
    return file.getvalue()


def with_much_code(stack: Stack) -> None:
    the(stack, lambda_.Function, "index").code = zip_of("handler.py", "#" * (251 << 20))


def without_source_account(policy: dict[str, Statement]) -> None:
    for test in policy["RunbookAllowS3"]["Condition"].values():
        test.pop("aws:SourceAccount", None)


def without_condition(policy: dict[str, Statement]) -> None:
    policy["RunbookAllowS3"]["Condition"] = {"StringEquals": {"aws:SourceAccount": "000000000000"}}


def for_everybody(policy: dict[str, Statement]) -> None:
    policy["RunbookAllowS3"]["Principal"] = "*"


def about_another(policy: dict[str, Statement]) -> None:
    policy["RunbookAllowS3"]["Resource"] = "arn:aws:sns:us-east-1:000000000000:another"


def many_statements(policy: dict[str, Statement]) -> None:
    first = policy["RunbookAllowS3"]
    policy.update(
        {f"RunbookAllow{number}": first | {"Sid": f"RunbookAllow{number}"} for number in range(120)}
    )


def long_statements(policy: dict[str, Statement]) -> None:
    deny = policy["RunbookDenyInsecureTransport"]
    deny["Resource"] = deny["Resource"] + [f"{deny['Resource'][0]}/{number:030d}" for number in range(400)]


def second_notification(stack: Stack, **keys: str) -> s3.BucketNotification:
    first = the(stack, s3.BucketNotification, "files")
    return replace(first, what="second", **keys)


def reported(into: str, *, lets_in: bool) -> Callable[[Stack], None]:
    """Have S3 write reports of *backup*'s primary bucket into one of its buckets."""

    def change(stack: Stack) -> None:
        source, place = the(stack, s3.Bucket, "primary"), the(stack, s3.Bucket, into)
        if lets_in:
            place.statements = [
                *place.statements,
                let_inventory_in(place.arn, [source.arn], stack.scope.account_id),
            ]
        stack.add(
            s3_inventory.InventoryConfiguration("reports", source.region, source=source, destination=place)
        )

    return change


def encrypted(kind: type, what: str) -> Callable[[Stack], None]:
    """Give a store a key of which its users' policies know nothing."""

    def change(stack: Stack) -> None:
        store = the(stack, kind, what)
        key_arn = f"arn:aws:kms:{store.region}:000000000000:key/k"
        store.scope = replace(store.scope, kms_key_arns=(key_arn,))

    return change


def through_another_service(stack: Stack) -> None:
    """Give a queue a key that its consumer may use, but only for objects."""
    encrypted(sqs.Queue, "uploads")(stack)
    role, queue = the(stack, iam.Role, "replicate"), the(stack, sqs.Queue, "uploads")
    use = {"Sid": "Use", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": queue.kms_key_arn}
    condition = {"Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}}
    role.policy = role.policy | {"Statement": [*role.policy["Statement"], use | condition]}


def with_trail(what: str = "objects", times: int = 1, let_in: bool = True) -> Callable[[Stack], None]:
    """Add a trail, as no notebook's description without an AWS has one."""

    def add(stack: Stack) -> None:
        log_files = stack.add(s3.Bucket("log-files", "us-east-1"))
        arn = cloudtrail.trail_arn(stack.scope, what, "us-east-1")
        log_files.statements = cloudtrail.delivery(log_files, arn) if let_in else []
        recorded = [the(stack, s3.Bucket, "files")] * times
        stack.add(cloudtrail.Trail(what, "us-east-1", logs=log_files, recorded=recorded))

    return add


BREAKS = [
    # Requests, names, regions
    Break("request-model", "ingest", setting(eventbridge.Rule, "generate", description="x" * 513)),
    Break("region-unknown", "index", setting(s3.Bucket, "exports", region="mars-east-1")),
    Break("one-region", "ingest", setting(glue.CsvClassifier, "csv", region="eu-west-1")),
    Break("not-described", "ingest", leaving_out(s3.Bucket, "results")),
    # S3
    Break(
        "bucket-name",
        "index",
        setting(s3.Bucket, "exports", what="a-name-that-is-much-too-long-for-a-bucket"),
    ),
    Break("bucket-lifecycle", "ingest", setting(s3.Bucket, "results", expire_days=0)),
    Break("bucket-policy-size", "ingest", altered(s3.Bucket, "results", long_statements)),
    Break("event-unknown", "index", setting(s3.BucketNotification, "objects", events=("s3:ObjectMade:*",))),
    Break("notification-filter", "ingest", setting(s3.BucketNotification, "files", key_prefix="x" * 1025)),
    Break(
        "notification-overlap", "ingest", adding(lambda s: second_notification(s, key_prefix="stocks/new/"))
    ),
    Break("notification-destination", "migrate", setting(sns.Topic, "uploads", publishers={})),
    Break("notification-loop", "ingest", setting(s3.BucketNotification, "files", key_prefix="")),
    Break("inventory-region", "backup", reported("dr", lets_in=True)),
    Break("inventory-policy", "backup", reported("primary", lets_in=False)),
    # SNS and SQS
    Break("topic-name", "index", setting(sns.Topic, "alerts", what="my alerts")),
    Break("topic-policy-quota", "migrate", altered(sns.Topic, "uploads", many_statements)),
    Break("subscription-endpoint", "migrate", setting(sns.Subscription, "uploads", protocol="http")),
    Break("subscription-queue", "migrate", setting(sqs.Queue, "uploads", senders={})),
    Break("queue-name", "backup", setting(sqs.Queue, "holding", what="h" * 80)),
    Break("queue-attributes", "index", setting(sqs.Queue, "failures", retention_s=1209601)),
    Break("queue-policy-quota", "ingest", altered(sqs.Queue, "files", many_statements)),
    Break("queue-visibility", "migrate", setting(sqs.Queue, "uploads", visibility_timeout_s=30)),
    Break("queue-receive-count", "migrate", setting(sqs.Queue, "uploads", max_receive_count=4)),
    Break("queue-dead-letter", "migrate", setting(sqs.Queue, "uploads", dead_letter=None)),
    Break("dead-letter-retention", "migrate", setting(sqs.Queue, "dead-letters", retention_s=4 * sqs.DAY_S)),
    # Lambda
    Break("function-name", "index", setting(lambda_.Function, "index", what="i" * 50)),
    Break("function-timeout", "index", setting(lambda_.Function, "index", timeout_s=901)),
    Break("function-memory", "index", setting(lambda_.Function, "index", memory_mb=20000)),
    Break("function-disk", "index", setting(lambda_.Function, "index", disk_mb=10241)),
    Break(
        "function-environment", "index", setting(lambda_.Function, "index", environment={"LONG": "x" * 4096})
    ),
    Break(
        "function-reserved", "index", setting(lambda_.Function, "index", environment={"AWS_REGION": "here"})
    ),
    Break("function-code", "index", setting(lambda_.Function, "index", code=b"def handler(): pass")),
    Break("function-handler", "index", setting(lambda_.Function, "index", code=zip_of("main.py", ""))),
    Break("function-code-size", "index", with_much_code),
    Break("mapping-batch", "migrate", setting(lambda_.EventSourceMapping, "uploads", batch_size=11)),
    Break("mapping-role", "migrate", without_action("replicate", "sqs:GetQueueAttributes")),
    Break("destination-role", "index", without_action("index", "sqs:SendMessage")),
    Break("log-role", "index", without_action("index", "logs:PutLogEvents")),
    Break("role-trust", "migrate", setting(iam.Role, "replicate", trusts="glue.amazonaws.com")),
    Break(
        "pass-role",
        "index",
        setting(iam.Role, "index", trusts="edgelambda.amazonaws.com"),
        frozenset({"role-trust"}),
    ),
    # EventBridge and CloudWatch
    Break("rule-schedule", "ingest", setting(eventbridge.Rule, "generate", schedule="rate(1 minutes)")),
    Break("rule-target", "ingest", leaving_out(lambda_.Permission, "schedule")),
    Break("alarm-period", "index", setting(cloudwatch.Alarm, "failures", period_s=45)),
    Break("alarm-topic", "index", setting(sns.Topic, "alerts", publishers={})),
    Break(
        "dashboard-quota",
        "index",
        adding(lambda _: cloudwatch.Dashboard("all", "us-east-1", body={"widgets": [{}] * 501})),
    ),
    Break("log-retention", "index", setting(logs.LogGroup, "index", retention_days=31)),
    Break("trail-name", "index", with_trail("my--objects")),
    Break("trail-selectors", "index", with_trail(times=499)),
    Break("trail-bucket", "index", with_trail(let_in=False)),
    # DynamoDB, Glue and Athena
    Break("table-name", "index", adding(lambda _: dynamodb.Table("a b", "us-east-1", partition_key="id"))),
    Break("table-attribute", "index", setting(dynamodb.Table, "objects", time_to_live="timestamp")),
    Break("athena-name", "index", setting(glue.Table, "objects", columns={"File Key": "string"})),
    Break("table-location", "index", setting(glue.Table, "objects", key_prefix="objects/rows")),
    Break("crawler-schedule", "migrate", setting(glue.Crawler, "objects", schedule="rate(1 day)")),
    Break("crawler-role", "migrate", without_action("crawler", "s3:GetObject")),
    Break("workgroup-missing", "summarize", leaving_out(athena.WorkGroup, "queries")),
    # Policies
    Break("role-policy-size", "index", statement("index", Sid="x" * 10241)),
    Break("kms-key", "migrate", encrypted(s3.Bucket, "source")),
    Break("kms-key", "migrate", encrypted(sqs.Queue, "uploads")),
    Break("kms-key", "migrate", through_another_service),
    Break("kms-key", "index", encrypted(sqs.Queue, "failures")),
    Break("kms-key", "index", encrypted(dynamodb.Table, "objects")),
    Break("action-unknown", "index", statement("index", Action=["s3:ListBucket", "s3:HeadObject"])),
    Break("condition-unknown", "index", statement("index", Condition={"StringEquals": {"s3:colour": "red"}})),
    Break("action-resource", "index", statement("index", Resource="arn:aws:s3:::runbook-test-index-files/*")),
    Break("policy-grammar", "index", statement("index", NotAction="s3:GetObject")),
    Break("arn-grammar", "index", statement("index", Resource="runbook-test-index-files")),
    Break("action-wildcard", "index", statement("index", Action="s3:List*")),
    Break("resource-wildcard", "index", statement("index", Resource="*")),
    Break("policy-of-another", "migrate", altered(sns.Topic, "uploads", about_another)),
    Break("principal-wildcard", "migrate", altered(sns.Topic, "uploads", for_everybody)),
    Break("source-arn", "migrate", altered(sns.Topic, "uploads", without_condition)),
    Break("source-account", "migrate", altered(sns.Topic, "uploads", without_source_account)),
]
# Of what is in the account: tests/engine/preflight/test_stack.py.
IN_ACCOUNT = {"inventory-source", "kms-key-usable", "notification-quota", "trail-quota"}
