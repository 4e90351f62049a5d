"""Rules for bucket notifications: overlaps, also with entries that are not ours, destinations, and loops."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from lib.engine.preflight.grants import allows_some
from lib.engine.preflight.iam_data import overlap
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.lambda_ import EventSourceMapping, Function, Permission
from lib.resources.s3 import KINDS, BucketNotification
from lib.resources.sns import Subscription, Topic
from lib.resources.sqs import Queue

Resources = Collection[Resource]
Found = Iterator[tuple[Resource, Finding]]
MOST_ENTRIES = 100
# What a function must be allowed to do for events to come about, by how their names begin.
CAUSES = {"s3:ObjectCreated:": "s3:PutObject", "s3:ObjectRemoved:": "s3:DeleteObject"}


@dataclass(frozen=True)
class Entry:
    """Which events a notification is about, ours or somebody else's.

    Attributes:
        name: Its `Id`.
        events: Names such as `s3:ObjectCreated:*`.
        keys: A pattern of the keys: its prefix, `*` and its suffix.
    """

    name: str
    events: tuple[str, ...]
    keys: str

    def overlaps(self, other: "Entry") -> bool:
        """Tell whether some key's event of some kind would be for both."""
        same = any(overlap(one, another) for one in self.events for another in other.events)
        return same and overlap(self.keys, other.keys)


def overlaps(resources: Resources) -> Found:
    """Find notifications of a bucket that would be for the same events."""
    ours = [one for one in resources if isinstance(one, BucketNotification)]
    for number, one in enumerate(ours):
        for other in ours[:number]:
            if one.bucket.arn == other.bucket.arn and _entry(one).overlaps(_entry(other)):
                yield one, _overlap(_entry(one), _entry(other))


def overlaps_in_account(resources: Resources, unwanted: Resources, client: Callable) -> Found:
    """Find notifications that overlap with entries that are there and not ours, and too many of them.

    Args:
        resources: Those that are described.
        unwanted: Those that are going to be deleted.
        client: Gives the client that a resource is read with.
    """
    ours = [one for one in resources if isinstance(one, BucketNotification)]
    names = {one.name for one in [*ours, *unwanted]}
    for bucket in {one.bucket.arn: one.bucket for one in ours}.values():
        here = [one for one in ours if one.bucket.arn == bucket.arn]
        others = [entry for entry in _entries(client(bucket), bucket.name) if entry.name not in names]
        for one in here:
            yield from (
                (one, _overlap(_entry(one), other)) for other in others if _entry(one).overlaps(other)
            )
        if (entries := len(here) + len(others)) > MOST_ENTRIES:
            what = f"{bucket.name} would have {entries} notifications"
            yield here[0], Finding("notification-quota", what, f"keep to {MOST_ENTRIES}, ours and others'")


def _overlap(one: Entry, other: Entry) -> Finding:
    what = (
        f"its events {', '.join(one.events)} of {one.keys!r} overlap with those of {other.name}: "
        f"{', '.join(other.events)} of {other.keys!r}"
    )
    fix = (
        "choose a key_prefix or key_suffix that no key has in common, or other events; or let both "
        "subscribe to one SNS topic"
    )
    return Finding("notification-overlap", what, fix)


def _entry(notification: BucketNotification) -> Entry:
    keys = f"{notification.key_prefix}*{notification.key_suffix}"
    return Entry(notification.name, tuple(notification.events), keys)


def _entries(client, bucket: str) -> Iterator[Entry]:
    """Yield the entries that a bucket has; none if it cannot be read, which the plan itself tells of."""
    try:
        configuration = client.get_bucket_notification_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchBucket", "AccessDenied", "PermanentRedirect"):
            return
        raise
    for kind, _ in KINDS.values():
        for entry in configuration.get(kind, []):
            rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            parts = {rule["Name"].lower(): rule["Value"] for rule in rules}
            keys = f"{parts.get('prefix', '')}*{parts.get('suffix', '')}"
            yield Entry(entry["Id"], tuple(entry["Events"]), keys)


def destinations(resources: Resources) -> Found:
    """Find notifications whose destination does not let the bucket in."""
    permissions = [one for one in resources if isinstance(one, Permission)]
    for one in resources:
        if isinstance(one, BucketNotification) and not _lets_in(one, permissions):
            what = f"{one.destination.name} does not let S3 act for {one.bucket.name}"
            yield one, Finding("notification-destination", what, _how_to_let_in(one))


def _lets_in(one: BucketNotification, permissions: list[Permission]) -> bool:
    if isinstance(one.destination, Topic):
        return one.destination.publishers.get("s3.amazonaws.com") == one.bucket.arn
    if isinstance(one.destination, Queue):
        return one.destination.senders.get("s3.amazonaws.com") == one.bucket.arn
    return any(
        permission.function.arn == one.destination.arn
        and (permission.principal, permission.source_arn) == ("s3.amazonaws.com", one.bucket.arn)
        for permission in permissions
    )


def _how_to_let_in(one: BucketNotification) -> str:
    if isinstance(one.destination, Function):
        return f"add a Permission for s3.amazonaws.com and {one.bucket.arn}, before the notification"
    name = "publishers" if isinstance(one.destination, Topic) else "senders"
    return f"give the destination {name}={{'s3.amazonaws.com': {one.bucket.arn!r}}}"


def loops(resources: Resources) -> Found:
    """Find notifications that make a function do what the same notification is about, perhaps by a detour."""
    ours = [one for one in resources if isinstance(one, BucketNotification)]
    follow = {one.arn: [other.arn for other in ours if _causes(one, other, resources)] for one in ours}
    for one in ours:
        if one.arn in _reached(one.arn, follow):
            names = sorted({function.name for function in _run_by(one, resources)})
            what = f"{', '.join(names)} may write what the notification is about: {_entry(one).keys!r} again"
            fix = (
                "separate by key_prefix what is read from what is written, in the notification and the policy"
            )
            yield one, Finding("notification-loop", what, fix)


def _reached(start: str, follow: dict[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    todo = [start]
    while todo:
        new = set(follow[todo.pop()]) - reached
        reached |= new
        todo += new
    return reached


def _causes(one: BucketNotification, other: BucketNotification, resources: Resources) -> bool:
    """Tell whether a function that one notification runs may do what the other is about."""
    actions = {
        action for event in other.events for begin, action in CAUSES.items() if overlap(event, f"{begin}*")
    }
    objects = f"{other.bucket.arn}/{_entry(other).keys}"
    functions = _run_by(one, resources)
    return any(allows_some(f.role.policy, action, objects) for f in functions for action in actions)


def _run_by(one: BucketNotification, resources: Resources) -> list[Function]:
    """Return the functions that a notification runs, also by topic and queue, and those they hand over to."""
    if isinstance(one.destination, Function):
        return _handed_over(one.destination, resources)
    queues = {one.destination.arn}
    if isinstance(one.destination, Topic):
        subscriptions = [each for each in resources if isinstance(each, Subscription)]
        queues = {each.endpoint for each in subscriptions if each.topic.arn == one.destination.arn}
    mappings = [each for each in resources if isinstance(each, EventSourceMapping)]
    run = [each.function for each in mappings if each.queue.arn in queues]
    return [function for each in run for function in _handed_over(each, resources)]


def _handed_over(function: Function, resources: Resources) -> list[Function]:
    names = {value for name, value in function.environment.items() if name.endswith("_FUNCTION")}
    others = [one for one in resources if isinstance(one, Function) and one.name in names]
    return [function, *others]


RULES = (overlaps, destinations, loops)
