"""Rules for what resources have to do with each other: regions, roles, triggers, keys."""

import json
from collections.abc import Collection, Iterator
from dataclasses import fields
from functools import cache

from lib.base.paths import ROOT
from lib.engine.preflight.form import listed
from lib.engine.preflight.grants import allows, allows_some, lets_in, missing
from lib.engine.preflight.iam_data import covers
from lib.parameters.types import regions
from lib.resources.athena import WorkGroup
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.cloudtrail import Trail, delivery
from lib.resources.cloudwatch import Alarm
from lib.resources.eventbridge import Rule
from lib.resources.glue import Crawler
from lib.resources.iam import Role
from lib.resources.lambda_ import EventInvokeConfig, EventSourceMapping, Function, Permission
from lib.resources.logs import LogGroup, log_group_name
from lib.resources.policies import Statement, let_inventory_in
from lib.resources.s3 import Bucket
from lib.resources.s3_inventory import InventoryConfiguration
from lib.resources.sns import Subscription
from lib.resources.sqs import Queue

Resources = Collection[Resource]
Found = Iterator[tuple[Resource, Finding]]
RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
WRITE_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
WRITE_TABLES = ("glue:CreateTable", "glue:UpdateTable")
INVOKE, SNS = "lambda:InvokeFunction", "sns.amazonaws.com"


def of_known_regions(resources: Resources) -> Found:
    """Find resources in regions that AWS does not have."""
    for one in resources:
        if one.region not in regions():
            what, fix = f"region is {one.region!r}", "write the name of a region, such as us-east-1"
            yield one, Finding("region-unknown", what, fix)


def of_one_region(resources: Resources) -> Found:
    """Find resources whose parts are in another region, where AWS wants them in one."""
    for one in resources:
        for name in one.same_region:
            part = getattr(one, name)
            if part is not None and part.region != one.region:
                what = f"{name} {part.name} is in {part.region}, not in {one.region}"
                yield one, Finding("one-region", what, f"describe both in {one.region}")


def described(resources: Resources) -> Found:
    """Find resources that name another of the pipeline that is not described, so that it would be missing."""
    known = {one.arn for one in resources}
    for one in resources:
        for field in fields(one):
            part = getattr(one, field.name)
            ours = isinstance(part, Resource) and part.scope == one.scope
            if ours and part.arn not in known:
                what = f"{field.name} is {part}, which is not described"
                yield one, Finding("not-described", what, f"stack.add(…) {part.name} before {one.name}")


def _role(one: Resource) -> Role | None:
    """Return in which role a resource's service works; None if in none."""
    return getattr(one, "role", None) if one.assumed_by else None


def trust(resources: Resources) -> Found:
    """Find resources with a role that their service may not take on."""
    for one in resources:
        role = _role(one)
        if role and role.trusts != one.assumed_by:
            what = f"role {role.name} trusts {role.trusts}, not {one.assumed_by}"
            yield one, Finding("role-trust", what, f"describe the role with trusts={one.assumed_by!r}")


def passed_roles(resources: Resources) -> Found:
    """Find roles that the deployer may not hand to the service they trust, by its policy in lib/policies."""
    for one in resources:
        if isinstance(one, Role) and one.trusts not in _services_that_get_roles():
            what = f"the deployer may not pass it to {one.trusts}"
            fix = f"add {one.trusts} to iam:PassedToService in lib/policies/deployer-policy.json"
            yield one, Finding("pass-role", what, fix)


@cache
def _services_that_get_roles() -> list[str]:
    policies = json.loads((ROOT / "lib/policies/deployer-policy.json").read_text("utf-8")).values()
    statements = [statement for policy in policies for statement in policy["Statement"]]
    passing = [one for one in statements if "iam:PassRole" in one["Action"]]
    return [name for one in passing for name in one["Condition"]["StringEquals"]["iam:PassedToService"]]


def execution_roles(resources: Resources) -> Found:
    """Find roles that lack what a trigger, a destination or a log of their function needs."""
    groups = {one.name: one for one in resources if isinstance(one, LogGroup)}
    for one in resources:
        if isinstance(one, EventSourceMapping):
            needs = missing(
                "mapping-role", one.function.role, RECEIVE, one.queue.arn, "to be sent its messages"
            )
        elif isinstance(one, EventInvokeConfig):
            role, arn = one.function.role, one.on_failure.arn
            needs = missing("destination-role", role, ["sqs:SendMessage"], arn, "to report failures")
        elif isinstance(one, Function) and (group := groups.get(log_group_name(one.name))):
            needs = missing("log-role", one.role, WRITE_LOG, f"{group.arn}:*", "to write its log")
        elif isinstance(one, Crawler):
            needs = _crawler_needs(one)
        else:
            continue
        yield from ((one, finding) for finding in needs)


def _crawler_needs(one: Crawler) -> Iterator[Finding]:
    rule, database = "crawler-role", one.database
    yield from missing(rule, one.role, ["s3:ListBucket"], one.bucket.arn, "to find objects")
    yield from missing(rule, one.role, ["s3:GetObject"], f"{one.bucket.arn}/*", "to read them")
    tables = database.arn.replace(f":database/{database.name}", f":table/{database.name}/*")
    yield from missing(rule, one.role, WRITE_TABLES, tables, "to write tables")


def subscribed_queues(resources: Resources) -> Found:
    """Find subscriptions whose queue is the pipeline's, and not there, or does not let the topic send."""
    queues = {one.arn: one for one in resources if isinstance(one, Queue)}
    for one in resources:
        if isinstance(one, Subscription) and one.protocol == "sqs":
            queue, name = queues.get(one.endpoint), one.endpoint.split(":")[-1]
            statements = queue.desired()["policy"].values() if queue else ()
            is_ours = f":{one.scope.account_id}:{one.scope.beginning}" in one.endpoint
            if not queue and is_ours:
                what, fix = f"{name} is not described", f"stack.add(…) {name}, or correct the endpoint"
                yield one, Finding("subscription-queue", what, fix)
            elif queue and not lets_in(statements, SNS, "sqs:SendMessage", queue, one.topic):
                what = f"{name} does not let {one.topic.name} send to it"
                fix = f"give the queue senders={{{SNS!r}: {one.topic.arn!r}}}"
                yield one, Finding("subscription-queue", what, fix)


def scheduled_functions(resources: Resources) -> Found:
    """Find rules whose function does not let them run it."""
    permissions = [one for one in resources if isinstance(one, Permission)]
    for one in resources:
        if isinstance(one, Rule):
            statements = granted(one.function, permissions)
            if not lets_in(statements, "events.amazonaws.com", INVOKE, one.function, one):
                what = f"{one.function.name} does not let the rule run it"
                fix = f"add a Permission for events.amazonaws.com and {one.arn}"
                yield one, Finding("rule-target", what, fix)


def granted(function: Function, permissions: Collection[Permission]) -> list[Statement]:
    """Return the statements of a function's policy that permissions are.

    Args:
        function: The function.
        permissions: Of any functions.
    """
    of_it = [one.desired() for one in permissions if one.function.arn == function.arn]
    return [{"Effect": "Allow", "Resource": function.arn, **settings} for settings in of_it]


def told_topics(resources: Resources) -> Found:
    """Find alarms whose topic does not let CloudWatch publish."""
    for one in resources:
        if isinstance(one, Alarm):
            statements = one.topic.desired()["policy"].values()
            if not lets_in(statements, "cloudwatch.amazonaws.com", "sns:Publish", one.topic, one):
                what = f"{one.topic.name} does not let the alarm publish"
                fix = "give the topic publishers={'cloudwatch.amazonaws.com': alarm_arns(…)}"
                yield one, Finding("alarm-topic", what, fix)


def receive_counts(resources: Resources) -> Found:
    """Find queues that give up on a message that was only throttled, or have no dead letters."""
    for one in resources:
        if isinstance(one, EventSourceMapping):
            queue = one.queue
            if queue.dead_letter is None:
                what, fix = f"{queue.name} has no dead-letter queue", "give it dead_letter=…"
                yield one, Finding("queue-dead-letter", what, fix)
            elif queue.max_receive_count < 5:
                what = f"max_receive_count of {queue.name} is {queue.max_receive_count}"
                yield one, Finding("queue-receive-count", what, "set max_receive_count to 5 or more")


def keys(resources: Resources) -> Found:
    """Find resources whose role may work with an encrypted store, but not use its KMS key."""
    stores = [one for one in resources if one.key_uses and one.kms_key_arn]
    for role in {role.arn: role for role in map(_role, resources) if role}.values():
        for store in stores:
            for action, uses in store.key_uses.items():
                if allows_some(role.policy, action, store.content_arn):
                    yield from _missing_uses(role, store, action, uses)


def _missing_uses(role: Role, store: Resource, action: str, uses: tuple[str, ...]) -> Found:
    via = f"{store.service}.{store.region}.amazonaws.com"
    lacking = [use for use in uses if not allows(role.policy, use, store.kms_key_arn, via)]
    if lacking:
        what = f"it may {action} on {store.name}, but not {', '.join(lacking)} with its key through {via}"
        yield role, Finding("kms-key", what, f"allow {', '.join(lacking)} on {store.kms_key_arn}")


def workgroups(resources: Resources) -> Found:
    """Find functions told to query in a workgroup that is not described."""
    known = {one.name for one in resources if isinstance(one, WorkGroup)}
    for one in resources:
        if isinstance(one, Function):
            for name, value in one.environment.items():
                if name.endswith("WORKGROUP") and value and value not in known:
                    what = f"{name} is {value}, which is not described"
                    yield (
                        one,
                        Finding("workgroup-missing", what, "stack.add(…) the WorkGroup, or correct the name"),
                    )


def trail_buckets(resources: Resources) -> Found:
    """Find trails whose bucket does not let CloudTrail write their log files."""
    for one in resources:
        if isinstance(one, Trail):
            needed = delivery(one.logs, one.arn)
            if any(statement not in one.logs.statements for statement in needed):
                what = f"{one.logs.name} does not let CloudTrail write for it"
                fix = f"give the bucket the statements of cloudtrail.delivery(…, {one.arn!r})"
                yield one, Finding("trail-bucket", what, fix)


def inventories(resources: Resources) -> Found:
    """Find inventory configurations whose reports S3 cannot write: in another region, or where it may not."""
    buckets = {one.arn: one for one in resources if isinstance(one, Bucket)}
    for one in resources:
        if not isinstance(one, InventoryConfiguration):
            continue
        source, place = one.source, one.destination
        if not one.region == source.region == place.region:
            what = f"{source.name} is in {source.region}, {place.name} in {place.region}"
            yield one, Finding("inventory-region", what, f"describe a bucket for reports in {source.region}")
        policy = buckets[place.arn].desired()["policy"].values() if place.arn in buckets else ()
        if not any(_lets_inventory_in(statement, source, place) for statement in policy):
            what = f"{place.name} does not let S3 write the reports of {source.name}"
            fix = f"give it statements=[let_inventory_in(…, [{source.arn!r}], …)]"
            yield one, Finding("inventory-policy", what, fix)


def _lets_inventory_in(statement: Statement, source: Bucket, place: Bucket) -> bool:
    """Tell whether a statement is the one that S3 Inventory needs, as AWS describes it."""
    needed = let_inventory_in(place.arn, [source.arn], place.scope.account_id)
    sources = listed(statement.get("Condition", {}).get("ArnLike", {}).get("aws:SourceArn", []))
    if not covers(sources, source.arn):
        return False
    condition = {**statement["Condition"], "ArnLike": {"aws:SourceArn": [source.arn]}}
    return {**statement, "Sid": needed["Sid"], "Condition": condition} == needed


RULES = (
    of_known_regions,
    of_one_region,
    described,
    trust,
    passed_roles,
    execution_roles,
    subscribed_queues,
    scheduled_functions,
    told_topics,
    receive_counts,
    keys,
    workgroups,
    trail_buckets,
    inventories,
)
