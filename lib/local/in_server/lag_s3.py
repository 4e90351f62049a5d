"""S3 is late: notifications, the names of deleted buckets, versioning, lists of buckets. See `lag.py`."""

import json
import re
from contextvars import ContextVar

from ministack.core.responses import get_account_id
from ministack.services import s3

from lib.local.in_server.lag import FOREVER_AGO, SECONDS, History, Names, now, wrapping
from lib.local.in_server.lag_iam import seen

NOTIFICATIONS = History(SECONDS["notification"])
DESTINATIONS = History(SECONDS["destination"])
names = Names(is_global=True)
_deleted_at: dict[str, float] = {}  # names of buckets, which are everybody's
_turned_on: dict[tuple[str, str], float] = {}  # account and bucket
# Whether an event is being told of, which goes by what was set a while ago.
_telling: ContextVar[bool] = ContextVar("telling", default=False)


def _of_bucket(name: str) -> tuple[str, str]:
    return get_account_id(), name


@wrapping("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved; what was set before is in effect."""
    load.original()
    for key, text in list(s3._bucket_notifications._data.items()):
        NOTIFICATIONS.note(key, text, FOREVER_AGO)


@wrapping("ministack.services.s3:_put_bucket_notification")
def put_notification(name: str, body: bytes, headers: dict | None = None) -> tuple:
    """Set a bucket's notifications, which S3 goes by some minutes later."""
    refused = _not_let_in(name, body)
    NOTIFICATIONS.note(_of_bucket(name), s3._bucket_notifications.get(name, ""), FOREVER_AGO)
    answer = refused or put_notification.original(name, body, headers)
    NOTIFICATIONS.note(_of_bucket(name), s3._bucket_notifications.get(name, ""))
    return answer


def _not_let_in(name: str, body: bytes) -> tuple | None:
    """Return S3's refusal if a destination's policy is not seen yet; those that were there are not tried."""
    known = {one["arn"] for one in s3._parse_notification_config(name)}
    asked = s3._parse_notification_config_raw(body.decode("utf-8", errors="replace"))
    new = [one["arn"] for one in asked if one["arn"] not in known and DESTINATIONS.is_new(one["arn"])]
    if not new or name not in s3._buckets:
        return None
    said = "Unable to validate the following destination configurations: "
    return s3._invalid_notification_config(said + ", ".join(new))


@wrapping("ministack.services.s3:_parse_notification_config")
def parse_notifications(bucket_name: str) -> list[dict]:
    """Return a bucket's notifications; for an event, those that S3 goes by."""
    if not _telling.get():
        return parse_notifications.original(bucket_name)
    return s3._parse_notification_config_raw(NOTIFICATIONS.seen(_of_bucket(bucket_name), ""))


@wrapping("ministack.services.s3:_fire_s3_event")
def fire_s3_event(*arguments: object, **named: object) -> None:
    """Tell of an event whoever is told of it by what was set a while ago."""
    token = _telling.set(True)
    try:
        fire_s3_event.original(*arguments, **named)
    finally:
        _telling.reset(token)


@wrapping("ministack.services.s3:_create_bucket")
def create_bucket(name: str, *others: object, **named: object) -> tuple:
    """Create a bucket, unless one of its name was deleted a while ago."""
    is_kept = now() - _deleted_at.get(name, FOREVER_AGO) < SECONDS["bucket_name"]
    if name not in s3._buckets and is_kept:
        said = (
            "A conflicting conditional operation is currently in progress against this resource. Try again."
        )
        return s3._error("OperationAborted", said, 409, f"/{name}")
    is_new = name not in s3._buckets
    answer = create_bucket.original(name, *others, **named)
    if answer[0] == 200 and is_new:
        names.made(name)
    return answer


@wrapping("ministack.services.s3:_delete_bucket")
def delete_bucket(name: str) -> tuple:
    """Delete a bucket, whose name stays taken for a while."""
    listed = _listed(s3._list_buckets.original()[2], name)
    answer = delete_bucket.original(name)
    if answer[0] in (200, 204):
        _deleted_at[name] = now()
        _turned_on.pop(_of_bucket(name), None)
        NOTIFICATIONS.note(_of_bucket(name), "")
        names.gone(name, listed)
    return answer


def _listed(body: bytes, name: str) -> bytes:
    """Return how a list tells of a bucket."""
    found = (each for each in re.findall(rb"<Bucket>.*?</Bucket>", body, re.DOTALL))
    return next((each for each in found if f"<Name>{name}</Name>".encode() in each), b"")


@wrapping("ministack.services.s3:_list_buckets")
def list_buckets(query_params: dict | None = None, *others: object, **named: object) -> tuple:
    """List the buckets of a while ago, whatever their region."""
    status, headers, body = list_buckets.original(query_params, *others, **named)
    if status != 200:
        return status, headers, body
    for name in list(s3._buckets):
        if names.hides(name):
            body = body.replace(_listed(body, name), b"")
    prefix = s3._qp(query_params or {}, "prefix", "")
    ghosts = b"".join(each for each in names.ghosts() if f"<Name>{prefix}".encode() in each)
    return (
        status,
        headers,
        body.replace(b"</Buckets>", ghosts + b"</Buckets>").replace(
            b"<Buckets />", b"<Buckets>" + ghosts + b"</Buckets>"
        ),
    )


@wrapping("ministack.services.s3:_put_bucket_versioning")
def put_versioning(name: str, body: bytes) -> tuple:
    """Turn versioning on or off; that it is on takes its time, if it never was."""
    before = s3._bucket_versioning.get(name)
    answer = put_versioning.original(name, body)
    if answer[0] == 200 and before is None and s3._bucket_versioning.get(name) == "Enabled":
        _turned_on[_of_bucket(name)] = now()
    return answer


def _is_versioned_later(bucket_name: str) -> bool:
    since = _turned_on.get(_of_bucket(bucket_name), FOREVER_AGO)
    return now() - since < SECONDS["versioning"]


@wrapping("ministack.services.s3:_record_object_version")
def record_version(bucket_name: str, *arguments: object) -> str | None:
    """Record a version, once versioning has taken effect; what is written before has none."""
    return None if _is_versioned_later(bucket_name) else record_version.original(bucket_name, *arguments)


@wrapping("ministack.services.s3:_put_bucket_policy")
def put_policy(name: str, body: bytes) -> tuple:
    """Set a bucket's policy, unless it names a role that is not seen."""
    if name in s3._buckets and any(seen(arn) is None for arn in _roles_in(body)):
        return s3._error("MalformedPolicy", "Invalid principal in policy", 400, f"/{name}")
    return put_policy.original(name, body)


def _roles_in(body: bytes) -> list[str]:
    try:
        statements = json.loads(body)["Statement"]
    except (ValueError, KeyError, TypeError):
        return []
    named = []
    for statement in statements if isinstance(statements, list) else [statements]:
        for kind in ("Principal", "NotPrincipal"):
            principal = statement.get(kind)
            found = principal.get("AWS", []) if isinstance(principal, dict) else []
            named += found if isinstance(found, list) else [found]
    account = get_account_id()
    return [arn for arn in named if arn.startswith(f"arn:aws:iam::{account}:role/")]


def note_destination(arn: str, policy: object) -> None:
    """Note the policy of a queue or a topic, by which S3 is let in a while later.

    Args:
        arn: Its ARN.
        policy: Anything that can be compared.
    """
    DESTINATIONS.note(arn, policy)
