"""Rules for what resources have to do with each other: regions, roles, triggers, keys."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from functools import cache

from lib.base.paths import ROOT
from lib.engine.preflight.form import ResourceFindings, listed
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
RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
WRITE_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
WRITE_TABLES = ("glue:CreateTable", "glue:UpdateTable")
PRIMARY = "primary"  # the workgroup that every account has in each region
MOST_FUNCTION_POLICY_BYTES = 20480  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
INVOKE, SNS = "lambda:InvokeFunction", "sns.amazonaws.com"


def of_known_regions(resources: Resources) -> ResourceFindings:
    """Find resources in regions that AWS does not have."""
    for one in resources:
        if one.region not in regions():
            what, fix = f"region is {one.region!r}", "write the name of a region, such as us-east-1"
            yield one, Finding("region-unknown", what, fix)


def of_one_region(resources: Resources) -> ResourceFindings:
    """Find resources whose parts are in another region, where AWS wants them in one."""
    for one in resources:
        for name in one.same_region:
            part = getattr(one, name)
            if part is not None and part.region != one.region:
                what = f"{name} {part.name} is in {part.region}, not in {one.region}"
                yield one, Finding("one-region", what, f"describe both in {one.region}")


def described(resources: Resources) -> ResourceFindings:
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


def trust(resources: Resources) -> ResourceFindings:
    """Find resources with a role that their service may not take on."""
    for one in resources:
        role = _role(one)
        if role and role.trusts != one.assumed_by:
            what = f"role {role.name} trusts {role.trusts}, not {one.assumed_by}"
            yield one, Finding("role-trust", what, f"describe the role with trusts={one.assumed_by!r}")


def passed_roles(resources: Resources) -> ResourceFindings:
    """Find roles that the deployer may not hand to the service they trust, by its policy in lib/policies."""
    for one in resources:
        if isinstance(one, Role) and not one.trusts_account and one.trusts not in _services_that_get_roles():
            what = f"the deployer may not pass it to {one.trusts}"
            fix = f"add {one.trusts} to iam:PassedToService in lib/policies/deployer-policy.json"
            yield one, Finding("pass-role", what, fix)


@cache
def _services_that_get_roles() -> list[str]:
    policies = json.loads((ROOT / "lib/policies/deployer-policy.json").read_text("utf-8")).values()
    statements = [statement for policy in policies for statement in policy["Statement"]]
    passing = [one for one in statements if "iam:PassRole" in one["Action"]]
    return [name for one in passing for name in one["Condition"]["StringEquals"]["iam:PassedToService"]]


def execution_roles(resources: Resources) -> ResourceFindings:
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


def subscribed_queues(resources: Resources) -> ResourceFindings:
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


def scheduled_functions(resources: Resources) -> ResourceFindings:
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
    return [one.statement for one in permissions if one.function.arn == function.arn]


def told_topics(resources: Resources) -> ResourceFindings:
    """Find alarms whose topic does not let CloudWatch publish."""
    for one in resources:
        if isinstance(one, Alarm):
            statements = one.topic.desired()["policy"].values()
            if not lets_in(statements, "cloudwatch.amazonaws.com", "sns:Publish", one.topic, one):
                what = f"{one.topic.name} does not let the alarm publish"
                fix = "give the topic publishers={'cloudwatch.amazonaws.com': alarm_arns(…)}"
                yield one, Finding("alarm-topic", what, fix)


def receive_counts(resources: Resources) -> ResourceFindings:
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


def boundaries(resources: Resources) -> ResourceFindings:
    """Find roles whose permissions boundary is another account's."""
    for one in resources:
        boundary = one.scope.permissions_boundary_arn
        if isinstance(one, Role) and boundary:
            owner = boundary.split(":")[4] if boundary.count(":") >= 5 else ""
            if owner not in (one.scope.account_id, "aws"):
                what = f"its permissions boundary {boundary} is not of the account {one.scope.account_id}"
                fix = "name a policy of this account in permissions_boundary_arn"
                yield one, Finding("role-boundary", what, fix)


def dead_letters(resources: Resources) -> ResourceFindings:
    """Find queues whose dead letters would go to another account, or back to themselves."""
    for one in resources:
        if isinstance(one, Queue) and one.dead_letter:
            place = one.dead_letter
            if place.scope.account_id != one.scope.account_id:
                what = f"dead_letter {place.name} is in the account {place.scope.account_id}"
                fix = f"describe a queue in {one.scope.account_id} for them"
                yield one, Finding("dead-letter-account", what, fix)


def failure_loops(resources: Resources) -> ResourceFindings:
    """Find queues to which what failed on them comes back: by dead letters, or by a function's failures."""
    follow: dict[str, set[str]] = {}
    for one in resources:
        if isinstance(one, Queue) and one.dead_letter:
            follow.setdefault(one.arn, set()).add(one.dead_letter.arn)
        elif isinstance(one, EventSourceMapping):
            follow.setdefault(one.queue.arn, set()).add(one.function.arn)
        elif isinstance(one, EventInvokeConfig):
            follow.setdefault(one.function.arn, set()).add(one.on_failure.arn)
    for one in resources:
        if isinstance(one, Queue) and one.arn in reached(one.arn, follow):
            what = "what fails comes back to it, by dead letters or by the failures of the function it runs"
            yield one, Finding("failure-loop", what, "give the failures a queue that runs nothing")


def reached(start: str, follow: Mapping[str, Collection[str]]) -> set[str]:
    """Return all that one is led to, step by step; itself only if it is led back.

    Args:
        start: Where to begin.
        follow: To what each leads.
    """
    found: set[str] = set()
    todo = [start]
    while todo:
        new = set(follow.get(todo.pop(), ())) - found
        found |= new
        todo += new
    return found


def log_groups(resources: Resources) -> ResourceFindings:
    """Find functions whose log group is not described, so that Lambda would make it, or could not."""
    known = {one.name for one in resources if isinstance(one, LogGroup)}
    for one in resources:
        if isinstance(one, Function) and (name := log_group_name(one.name)) not in known:
            here = f"arn:aws:logs:{one.region}:{one.scope.account_id}:log-group:{name}"
            makes = allows(one.role.policy, "logs:CreateLogGroup", here)
            if makes and all(allows(one.role.policy, action, f"{here}:*") for action in WRITE_LOG):
                what = f"{name} is not described: Lambda makes it, without an end"
            else:
                what = f"{name} is not described, and {one.role.name} may not make it: nothing is logged"
            fix = f"stack.add(…) logs.LogGroup({one.what!r}, {one.region!r}), and let the role write it"
            yield one, Finding("log-group-missing", what, fix)


def function_policies(resources: Resources) -> ResourceFindings:
    """Find functions that so many may invoke that their policy is too large."""
    permissions = [one for one in resources if isinstance(one, Permission)]
    for one in resources:
        if isinstance(one, Function):
            yield from ((one, finding) for finding in function_policy_size(one, permissions, []))


def function_policy_size(
    function: Function, permissions: Collection[Permission], others: Collection[Statement]
) -> Iterator[Finding]:
    """Find that a function's policy is larger than Lambda takes.

    Args:
        function: The function.
        permissions: Those that are described, of any functions.
        others: Statements of others that its policy has.
    """
    ours = granted(function, permissions)
    whole = {"Version": "2012-10-17", "Id": "default", "Statement": [*others, *ours]}
    size = len(json.dumps(whole, separators=(",", ":")))
    if ours and size > MOST_FUNCTION_POLICY_BYTES:
        what = f"its policy would have {size} bytes, with {len(ours)} permissions"
        fix = "describe one permission whose source_arn has wildcards, in the place of many"
        yield Finding("function-policy-size", what, fix)


def crawled(resources: Resources) -> ResourceFindings:
    """Find crawlers in whose folder something else lies than what they are to read."""
    for one in resources:
        if isinstance(one, Crawler):
            for what, prefix in _beside(one, resources):
                folder = one.key_prefix[: one.key_prefix.rfind("/") + 1]
                if folder.startswith(prefix) or prefix.startswith(folder):
                    fix = "give it a bucket of its own, or the crawler a key_prefix that leaves it out"
                    text = f"s3://{one.bucket.name}/{folder} holds {what}, which become tables, too"
                    yield one, Finding("crawled-bucket", text, fix)


def _beside(crawler: Crawler, resources: Resources) -> Iterator[tuple[str, str]]:
    """Yield what is written into the bucket of a crawler that is no data of it, and below which prefix."""
    bucket = crawler.bucket.arn
    for one in resources:
        if isinstance(one, WorkGroup) and one.results.arn == bucket:
            yield f"the results of {one.name}", ""
        elif isinstance(one, Trail) and one.logs.arn == bucket:
            yield f"the log files of {one.name}", "AWSLogs/"
        elif isinstance(one, InventoryConfiguration) and one.destination.arn == bucket:
            yield f"the reports {one.name}", f"{one.source.name}/"
    for other in crawler.scope.adopted:
        if other.is_written and other.arn == bucket and other.pipeline != crawler.scope.pipeline:
            yield from ((f"what {other.pipeline} writes", prefix) for prefix in other.prefixes)


def keys(resources: Resources) -> ResourceFindings:
    """Find resources whose role may work with an encrypted store, but not use its KMS key."""
    stores = [one for one in resources if one.key_uses and one.kms_key_arn]
    for role in {role.arn: role for role in map(_role, resources) if role}.values():
        for store in stores:
            for action, uses in store.key_uses.items():
                if allows_some(role.policy, action, store.content_arn):
                    yield from _missing_uses(role, store, action, uses)


def _missing_uses(role: Role, store: Resource, action: str, uses: tuple[str, ...]) -> ResourceFindings:
    via = f"{store.service}.{store.region}.amazonaws.com"
    lacking = [use for use in uses if not allows(role.policy, use, store.kms_key_arn, via)]
    if lacking:
        what = f"it may {action} on {store.name}, but not {', '.join(lacking)} with its key through {via}"
        yield role, Finding("kms-key", what, f"allow {', '.join(lacking)} on {store.kms_key_arn}")


def workgroups(resources: Resources) -> ResourceFindings:
    """Find functions told to query in a workgroup of the pipeline that is not described."""
    for one, variable, name in named_workgroups(resources):
        if name.startswith(one.scope.beginning):
            what = f"{variable} is {name}, which is not described"
            yield one, Finding("workgroup-missing", what, "stack.add(…) the WorkGroup, or correct the name")


def named_workgroups(resources: Resources) -> Iterator[tuple[Function, str, str]]:
    """Yield functions told to query in a workgroup that is not described: also the variable and the name."""
    known = {one.name for one in resources if isinstance(one, WorkGroup)} | {"", PRIMARY}
    for one in resources:
        if isinstance(one, Function):
            for variable, name in one.environment.items():
                if variable.endswith("WORKGROUP") and name not in known:
                    yield one, variable, name


def trail_buckets(resources: Resources) -> ResourceFindings:
    """Find trails whose bucket does not let CloudTrail write their log files."""
    for one in resources:
        if isinstance(one, Trail):
            needed = delivery(one.logs, one.arn)
            if any(statement not in one.logs.statements for statement in needed):
                what = f"{one.logs.name} does not let CloudTrail write for it"
                fix = f"give the bucket the statements of cloudtrail.delivery(…, {one.arn!r})"
                yield one, Finding("trail-bucket", what, fix)


def inventories(resources: Resources) -> ResourceFindings:
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
    needed = let_inventory_in(place.arn, [source.arn], source.account_id)
    sources = listed(statement.get("Condition", {}).get("ArnLike", {}).get("aws:SourceArn", []))
    if not covers(sources, source.arn):
        return False
    condition = {**statement["Condition"], "ArnLike": {"aws:SourceArn": [source.arn]}}
    return {**statement, "Sid": needed["Sid"], "Condition": condition} == needed


RULES = (
    boundaries,
    dead_letters,
    failure_loops,
    log_groups,
    function_policies,
    crawled,
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
