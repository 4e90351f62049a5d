"""Rules for what is in the account already and not ours: other people's notifications and statements."""

from collections.abc import Callable, Collection, Iterator

from botocore.exceptions import ClientError

from lib.findings import Finding
from lib.policies import merge
from lib.preflight import notifications
from lib.resources.base import Resource
from lib.resources.sqs import Queue, policy_checks


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
    for one in resources:
        if isinstance(one, Queue):
            policy = merge(_policy(client(one), one), one.desired()["policy"].values())
            yield from ((one, finding) for finding in policy_checks(policy["Statement"]))


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
