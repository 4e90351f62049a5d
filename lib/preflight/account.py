"""Rules for what is in the account: others' notifications, statements and trails, pipelines' buckets."""

from collections.abc import Callable, Collection, Iterator

from botocore.exceptions import ClientError

from lib.findings import Finding
from lib.policies import merge
from lib.preflight import notifications
from lib.resources.base import TAG_ENV, Resource
from lib.resources.cloudtrail import Trail
from lib.resources.s3_inventory import InventoryConfiguration
from lib.resources.sqs import Queue, policy_checks

MOST_TRAILS = 5  # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html


def check(
    resources: Collection[Resource], unwanted: Collection[Resource], client: Callable
) -> Iterator[tuple[Resource, Finding]]:
    """Yield what AWS would refuse because of what others have set. Reads only.

    Args:
        resources: All of a stack.
        unwanted: Those that are going to be deleted.
        client: Gives the client that a resource is read with.
    """
    yield from notifications.overlaps_in_account(resources, unwanted, client)
    yield from _inventoried(resources, client)
    for one in resources:
        if isinstance(one, Queue):
            policy = merge(_policy(client(one), one), one.desired()["policy"].values())
            yield from ((one, finding) for finding in policy_checks(policy["Statement"]))
        if isinstance(one, Trail):
            yield from ((one, finding) for finding in _trails(client(one), one))


def _trails(client, ours: Trail) -> Iterator[Finding]:
    """Find that a region has no room for one more trail; whether an organization's count, nobody says."""
    listed = client.describe_trails()["trailList"]  # of the region, and those of all regions
    others = [
        one for one in listed if one["TrailARN"] != ours.arn and not one.get("IsOrganizationTrail", False)
    ]
    if len(others) >= MOST_TRAILS:
        names = ", ".join(one["Name"] for one in others)
        what = f"{ours.region} has {len(others)} trails already: {names}"
        yield Finding("trail-quota", what, "delete one, or set observe.trail to false")


def _inventoried(resources: Collection[Resource], client: Callable) -> Iterator[tuple[Resource, Finding]]:
    """Find inventory configurations of buckets that are neither described nor the runbook's own."""
    described = {one.arn for one in resources}
    for one in resources:
        if isinstance(one, InventoryConfiguration) and one.source.arn not in described:
            found, pipeline = one.source.read(client(one.source)), one.source.scope.pipeline
            if found is None:
                fix = f"deploy it, `runbook run {pipeline}`, or leave {pipeline} out of audit.inventory_of"
                what = f"{pipeline} is not deployed: {one.source.name} does not exist"
                yield one, Finding("inventory-source", what, fix)
            elif found["tags"].get(TAG_ENV) != one.scope.env:
                what = f"{one.source.name} has the tags {found['tags']}: this runbook did not make it"
                fix = f"leave {pipeline} out of audit.inventory_of, or remove the bucket"
                yield one, Finding("inventory-source", what, fix)


def _policy(client, queue: Queue) -> str | None:
    """Return the policy that a queue has; none if it cannot be read, which the plan itself tells of."""
    try:
        url = client.get_queue_url(QueueName=queue.name)["QueueUrl"]
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"].endswith(
            ("QueueDoesNotExist", "NonExistentQueue", "AccessDenied")
        ):
            return None
        raise
    return answer.get("Attributes", {}).get("Policy")
