"""Deletes what the lifecycle rules of buckets say has expired: `corrections/s3.py` says what, and why.

It is looked when the server starts and after each midnight, UTC, since nothing becomes due at another time.
Requests are answered meanwhile: it works for a moment, and then waits as long.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from ministack.core.responses import get_region, new_uuid, request_scope
from ministack.services import s3

from lib.local.in_server.announcements import NO_TRANSITIONS
from lib.local.in_server.announcing import announcing
from lib.local.in_server.corrections import s3 as corrections
from lib.local.in_server.lifecycle import DAY_S, Due, Rule, Version, due, expires, seconds, upload_is_due

LOOK_EVERY_S = 600  # whether it is another day: a laptop may have slept
SLICE_S = 0.02
DELETES = ("Expiration", "NoncurrentVersionExpiration")
TRANSITIONS = ("Transitions", "NoncurrentVersionTransitions")  # as they are kept
ACTIONS = (*DELETES, "AbortIncompleteMultipartUpload", "Transition", "NoncurrentVersionTransition")
# Who does it, in events.
BY_S3 = {
    "userIdentity": {"principalId": "s3.amazonaws.com"},
    "requestParameters": {"sourceIPAddress": "s3.amazonaws.com"},
}
EVENT = "s3:LifecycleExpiration:"
NOTHING: dict = {"objects": {}}
NUMBERS = {"Days", "NoncurrentDays", "DaysAfterInitiation", "NewerNoncurrentVersions"}
NUMBERS |= {"ObjectSizeGreaterThan", "ObjectSizeLessThan"}

logger = logging.getLogger("lifecycle")
_tasks: list[asyncio.Task] = []  # the loop alone would let them be collected


@corrections.LIFECYCLE.replacing("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved, and begin to look for what has expired."""
    load.original()
    _tasks.append(asyncio.get_running_loop().create_task(keep_looking()))


async def keep_looking() -> None:
    """Look once a day."""
    looked_on = None
    while True:
        now = time.time()
        if now // DAY_S != looked_on:
            await look(now)
            looked_on = now // DAY_S
        await asyncio.sleep(LOOK_EVERY_S)


async def look(now: float) -> None:
    """Delete what has expired; what cannot be is logged, and the rest goes on.

    Args:
        now: Seconds since 1970.
    """
    pace = Pace()
    keys: dict[tuple[str, str], dict[str, None]] = {}
    for account, bucket in list(s3._bucket_lifecycle._data):
        with request_scope(account, get_region()):
            with logged(f"unfinished uploads into {bucket}"):
                give_up_uploads(bucket, rules_of(bucket), now)
            if any(name in rule for rule in rules_of(bucket) for name in DELETES):
                keys[account, bucket] = dict.fromkeys((s3._buckets.get(bucket) or NOTHING)["objects"])
    for account, (bucket, key) in list(s3._object_versions._data) if keys else ():
        if (account, bucket) in keys:
            keys[account, bucket][key] = None
        await pace.keep()
    for (account, bucket), of_it in keys.items():
        with request_scope(account, get_region()):
            for key in of_it:
                with logged(f"{bucket}/{key}"):
                    expire(bucket, key, rules_of(bucket), now)
                await pace.keep()


@contextmanager
def logged(what: str) -> Iterator[None]:
    """Log that something could not be looked at, and go on with the rest."""
    try:
        yield
    except Exception:
        logger.exception("lifecycle: %s could not be looked at", what)


class Pace:
    """Lets others work for as long as it has worked."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def keep(self) -> None:
        """Wait, if it was worked for long enough."""
        if (worked_s := time.monotonic() - self._began) > SLICE_S:
            await asyncio.sleep(worked_s)
            self._began = time.monotonic()


def give_up_uploads(bucket: str, rules: Sequence[Rule], now: float) -> None:
    """Give up the uploads in parts that were begun too long ago."""
    for upload_id, upload in list(s3._multipart_uploads.items()) if rules else ():
        if upload["bucket"] == bucket and upload_is_due(
            rules, upload["key"], seconds(upload["created"]), now
        ):
            s3._multipart_uploads.pop(upload_id, None)


def rules_of(bucket: str) -> list[Rule]:
    """Return the rules of a bucket that are known whole.

    One that a server before has kept without its prefix is not, nor one with a number that is none.
    """
    found = s3._bucket_lifecycle.get(bucket)
    if not isinstance(found, list):
        return []
    return [rule for rule in found if (rule.get("Filter") or "Prefix" in rule) and numbers_are_whole(rule)]


def numbers_are_whole(value: object) -> bool:
    """Return whether what is to be a number is one, wherever it stands in a rule."""
    if not isinstance(value, dict):
        return True
    return all(
        isinstance(each, int) if name in NUMBERS else numbers_are_whole(each) for name, each in value.items()
    )


def expire(bucket: str, key: str, rules: Sequence[Rule], now: float) -> None:
    """Delete what of a key has expired, unless it is locked, and tell of it who wants to know."""
    if not (versions := versions_of(bucket, key)):
        return
    found = due(rules, key, versions, now)
    if found == Due():
        return
    ids = [each for each in found.versions if not is_locked(bucket, key, each)]
    if ids:
        if versions[-1].version_id in ids:  # a delete marker that nothing is under
            s3._delete_object_version(s3._buckets[bucket], bucket, key, ids[0])
        else:
            delete_noncurrent(bucket, key, ids)
        for version_id in ids:
            tell("Delete", bucket, key, version_id=version_id)
    if found.current:
        expire_current(bucket, key, versions[-1], now)


def versions_of(bucket: str, key: str) -> list[Version]:
    """Return the versions of a key, the oldest first; an object of a bucket without versions is one."""
    kept = s3._object_versions.get((bucket, key))
    if not kept:
        there = (s3._buckets.get(bucket) or NOTHING)["objects"].get(key)
        kept = [there | {"version_id": there.get("version_id") or "null"}] if there else []
    return [version_of(bucket, key, each) for each in kept]


def version_of(bucket: str, key: str, kept: dict) -> Version:
    """Return what lifecycle rules ask of a version."""
    version_id = kept.get("version_id") or "null"
    tags = s3._object_tags.get((bucket, key, inner(version_id)), {})
    marker = bool(kept.get("is_delete_marker"))
    return Version(version_id, seconds(kept["last_modified"]), kept.get("size", 0), tags, marker)


def inner(version_id: str) -> str | None:
    """Return how MiniStack names a version where it keeps tags and locks."""
    return None if version_id == "null" else version_id


def is_locked(bucket: str, key: str, version_id: str) -> bool:
    """Return whether Object Lock keeps a version from being deleted."""
    return s3._check_object_lock(bucket, key, {}, inner(version_id)) is not None


def delete_noncurrent(bucket: str, key: str, ids: Sequence[str]) -> None:
    """Delete noncurrent versions for good; the current one stays as it is."""
    kept = s3._object_versions[(bucket, key)]
    kept[:] = [each for each in kept if each["version_id"] not in ids]
    for version_id in ids:
        s3._delete_version_file(bucket, key, version_id)
        of_it = (bucket, key, inner(version_id))
        for store in (s3._object_tags, s3._object_acl, s3._object_annotations):
            store.pop(of_it, None)
        for store in (s3._object_retention, s3._object_legal_hold):
            store.pop(of_it, None)
    s3._persist_version_state(bucket, key, s3._buckets[bucket])


def expire_current(bucket: str, key: str, version: Version, now: float) -> None:
    """Delete an object, or put a delete marker on top of it; replication does not follow that.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html
    """
    there, versioning = s3._buckets[bucket], s3._bucket_versioning.get(bucket)
    facts = {"size": version.size, "etag": there["objects"][key]["etag"]}
    if versioning != "Enabled" and version.version_id == "null" and is_locked(bucket, key, "null"):
        return
    if versioning not in ("Enabled", "Suspended"):
        s3._purge_current_object(bucket, key, there)
        tell("Delete", bucket, key, **facts)
        return
    version_id = s3._record_delete_marker(bucket, key, there["objects"][key])
    there["objects"].pop(key)
    # S3's marker is of the midnight before, whenever it is made.
    marker = s3._object_versions[(bucket, key)][-1]
    midnight = datetime.fromtimestamp(now // DAY_S * DAY_S, UTC)
    marker["last_modified"] = midnight.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    s3._persist_version_state(bucket, key, there)
    tell("DeleteMarkerCreated", bucket, key, version_id=version_id)


def tell(what: str, bucket: str, key: str, **facts) -> None:
    """Send the event of an expiration to who has asked for it."""
    kind = {"DeleteMarkerCreated": "Delete Marker Created"}.get(what, "Permanently Deleted")
    s3._fire_s3_event_async(bucket, key, EVENT + what, deletion_type=kind, record_extra=BY_S3, **facts)


@corrections.LIFECYCLE.replacing("ministack.services.s3:_s3_event_to_eventbridge")
def to_eventbridge(event_name: str) -> tuple[str, str | None]:
    """Return what an event is called in EventBridge, and its reason."""
    if event_name.startswith(EVENT):
        return "Object Deleted", "Lifecycle Expiration"
    return to_eventbridge.original(event_name)


@corrections.LIFECYCLE_RULES.replacing("ministack.services.s3:_put_bucket_lifecycle")
def put_rules(bucket: str, body: bytes):
    """Keep the rules of a bucket, each with its id and with its prefix, where it has that as of old."""
    try:
        rules = [each for each in s3.fromstring(body) if local_name(each) == "Rule"]
        refusal = next(filter(None, map(refused, rules)), None)
    except (ParseError, ValueError):
        refusal = ("MalformedXML", s3._MALFORMED_XML)
    if refusal and bucket in s3._buckets:
        return s3._error(*refusal, 400, f"/{bucket}")
    answer = put_rules.original(bucket, body)
    if answer[0] == 200:
        for rule, element in zip(s3._bucket_lifecycle[bucket], rules, strict=True):
            rule["Prefix"] = text_of(element, "Prefix")
            rule.setdefault("ID", new_uuid())
        if any(name in rule for rule in s3._bucket_lifecycle[bucket] for name in TRANSITIONS):
            return announcing(answer, NO_TRANSITIONS)
    return answer


def refused(rule: Element) -> tuple[str, str] | None:
    """Return why S3 refuses a rule of which nobody could tell what it is for or when; None if it takes it.

    Raises:
        ValueError: If what is to be a number or a time is none.
    """
    for each in rule.iter():
        if local_name(each) in NUMBERS:
            int(each.text or "")
    malformed = ("MalformedXML", s3._MALFORMED_XML)
    names = [local_name(each) for each in rule]
    if ("Filter" in names) == ("Prefix" in names):
        return malformed
    if not any(name in names for name in ACTIONS):
        return "InvalidRequest", "At least one action needs to be specified in a rule."
    for each in rule:
        said = {local_name(part): (part.text or "").strip() for part in each}
        if local_name(each) == "Expiration":
            when = {name for name, text in said.items() if text.lower() != "false"}
            if len(when) > 1 or not said:
                return malformed
        if local_name(each) == "NoncurrentVersionExpiration" and "NoncurrentDays" not in said:
            return malformed
        if (
            local_name(each) in ("Expiration", "Transition")
            and "Date" in said
            and seconds(said["Date"]) % DAY_S
        ):
            return "InvalidArgument", "'Date' must be at midnight GMT"
    return None


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def text_of(element: Element, name: str) -> str | None:
    """Return the text of an element's child, which may be empty; None if it has none of that name."""
    return next(((each.text or "").strip() for each in element if local_name(each) == name), None)


@corrections.LIFECYCLE_RULES.replacing("ministack.services.s3:_get_bucket_lifecycle")
def get_rules(bucket: str):
    """Return the rules of a bucket, a prefix of old as it was given."""
    status, headers, body = answer = get_rules.original(bucket)
    if status != 200:
        return answer
    before, *texts = body.decode().split("<Rule>")
    for place, rule in enumerate(s3._bucket_lifecycle[bucket]):
        if (prefix := rule.get("Prefix")) is not None:
            of_old = f"<Prefix>{escape(prefix)}</Prefix>"
            texts[place] = texts[place].replace("<Filter></Filter>", of_old, 1)
    return status, headers, "<Rule>".join([before, *texts]).encode()


@corrections.EXPIRATION_HEADER.replacing("ministack.services.s3:_get_object")
def get(bucket: str, key: str, headers: dict, query_params: dict | None = None):
    """Return an object, and when it expires."""
    return dated(get.original(bucket, key, headers, query_params), bucket, key)


@corrections.EXPIRATION_HEADER.replacing("ministack.services.s3:_head_object")
def head(bucket: str, key: str, headers: dict | None = None, query_params: dict | None = None):
    """Describe an object, and when it expires."""
    return dated(head.original(bucket, key, headers, query_params), bucket, key)


@corrections.EXPIRATION_HEADER.replacing("ministack.services.s3:_put_object")
def put(bucket: str, key: str, body: bytes, headers: dict):
    """Store an object, and tell when it expires."""
    return dated(put.original(bucket, key, body, headers), bucket, key)


@corrections.EXPIRATION_HEADER.replacing("ministack.services.s3:_copy_object")
def copy(bucket: str, key: str, headers: dict):
    """Copy an object, and tell when the copy expires."""
    return dated(copy.original(bucket, key, headers), bucket, key)


@corrections.EXPIRATION_HEADER.replacing("ministack.services.s3:_complete_multipart_upload")
def complete(bucket: str, key: str, *arguments):
    """Complete an upload, and tell when the object expires."""
    return dated(complete.original(bucket, key, *arguments), bucket, key)


def dated(answer: tuple, bucket: str, key: str) -> tuple:
    """Return an answer about an object, which says when that expires if it is the current version."""
    status, headers, body = answer
    if status not in (200, 206) or bucket not in s3._bucket_lifecycle:
        return answer
    there = s3._buckets[bucket]["objects"].get(key)
    named = {name.lower(): value for name, value in headers.items()}.get("x-amz-version-id", "null")
    if there is None or named != (there.get("version_id") or "null"):
        return answer
    if not (found := expires(rules_of(bucket), key, version_of(bucket, key, there))):
        return answer
    at, rule = found
    said = f'expiry-date="{formatdate(at, usegmt=True)}", rule-id="{quote(rule.get("ID", ""), safe="")}"'
    return status, headers | {"x-amz-expiration": said}, body


for _name, _store in (
    ("object_retention", s3._object_retention),
    ("object_legal_hold", s3._object_legal_hold),
):
    corrections.LOCKS.adding(f"ministack.services.s3:_PERSISTED_BUCKET_DICTS[{_name}]", _store)
