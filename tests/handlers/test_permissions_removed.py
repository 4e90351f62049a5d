"""A handler fails if one of its permissions is taken away: those that the local AWS enforces.

The others, and all of them once more, are proven from recorded calls: tests/permissions.
"""

import json
import uuid
from contextlib import contextmanager

import pytest
from support.backup_pipeline import Backup, bodies, is_current
from support.index_table import Index


@pytest.fixture(scope="module")
def backup(operator, as_handler):
    return Backup.make(operator, as_handler, erases=True)


@pytest.fixture(scope="module")
def index(operator, as_handler):
    return Index.make(operator, as_handler, versioned=True)


@pytest.fixture
def without(operator):
    """Return a context in which a handler's role lacks an action: `without(handler, name, sid, action)`."""
    iam = operator.client("iam")

    @contextmanager
    def lacking(handler, name, sid, action):
        role, policy = role_of(iam, handler, name)
        put(iam, role, handler, less(policy, sid, action))
        try:
            yield
        finally:
            put(iam, role, handler, policy)

    return lacking


def role_of(iam, handler, name):
    """Return the role whose policy for this handler names this bucket, and that policy."""
    for role in iam.list_roles()["Roles"]:
        if role["RoleName"].startswith(f"{handler}-"):
            named = {"RoleName": role["RoleName"], "PolicyName": handler}
            policy = iam.get_role_policy(**named)["PolicyDocument"]
            if name in json.dumps(policy):
                return role["RoleName"], policy
    raise LookupError(handler)


def less(policy, sid, action):
    statements = [
        {**one, "Action": [a for a in as_list(one["Action"]) if (one["Sid"], a) != (sid, action)]}
        for one in policy["Statement"]
    ]
    assert statements != [{**one, "Action": as_list(one["Action"])} for one in policy["Statement"]]
    return {**policy, "Statement": [one for one in statements if one["Action"]]}


def as_list(value):
    return [value] if isinstance(value, str) else value


def put(iam, role, handler, policy):
    iam.put_role_policy(RoleName=role, PolicyName=handler, PolicyDocument=json.dumps(policy))


def refusals(error):
    """Return what AWS said, of all that an exception group holds."""
    inner = getattr(error, "exceptions", None)
    return " ".join(map(refusals, inner)) if inner else str(error)


# --- what the handlers do


def replicate(backup, key):
    """Copy an object with tags, and then one that is there already."""
    event = backup.put(key, b"body", Tagging="a=1")
    backup.invoke("replicate", event)
    backup.invoke("replicate", event)
    assert backup.differs(key) == {}


def follow_a_delete(backup, key):
    backup.put(key)
    backup.dr.put(key)
    backup.invoke("delete", backup.remove(key))
    assert not is_current(backup.dr, key)


def erase(backup, key):
    """A version that is deleted at the source is erased at the target."""
    backup.put(key, b"new")
    for body in (b"old", b"new"):
        backup.dr.put(key, body)
    backup.invoke("delete", backup.event(key, "ObjectRemoved:Delete", "deleted-version"))
    assert bodies(backup.dr, key) == {b"new"}


def hold(backup, key, monkeypatch):
    """One delete too many is held."""
    monkeypatch.setenv("BRAKE_DELETES", "0")
    backup.forget()
    backup.put(key)
    backup.dr.put(key)
    try:
        backup.invoke("delete", backup.remove(key))
        assert is_current(backup.dr, key)
        assert len(backup.held()) == 1
    finally:
        backup.forget()


REPLICATE = [
    ("ReadSourceObjects", "s3:GetObjectVersion"),
    ("ReadSourceObjects", "s3:GetObjectVersionTagging"),
    ("WriteTargetObjects", "s3:PutObject"),
    ("CompareTargetObjects", "s3:GetObject"),
]
DELETE = [
    ("LookAtObjects", "s3:GetObject"),
    ("PutDeleteMarkers", "s3:DeleteObject"),
    ("CountAndStop", "dynamodb:BatchGetItem"),
    ("CountAndStop", "dynamodb:UpdateItem"),
]
BRAKE = [
    ("CountAndStop", "dynamodb:PutItem"),
    ("HoldWhatTheBrakeStops", "sqs:SendMessage"),
]
ERASE = [("CompareVersions", "s3:ListBucketVersions"), ("EraseVersions", "s3:DeleteObjectVersion")]


@pytest.mark.parametrize(("sid", "action"), REPLICATE)
def test_replicate_needs(backup, without, sid, action):
    replicate(backup, f"all {uuid.uuid4()}")
    with without("replicate", backup.primary.bucket, sid, action), pytest.raises(Exception) as caught:
        replicate(backup, f"less {uuid.uuid4()}")
    assert_refused(caught)


@pytest.mark.parametrize(("sid", "action"), DELETE)
def test_delete_needs(backup, without, sid, action):
    follow_a_delete(backup, f"all {uuid.uuid4()}")
    with without("delete", backup.primary.bucket, sid, action), pytest.raises(Exception) as caught:
        follow_a_delete(backup, f"less {uuid.uuid4()}")
    assert_refused(caught)


@pytest.mark.parametrize(("sid", "action"), BRAKE)
def test_the_brake_needs(backup, without, monkeypatch, sid, action):
    hold(backup, f"all {uuid.uuid4()}", monkeypatch)
    with without("delete", backup.primary.bucket, sid, action), pytest.raises(Exception) as caught:
        hold(backup, f"less {uuid.uuid4()}", monkeypatch)
    assert_refused(caught)


@pytest.mark.parametrize(("sid", "action"), ERASE)
def test_erasing_needs(backup, without, sid, action):
    with without("delete", backup.primary.bucket, sid, action), pytest.raises(Exception) as caught:
        erase(backup, f"less {uuid.uuid4()}")
    assert_refused(caught)
    erase(backup, f"all {uuid.uuid4()}")


@pytest.mark.parametrize(
    ("sid", "action"), [("ReadObjects", "s3:GetObjectVersion"), ("WriteRows", "dynamodb:PutItem")]
)
def test_index_needs(index, without, sid, action):
    index.index(f"all {uuid.uuid4()}.txt", b"text")
    with without("index", index.bucket.bucket, sid, action), pytest.raises(Exception) as caught:
        index.index(f"less {uuid.uuid4()}.txt", b"text")
    assert_refused(caught)


def assert_refused(caught):
    said = refusals(caught.value)
    assert any(word in said for word in ("AccessDenied", "403", "Forbidden")), said
