"""Rules for bucket notifications: overlaps, also with entries that are not ours, destinations, and loops."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from lib.engine.preflight.form import ResourceFindings
from lib.engine.preflight.grants import allows_some, lets_in
from lib.engine.preflight.iam_data import literal, overlap
from lib.engine.preflight.wiring import granted, reached
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.lambda_ import EventSourceMapping, Function, Permission
from lib.resources.s3 import BucketNotification, encoded_entries_of, in_filter
from lib.resources.sns import Subscription, Topic

SENDS = {"sns": "sns:Publish", "sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}  # by service
Resources = Collection[Resource]
MOST_ENTRIES = 100
# What a function must be allowed to do for events to come about:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
CAUSES = {
    "s3:ObjectCreated:*": ("s3:PutObject",),
    "s3:ObjectRemoved:Delete": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "s3:ObjectRemoved:DeleteMarkerCreated": ("s3:DeleteObject",),
    "s3:ObjectTagging:Put": ("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    "s3:ObjectTagging:Delete": ("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
    "s3:ObjectAcl:Put": ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    "s3:ObjectRestore:Post": ("s3:RestoreObject",),
}


@dataclass(frozen=True)
class Entry:
    """Which events a notification is about, ours or somebody else's.

    Attributes:
        name: Its `Id`.
        events: Names such as `s3:ObjectCreated:*`.
        prefix: What keys begin with, encoded as S3 has it, which compares filters as the texts they are.
        suffix: What they end with, likewise.
    """

    name: str
    events: tuple[str, ...]
    prefix: str
    suffix: str

    def overlaps(self, other: "Entry") -> bool:
        """Tell whether some key's event of some kind would be for both."""
        return (
            any(overlap(one, another) for one in self.events for another in other.events)
            and (self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix))
            and (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))
        )

    @property
    def keys(self) -> str:
        """What keys it is about, for people."""
        return f"{unquote_plus(self.prefix)}*{unquote_plus(self.suffix)}"


def overlaps(resources: Resources) -> ResourceFindings:
    """Find notifications of a bucket that would be for the same events."""
    ours = [one for one in resources if isinstance(one, BucketNotification)]
    for number, one in enumerate(ours):
        for other in ours[:number]:
            if one.bucket.arn == other.bucket.arn and _entry(one).overlaps(_entry(other)):
                yield one, _overlap(_entry(one), _entry(other))


def overlaps_in_account(resources: Resources, unwanted: Resources, client: Callable) -> ResourceFindings:
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


def _entry(one: BucketNotification) -> Entry:
    return Entry(one.name, tuple(one.events), in_filter(one.key_prefix), in_filter(one.key_suffix))


def _entries(client, bucket: str) -> Iterator[Entry]:
    """Yield the entries that a bucket has; none if it cannot be read, which the plan itself tells of."""
    try:
        found = encoded_entries_of(client, bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchBucket", "AccessDenied", "PermanentRedirect"):
            return
        raise
    for entry in found:
        keys = entry["filter"]
        yield Entry(entry["Id"], tuple(entry["events"]), keys.get("prefix", ""), keys.get("suffix", ""))


def destinations(resources: Resources) -> ResourceFindings:
    """Find notifications whose destination does not let the bucket in."""
    permissions = [one for one in resources if isinstance(one, Permission)]
    for one in resources:
        if isinstance(one, BucketNotification) and not _lets_in(one, permissions):
            what = f"{one.destination.name} does not let S3 act for {one.bucket.name}"
            yield one, Finding("notification-destination", what, _how_to_let_in(one))


def _lets_in(one: BucketNotification, permissions: list[Permission]) -> bool:
    place = one.destination
    if isinstance(place, Function):
        statements = granted(place, permissions)
    else:
        statements = list(place.desired()["policy"].values())
    return lets_in(statements, "s3.amazonaws.com", SENDS[place.service], place.arn, one.bucket)


def _how_to_let_in(one: BucketNotification) -> str:
    if isinstance(one.destination, Function):
        return f"add a Permission for s3.amazonaws.com and {one.bucket.arn}, before the notification"
    name = "publishers" if isinstance(one.destination, Topic) else "senders"
    return f"give the destination {name}={{'s3.amazonaws.com': {one.bucket.arn!r}}}"


def loops(resources: Resources) -> ResourceFindings:
    """Find notifications that make a function do what the same notification is about, perhaps by a detour."""
    ours = [one for one in resources if isinstance(one, BucketNotification)]
    follow = {one.arn: [other.arn for other in ours if _causes(one, other, resources)] for one in ours}
    for one in ours:
        if one.arn in reached(one.arn, follow):
            names = sorted({function.name for function in _run_by(one, resources)})
            what = f"{', '.join(names)} may write what the notification is about: {_entry(one).keys!r} again"
            fix = (
                "separate by key_prefix what is read from what is written, in the notification and the policy"
            )
            yield one, Finding("notification-loop", what, fix)


def _causes(one: BucketNotification, other: BucketNotification, resources: Resources) -> bool:
    """Tell whether a function that one notification runs may do what the other is about."""
    actions = {
        action
        for event in other.events
        for cause, needed in CAUSES.items()
        if overlap(event, cause)
        for action in needed
    }
    objects = f"{other.bucket.arn}/{literal(other.key_prefix)}*{literal(other.key_suffix)}"
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
