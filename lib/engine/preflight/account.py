"""Rules for what is in the account: others' notifications, statements and trails, buckets, KMS keys."""

import json
from collections.abc import Callable, Collection, Iterator

from botocore.exceptions import ClientError

from lib.base.refusals import DENIED, code_of, is_denied
from lib.engine.preflight import account_set_up, grants, guests, notifications, own_rights
from lib.engine.preflight.form import ResourceFindings
from lib.engine.preflight.grants import lets_in
from lib.engine.preflight.order import named_roles
from lib.engine.preflight.wiring import SNS, function_policy_size, named_workgroups
from lib.resources.athena import workgroup_names
from lib.resources.base import GLOBAL_REGION, TAG_ENV, Resource
from lib.resources.checks import Finding
from lib.resources.cloudtrail import Trail
from lib.resources.iam import Role
from lib.resources.lambda_ import Permission, statements
from lib.resources.policies import merge, statements_of
from lib.resources.s3_inventory import InventoryConfiguration
from lib.resources.sns import Subscription
from lib.resources.sqs import Queue, policy_checks
from lib.target import Target

MOST_TRAILS = 5  # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
USABLE = {"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}


def check(
    resources: Collection[Resource], unwanted: Collection[Resource], target: Target
) -> ResourceFindings:
    """Yield what AWS would refuse because of what others have set. Reads only.

    Args:
        resources: All of a stack.
        unwanted: Those that are going to be deleted.
        target: The AWS to look at.
    """
    client = target.client_of

    def kms(store: Resource):
        return target.client("kms", store.region, store.account_id)

    yield from _keys(resources, kms)
    yield from guests_of_keys(resources, kms)
    yield from notifications.overlaps_in_account(resources, unwanted, client)
    yield from _inventoried(resources, client)
    yield from _boundaries(resources, target.client("iam", GLOBAL_REGION))
    yield from own_rights.check(resources, target)
    yield from account_set_up.check(resources, target)
    yield from _principals(resources, target.client("iam", GLOBAL_REGION))
    yield from _subscribed(resources, lambda region: target.client("sqs", region))
    yield from _workgroups(resources, lambda region: target.client("athena", region))
    yield from _function_policies(resources, client)
    for one in resources:
        if isinstance(one, Queue):
            policy = merge(_policy(client(one), one), one.desired()["policy"].values())
            yield from ((one, finding) for finding in policy_checks(policy["Statement"]))
        if isinstance(one, Trail):
            yield from ((one, finding) for finding in _trails(client(one), one))


def _boundaries(resources: Collection[Resource], iam) -> ResourceFindings:
    """Find that the permissions boundary of the roles is not there; it is the same for all."""
    role = next((one for one in resources if isinstance(one, Role)), None)
    boundary = role.scope.permissions_boundary_arn if role else ""
    if role and boundary.split(":")[4:5] == [role.scope.account_id]:  # AWS's own are there
        try:
            iam.get_policy(PolicyArn=boundary)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in DENIED:
                what = f"whether the permissions boundary {boundary} is there cannot be seen: {code}"
                yield role, Finding("boundary-unseen", what, "let the deployer do iam:GetPolicy on it")
            elif code in ("NoSuchEntity", "InvalidInput", "ValidationError"):
                what, fix = (
                    f"its permissions boundary {boundary} is not there",
                    "make it (docs/real-account.md)",
                )
                yield role, Finding("role-boundary", what, fix)
            else:
                raise


def _principals(resources: Collection[Resource], iam) -> ResourceFindings:
    """Find policies that name a role of the account which is neither described nor there."""
    described = {one.arn for one in resources}
    for one in resources:
        for arn in dict.fromkeys(named_roles(one)):
            if arn not in described:
                name = arn.split("/")[-1]
                try:
                    iam.get_role(RoleName=name)
                except ClientError as error:
                    if (code := error.response["Error"]["Code"]) in DENIED:
                        what = f"its policy names the role {name}, of which nothing can be seen: {code}"
                        yield one, Finding("principal-unseen", what, f"see that {arn} is there")
                    elif code == "NoSuchEntity":
                        what = f"its policy names the role {name}, which is not there"
                        yield one, Finding("policy-principal", what, "make it first, or correct the name")
                    else:
                        raise


def _subscribed(resources: Collection[Resource], sqs: Callable) -> ResourceFindings:
    """Find subscriptions to somebody else's queue that is not there or does not let the topic send."""
    described = {one.arn for one in resources}
    for one in (each for each in resources if isinstance(each, Subscription)):
        is_of_sqs = one.protocol == "sqs" and one.endpoint.count(":") == 5
        if is_of_sqs and one.endpoint not in described:
            _, _, _, region, account_id, name = one.endpoint.split(":")
            owner = {} if account_id == one.scope.account_id else {"QueueOwnerAWSAccountId": account_id}
            try:
                url = sqs(region).get_queue_url(QueueName=name, **owner)["QueueUrl"]
                answer = sqs(region).get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code.endswith(("QueueDoesNotExist", "NonExistentQueue")):
                    fix = "make it first, or correct the endpoint"
                    yield one, Finding("subscription-queue", f"{name} does not exist", fix)
                elif code in DENIED:
                    what = f"whether {name} lets {one.topic.name} send to it cannot be seen: {code}"
                    yield one, Finding("subscription-unseen", what, "see that its policy lets the topic send")
                else:
                    raise
                continue
            policy = statements_of(answer.get("Attributes", {}).get("Policy"))
            if not lets_in(policy, SNS, "sqs:SendMessage", one.endpoint, one.topic):
                what = f"{name} does not let {one.topic.name} send to it"
                fix = f"have its owner let {SNS} send for {one.topic.arn}"
                yield one, Finding("subscription-queue", what, fix)


def _workgroups(resources: Collection[Resource], athena: Callable) -> ResourceFindings:
    """Find functions told to query in a workgroup that nobody has made."""
    for one, variable, name in named_workgroups(resources):
        if not name.startswith(one.scope.beginning) and name not in workgroup_names(athena(one.region)):
            what = f"{variable} is {name}, which {one.region} does not have"
            yield one, Finding("workgroup-missing", what, "stack.add(…) a WorkGroup, or correct the name")


def _function_policies(resources: Collection[Resource], client: Callable) -> ResourceFindings:
    """Find functions whose policy would be too large together with what others have put into it."""
    permissions = [one for one in resources if isinstance(one, Permission)]
    names = {one.name for one in permissions}
    for arn in dict.fromkeys(one.function.arn for one in permissions):
        function = next(one.function for one in permissions if one.function.arn == arn)
        others = [each for each in statements(client(function), function.name) if each["Sid"] not in names]
        if others:
            found = function_policy_size(function, permissions, others)
            yield from ((function, finding) for finding in found)


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


def _inventoried(resources: Collection[Resource], client: Callable) -> ResourceFindings:
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


def _keys(resources: Collection[Resource], kms: Callable) -> ResourceFindings:
    """Find keys that cannot encrypt, each with the first store that is to have it."""
    stores = [one for one in resources if one.is_encrypted and one.kms_key_arn]
    for store in {one.kms_key_arn: one for one in reversed(stores)}.values():
        if wrong := _wrong_with(kms(store), store.kms_key_arn):
            fix = "name another key in kms_key_arns, or correct this one (docs/real-account.md, 5)"
            yield store, Finding("kms-key-usable", f"its key {store.kms_key_arn} {wrong}", fix)


def guests_of_keys(resources: Collection[Resource], kms: Callable) -> ResourceFindings:
    """Find keys of another account that do not let in the roles which work with what they encrypt.

    Args:
        resources: All of a stack.
        kms: Gives the KMS client of a store's region and account.
    """
    roles = [one for one in resources if isinstance(one, Role)]
    for store in resources:
        if not store.is_encrypted or not store.kms_key_arn or store.account_id == store.scope.account_id:
            continue
        try:
            policy = _key_policy(kms(store), store.kms_key_arn)
        except ClientError as error:
            if not is_denied(error):
                raise
            what = f"the policy of its key {store.kms_key_arn} cannot be seen: {code_of(error)}"
            fix = f"see that it lets in {', '.join(_users(roles, store)) or 'no role'}"
            yield store, Finding("kms-key-guest-unseen", what, fix)
            continue
        for role in roles:
            uses = [use for use in guests.USES if grants.allows(role.policy, use, store.kms_key_arn)]
            lacking = [use for use in uses if policy and not guests.lets_use(policy, role.arn, use)]
            if lacking:
                what = (
                    f"the policy of its key {store.kms_key_arn} does not let {role.arn} {', '.join(lacking)}"
                )
                fix = "add a statement for that role to the key's policy (docs/real-account.md, 7)"
                yield store, Finding("kms-key-guest", what, fix)


def _key_policy(client, key_arn: str) -> dict | None:
    """Return a key's policy; none if there is no such key, of which another rule tells."""
    try:
        return json.loads(client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    except ClientError as error:
        if code_of(error) == "NotFoundException":
            return None
        raise


def _users(roles: Collection[Role], store: Resource) -> list[str]:
    """Return the ARNs of the roles that use a store's key."""
    return [
        role.arn
        for role in roles
        if any(grants.allows(role.policy, use, store.kms_key_arn) for use in guests.USES)
    ]


def _wrong_with(client, key_arn: str) -> str:
    """Say what is wrong with a key; empty if nothing is."""
    try:
        key = client.describe_key(KeyId=key_arn)["KeyMetadata"]
    except ClientError as error:
        if (code := code_of(error)) == "NotFoundException" or is_denied(error):
            return f"cannot be looked at: {code}"
        raise
    # Its policy lets one service use it in one way, and nobody can change that:
    # https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key
    if (manager := key.get("KeyManager", "CUSTOMER")) != "CUSTOMER":
        return f"is managed by {manager}, so that no other service can be given it"
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
