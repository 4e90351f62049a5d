"""Rules for what is in the account: others' notifications, statements and trails, buckets, KMS keys."""

from collections.abc import Callable, Collection, Iterator

from botocore.exceptions import ClientError

from lib.engine.preflight import notifications
from lib.resources.base import TAG_ENV, Resource
from lib.resources.checks import Finding
from lib.resources.cloudtrail import Trail
from lib.resources.policies import merge
from lib.resources.s3_inventory import InventoryConfiguration
from lib.resources.sqs import Queue, policy_checks
from lib.target import Target

MOST_TRAILS = 5  # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
USABLE = {"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}


def check(
    resources: Collection[Resource], unwanted: Collection[Resource], target: Target
) -> Iterator[tuple[Resource, Finding]]:
    """Yield what AWS would refuse because of what others have set. Reads only.

    Args:
        resources: All of a stack.
        unwanted: Those that are going to be deleted.
        target: The AWS to look at.
    """

    def client(one: Resource):
        return target.client(one.service, one.region)

    yield from _keys(resources, lambda region: target.client("kms", region))
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
            elif one.source.is_made and found["tags"].get(TAG_ENV) != one.scope.env:
                what = f"{one.source.name} has the tags {found['tags']}: this runbook did not make it"
                fix = f"leave {pipeline} out of audit.inventory_of, or remove the bucket"
                yield one, Finding("inventory-source", what, fix)


def _keys(resources: Collection[Resource], kms: Callable) -> Iterator[tuple[Resource, Finding]]:
    """Find keys that cannot encrypt, each with the first store that is to have it."""
    stores = [one for one in resources if one.is_encrypted and one.kms_key_arn]
    for store in {one.kms_key_arn: one for one in reversed(stores)}.values():
        if wrong := _wrong_with(kms(store.region), store.kms_key_arn):
            fix = "name another key in kms_key_arns, or correct this one (docs/real-account.md, 5)"
            yield store, Finding("kms-key-usable", f"its key {store.kms_key_arn} {wrong}", fix)


def _wrong_with(client, key_arn: str) -> str:
    """Say what is wrong with a key; empty if nothing is."""
    try:
        key = client.describe_key(KeyId=key_arn)["KeyMetadata"]
    except ClientError as error:
        if (code := error.response["Error"]["Code"]) in ("NotFoundException", "AccessDeniedException"):
            return f"cannot be looked at: {code}"
        raise
    found = {name: key.get(name) for name in USABLE}
    return "" if found == USABLE else f"is {', '.join(f'{name} {value}' for name, value in found.items())}"


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
