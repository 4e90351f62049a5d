"""What the lifecycle rules of buckets delete: by a table of buckets in a server that starts days later, and
by arithmetic against a simpler model of it."""

import json
import pickle
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st
from support.homes import share_bundles
from support.servers import eventually, root
from tenacity import RetryError

from lib.local import ministack
from lib.local.in_server import lifecycle
from lib.local.in_server.announcements import HEADER, NO_TRANSITIONS
from lib.local.in_server.lifecycle import DAY_S, Due, Version, days_after, due, upload_is_due

DELETED = "deleted"  # in place of a body: DeleteObject without a version
MARKER = "marker"
SMALL, LARGE = b"small", b"l" * 1000
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def rule(prefix: str = "", /, *, expire: object = None, noncurrent: object = None, **named) -> dict:
    """A rule; numbers are days."""
    found = {"ID": uuid.uuid4().hex, "Status": "Enabled", "Filter": {"Prefix": prefix}}
    if expire is not None:
        found["Expiration"] = expire if isinstance(expire, dict) else {"Days": expire}
    if noncurrent is not None:
        keep = noncurrent if isinstance(noncurrent, dict) else {"NoncurrentDays": noncurrent}
        found["NoncurrentVersionExpiration"] = keep
    return found | named


@dataclass
class Bucket:
    """A bucket of the table.

    Attributes:
        rules: Its lifecycle rules.
        puts: What was put into it: key, body or DELETED, how many days ago, the earliest first.
        left: What is there when the server has looked: of each key the versions, the newest first; MARKER
            for a delete marker, for others the days.
        versioning: From which put on it has what state of versioning.
        tags: Of keys.
    """

    rules: list[dict]
    puts: list[tuple[str, object, float]]
    left: dict[str, list[object]]
    versioning: dict[int, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


ODD_KEYS = ["a b+c", "ü/日本", "a//b", "a/..b", "x" * 900, "a\r\nb", "100%", "/lead", "t/", "é" * 100 + "/k"]
MARKER_RULE = {"ExpiredObjectDeleteMarker": True}
ENABLED = {0: "Enabled"}
BUCKETS = {
    "whole-bucket": Bucket(
        [rule(expire=3)],
        [("old", SMALL, 5), ("a/old", SMALL, 400), ("young", SMALL, 1), ("just", SMALL, 3)],
        {"young": [1], "just": [3]},  # 3 days after it was made is today, which ends at midnight
    ),
    "empty-filter": Bucket([rule(expire=3, Filter={})], [("old", SMALL, 5), ("new", SMALL, 0)], {"new": [0]}),
    "of-old": Bucket(
        [{"ID": "o", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 1}}],
        [("logs/a", SMALL, 5), ("data/a", SMALL, 5), ("logs", SMALL, 5)],
        {"data/a": [5], "logs": [5]},
    ),
    "prefix": Bucket(
        [rule("a/", expire=1)],
        [("a/1", SMALL, 9), ("a", SMALL, 9), ("b/a/1", SMALL, 9), ("A/1", SMALL, 9)],
        {"a": [9], "b/a/1": [9], "A/1": [9]},
    ),
    "disabled": Bucket([rule(expire=1, Status="Disabled")], [("a", SMALL, 9)], {"a": [9]}),
    "no-rules": Bucket([], [("a", SMALL, 999)], {"a": [999]}),
    "earliest-wins": Bucket(
        [rule(expire=30), rule("a/", expire=2), rule("a/b/", expire=90)],
        [("a/b/c", SMALL, 9), ("b", SMALL, 9), ("c", SMALL, 40)],
        {"b": [9]},
    ),
    "dates": Bucket(
        [
            rule("past", expire={"Date": TODAY - timedelta(days=1)}),
            rule("future", expire={"Date": TODAY + timedelta(days=2)}),
        ],
        [("past/old", SMALL, 9), ("past/new", SMALL, 0), ("future/old", SMALL, 9)],
        {"future/old": [9]},
    ),
    "tags": Bucket(
        [rule(expire=1, Filter={"Tag": {"Key": "keep", "Value": "no"}})],
        [("no", SMALL, 9), ("yes", SMALL, 9), ("none", SMALL, 9), ("no/new", SMALL, 0)],
        {"yes": [9], "none": [9], "no/new": [0]},
        tags={"no": "keep=no", "yes": "keep=yes", "no/new": "keep=no"},
    ),
    "all-of-it": Bucket(
        [
            rule(
                expire=1,
                Filter={
                    "And": {
                        "Prefix": "a/",
                        "Tags": [{"Key": "x", "Value": "1"}, {"Key": "y", "Value": ""}],
                        "ObjectSizeGreaterThan": 500,
                    }
                },
            )
        ],
        [("a/1", LARGE, 9), ("a/2", LARGE, 9), ("a/3", SMALL, 9), ("b/1", LARGE, 9)],
        {"a/2": [9], "a/3": [9], "b/1": [9]},
        tags={"a/1": "x=1&y=&z=2", "a/2": "x=1", "a/3": "x=1&y=", "b/1": "x=1&y="},
    ),
    "sizes": Bucket(
        [rule(expire=1, Filter={"ObjectSizeLessThan": len(SMALL) + 1})],
        [("small", SMALL, 9), ("large", LARGE, 9), ("empty", b"", 9)],
        {"large": [9]},
    ),
    "odd-keys": Bucket(
        [rule(expire=1)],
        [(key, SMALL, 9) for key in ODD_KEYS] + [("a b+d", SMALL, 0)],
        {"a b+d": [0]},
    ),
    "odd-keys-with-versions": Bucket(
        [rule(noncurrent=1)],
        [(key, SMALL, days) for days in (9, 8) for key in ODD_KEYS],
        {key: [8] for key in ODD_KEYS},
        versioning=ENABLED,
    ),
    "current-gets-a-marker": Bucket(
        [rule(expire=3)],
        [
            ("a", SMALL, 9),
            ("a", SMALL, 8),
            ("b", SMALL, 9),
            ("b", SMALL, 1),
            ("c", SMALL, 9),
            ("c", DELETED, 5),
        ],
        {"a": [MARKER, 8, 9], "b": [1, 9], "c": [MARKER, 9]},
        versioning=ENABLED,
    ),
    "noncurrent": Bucket(
        [rule(noncurrent=3)],
        # They count from when the next one came.
        [
            ("a", SMALL, 99),
            ("a", SMALL, 9),
            ("a", SMALL, 2),
            ("b", SMALL, 99),
            ("b", SMALL, 9),
            ("c", SMALL, 99),
        ],
        {"a": [2, 9], "b": [9], "c": [99]},
        versioning=ENABLED,
    ),
    "some-noncurrent-are-kept": Bucket(
        [rule(noncurrent={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2})],
        [("a", SMALL, days) for days in (9, 8, 7, 6, 5)] + [("b", SMALL, days) for days in (9, 8, 7)],
        {"a": [5, 6, 7], "b": [7, 8, 9]},
        versioning=ENABLED,
    ),
    "under-a-marker": Bucket(
        [rule(noncurrent=1)],
        [("a", SMALL, 9), ("a", DELETED, 8), ("b", SMALL, 9), ("b", DELETED, 8), ("b", SMALL, 7)],
        {"a": [MARKER], "b": [7]},
        versioning=ENABLED,
    ),
    "markers-are-left-alone": Bucket(
        [rule(noncurrent=1, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})],
        [("a", DELETED, 99)],
        {"a": [MARKER]},
        versioning=ENABLED,
    ),
    "markers-go": Bucket(
        [rule(expire=MARKER_RULE)],
        [("a", DELETED, 0), ("b", SMALL, 9), ("b", DELETED, 8), ("c", SMALL, 99)],
        {"b": [MARKER, 9], "c": [99]},
        versioning=ENABLED,
    ),
    "markers-go-by-age": Bucket(
        [rule(expire=3)],
        [("a", DELETED, 9), ("b", DELETED, 1)],
        {"b": [MARKER]},
        versioning=ENABLED,
    ),
    "not-by-tags": Bucket(
        [rule(expire=3, noncurrent=3, Filter={"Tag": {"Key": "x", "Value": "1"}})],
        [("a", DELETED, 9), ("b", DELETED, 9), ("b", SMALL, 8)],
        {"a": [MARKER], "b": [8, MARKER]},
        versioning=ENABLED,
    ),
    "from-before-versions": Bucket(
        [rule(expire=3, noncurrent=3)],
        [("a", SMALL, 99), ("b", SMALL, 99), ("b", SMALL, 1), ("c", SMALL, 99), ("c", SMALL, 9)],
        {"a": [MARKER, 99], "b": [1, 99], "c": [MARKER, 9]},
        versioning={2: "Enabled"},
    ),
    "suspended": Bucket(
        [rule(expire=3)],
        [("a", SMALL, 9), ("b", SMALL, 9), ("a", SMALL, 8), ("c", SMALL, 8), ("d", SMALL, 1)],
        {"a": [MARKER, 9], "b": [MARKER, 9], "c": [MARKER], "d": [1]},
        versioning={0: "Enabled", 2: "Suspended"},
    ),
    # Kept as it is: nothing is moved here.
    "transitions": Bucket(
        [rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])], [("a", SMALL, 99)], {"a": [99]}
    ),
    # As an earlier server kept a number that is none: as text.
    "kept-with-a-text": Bucket(
        [rule(expire=1, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})],
        [("a", SMALL, 9)],
        {"a": [9]},
    ),
    # As an earlier server kept it, in which nobody can see any more that it was for a prefix.
    "kept-without-its-prefix": Bucket(
        [{"ID": "o", "Status": "Enabled", "Prefix": "a", "Expiration": {"Days": 1}}],
        [("a", SMALL, 99), ("b", SMALL, 99)],
        {"a": [99], "b": [99]},
    ),
}
LAST = "zz-last"  # looked at when all others have been


def ago(days: float) -> str:
    """A time so many days ago, in the middle of its day, as MiniStack keeps it."""
    return (TODAY + timedelta(hours=12) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Aged:
    """A server that starts anew, days after all was put into it."""

    def __init__(self) -> None:
        self.server = ministack.start()
        self.s3, self.sqs = root(self.server, "s3"), root(self.server, "sqs")
        self.ages: dict[tuple[str, str, str], float] = {}  # of bucket, key and version
        self.young: set[tuple[str, str, str]] = set()  # what was put since the last start
        self.begun: dict[tuple[str, str], float] = {}  # the ages of uploads in parts

    def make(self, name: str, bucket: Bucket) -> None:
        self.s3.create_bucket(Bucket=name)
        for number, (key, body, days) in enumerate(bucket.puts):
            if number in bucket.versioning:
                self.version(name, bucket.versioning[number])
            self.put(name, key, body, days, bucket.tags.get(key, ""))
        self.rules(name, bucket.rules)

    def version(self, name: str, status: str) -> None:
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})

    def put(self, name: str, key: str, body: object, days: float, tags: str = "", **named) -> str:
        where = {"Bucket": name, "Key": key}
        if body is DELETED:
            answer = self.s3.delete_object(**where)
        else:
            answer = self.s3.put_object(**where, Body=body, **({"Tagging": tags} if tags else {}), **named)
        version_id = answer.get("VersionId", "null")
        self.ages[name, key, version_id] = days
        self.young.add((name, key, version_id))
        return version_id

    def rules(self, name: str, rules: list[dict]) -> None:
        if rules:
            self.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})

    def start_later(self) -> None:
        """Stop the server, have all been made so long ago, and start it."""
        ministack.stop()
        state = Path(self.server.state)
        for path in (state / "s3").glob("[0-9]*/**/*.meta.json"):
            bucket = path.relative_to(state / "s3").parts[1]
            kept = json.loads(path.read_text("utf-8"))
            for each in (kept, *kept.get("versions", [])):
                which = (bucket, kept["key"], each.get("version_id") or "null")
                if which in self.young:
                    each["last_modified"] = ago(self.ages[which])
            path.write_text(json.dumps(kept), "utf-8")
        self._age_settings(state / "data")
        self.young.clear()
        self.server = ministack.start()
        self.s3, self.sqs = root(self.server, "s3"), root(self.server, "sqs")
        with suppress(RetryError):  # one that has not looked by then has left what should have gone
            eventually(lambda: self.left(LAST) == {}, timeout_s=60)

    def _age_settings(self, data: Path) -> None:
        if (uploads := data / "multipart_uploads.pickle").exists():
            kept = pickle.loads(uploads.read_bytes())
            for upload in kept.values():
                upload["created"] = ago(self.begun[upload["bucket"], upload["key"]])
            uploads.write_bytes(pickle.dumps(kept))
        settings = json.loads((data / "s3.json").read_text("utf-8"))
        for name, rules in settings["payload"]["bucket_lifecycle"]["data"].items():
            if "kept-with-a-text" in name:
                for each in rules:
                    each["Expiration"]["Days"] = "soon"
                    each["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] = "soon"
            if "kept-without-its-prefix" in name:
                for each in rules:
                    each.pop("Prefix", None)
        (data / "s3.json").write_text(json.dumps(settings), "utf-8")

    def left(self, name: str) -> dict[str, list[object]]:
        """What is in a bucket: of each key the versions, the newest first."""
        found: dict[str, list[tuple[bool, str, object]]] = {}
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for kind in ("Versions", "DeleteMarkers"):
                for each in page.get(kind, []):
                    days = self.ages.get((name, each["Key"], each["VersionId"]))
                    what = MARKER if kind == "DeleteMarkers" else days
                    at = each["LastModified"].isoformat()
                    found.setdefault(each["Key"], []).append((each["IsLatest"], at, what))
        newest_first = {
            key: sorted(each, key=lambda one: one[:2], reverse=True) for key, each in found.items()
        }
        return {key: [what for *_, what in each] for key, each in newest_first.items()}


@pytest.fixture(scope="module")
def aged(local_aws, tmp_path_factory) -> Iterator[Aged]:
    """What has become old in a server of its own; that which all tests share has begun before, elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path_factory.mktemp("aged"))))
        aged = Aged()
        for name, bucket in BUCKETS.items():
            aged.make(name, bucket)
        make_locked(aged)
        make_told(aged)
        make_uploads(aged)
        aged.make(LAST, Bucket([rule(expire=1)], [("a", SMALL, 9)], {}))
        aged.start_later()
        yield aged
        ministack.reset()


@pytest.mark.parametrize("name", BUCKETS)
def test_what_has_expired_is_gone_and_nothing_else(aged: Aged, name):
    assert aged.left(name) == BUCKETS[name].left


def test_what_is_left_is_read_as_before(aged: Aged):
    listed = aged.s3.list_objects_v2(Bucket="current-gets-a-marker")
    assert [each["Key"] for each in listed["Contents"]] == ["b"]
    with pytest.raises(ClientError) as missing:
        aged.s3.get_object(Bucket="current-gets-a-marker", Key="a")
    assert missing.value.response["Error"]["Code"] == "NoSuchKey"
    left = aged.left("noncurrent")
    for (name, key, version_id), days in aged.ages.items():
        if name != "noncurrent":
            continue
        there = {"Bucket": name, "Key": key, "VersionId": version_id}
        if days in left[key]:
            assert aged.s3.get_object(**there)["Body"].read() == SMALL
        else:
            with pytest.raises(ClientError, match="NoSuchVersion"):
                aged.s3.get_object(**there)


def test_the_marker_of_an_expiration_is_of_midnight(aged: Aged):
    markers = aged.s3.list_object_versions(Bucket="current-gets-a-marker", Prefix="a")["DeleteMarkers"]
    assert [each["LastModified"] for each in markers] == [TODAY]


def test_a_marker_of_a_suspended_bucket_takes_the_place_of_the_null_version(aged: Aged):
    listed = aged.s3.list_object_versions(Bucket="suspended", Prefix="c")
    assert [each["VersionId"] for each in listed["DeleteMarkers"]] == ["null"]
    assert "Versions" not in listed


def test_none_of_its_bytes_are_left_on_the_disk(aged: Aged):
    folder = Path(aged.server.state) / "s3"
    (account,) = folder.glob("[0-9]*")
    of_odd = [path.name for path in (account / "odd-keys").rglob("*") if path.is_file()]
    assert sorted(of_odd) == ["a b+d", "a b+d.meta.json"]
    assert not any(path.is_file() for path in (account / LAST).rglob("*"))
    of_versions = folder / ".versions" / account.name / "some-noncurrent-are-kept"
    files = [path for path in of_versions.rglob("*") if path.is_file()]
    assert len(files) == 4  # of a and b two noncurrent ones each


LOCKED = "locked"


def make_locked(aged: Aged) -> None:
    aged.s3.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=30)
    retain = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    governed = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    for key, locks in {
        "held": {"ObjectLockLegalHoldStatus": "ON"},
        "retained": retain,
        "governed": governed,
        "free": {},
    }.items():
        aged.put(LOCKED, key, SMALL, 9, **locks)
        aged.put(LOCKED, key, SMALL, 8)
    aged.rules(LOCKED, [rule(expire=1, noncurrent=1)])


def test_what_is_locked_stays_and_is_locked_still(aged: Aged):
    """A delete marker is no deletion, so the current versions get one all the same."""
    with_marker = {key: [MARKER, 8, 9] for key in ("held", "retained", "governed")}
    assert aged.left(LOCKED) == with_marker | {"free": [MARKER, 8]}
    for (name, key, version_id), days in aged.ages.items():
        if name == LOCKED and days == 9 and key != "free":
            with pytest.raises(ClientError, match="AccessDenied"):
                aged.s3.delete_object(Bucket=LOCKED, Key=key, VersionId=version_id)


TOLD, PLAIN = "told", "told-plain"


def make_told(aged: Aged) -> None:
    """A bucket with versions and one without, of which a queue is told all that S3 tells."""
    for name in (TOLD, PLAIN):
        url = aged.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        let_in = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Resource": arn}
        policy = {"Version": "2012-10-17", "Statement": [let_in | {"Action": "sqs:SendMessage"}]}
        aged.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        aged.s3.create_bucket(Bucket=name)
        if name == TOLD:
            aged.version(name, "Enabled")
        for key, days in (("a +b", 9), ("a +b", 8), ("new", 0)):
            aged.put(name, key, SMALL, days)
        aged.rules(name, [rule(expire=1, noncurrent=1)])
        wanted = ["s3:LifecycleExpiration:*", "s3:ObjectRemoved:*"]
        aged.s3.put_bucket_notification_configuration(
            Bucket=name,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn, "Events": wanted}],
                "EventBridgeConfiguration": {},
            },
        )
        rule_of_bus = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
        events = root(aged.server, "events")
        let_in["Principal"] = {"Service": "events.amazonaws.com"}
        bus_url = aged.sqs.create_queue(QueueName=f"{name}-bus")["QueueUrl"]
        policy = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [let_in | {"Resource": f"{arn}-bus", "Action": "sqs:SendMessage"}],
            }
        )
        aged.sqs.set_queue_attributes(QueueUrl=bus_url, Attributes={"Policy": policy})
        events.put_rule(Name=name, EventPattern=json.dumps(rule_of_bus))
        events.put_targets(Rule=name, Targets=[{"Id": "bus", "Arn": f"{arn}-bus"}])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (TOLD, [("LifecycleExpiration:Delete", True), ("LifecycleExpiration:DeleteMarkerCreated", True)]),
        (PLAIN, [("LifecycleExpiration:Delete", False)]),
    ],
)
def test_who_asks_is_told_of_an_expiration_which_is_no_removal(aged: Aged, name, expected):
    bodies = received(aged, name, len(expected))
    records = [record for body in bodies for record in body["Records"]]
    said = [(each["eventName"], "versionId" in each["s3"]["object"]) for each in records]
    assert sorted(said) == expected
    for each in records:
        assert each["s3"]["object"]["key"] == "a+%2Bb"
        assert each["userIdentity"]["principalId"] == "s3.amazonaws.com"
    on_bus = received(aged, f"{name}-bus", len(expected))
    kinds = {True: "Delete Marker Created", False: "Permanently Deleted"}
    assert sorted(
        (each["detail-type"], each["detail"]["reason"], each["detail"]["deletion-type"]) for each in on_bus
    ) == sorted(
        ("Object Deleted", "Lifecycle Expiration", kinds[what.endswith("Created")]) for what, _ in expected
    )


def received(aged: Aged, queue: str, number: int) -> list[dict]:
    """So many messages of a queue, and what comes with the last of them; S3's tests are none."""
    found: list[dict] = []
    url = aged.sqs.get_queue_url(QueueName=queue)["QueueUrl"]

    def all_are_there() -> bool:
        answer = aged.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        found.extend(body for body in bodies if body.get("Event") != "s3:TestEvent")
        return len(found) >= number

    eventually(all_are_there)
    return found


UPLOADS = "uploads"
BEGUN = {"old/a": 9, "old/b": 1, "a": 9}


def make_uploads(aged: Aged) -> None:
    aged.s3.create_bucket(Bucket=UPLOADS)
    for key, days in BEGUN.items():
        aged.s3.create_multipart_upload(Bucket=UPLOADS, Key=key)
        aged.begun[UPLOADS, key] = days
    aged.s3.create_multipart_upload(Bucket="kept-with-a-text", Key="begun")
    aged.begun["kept-with-a-text", "begun"] = 9
    aged.rules(UPLOADS, [rule("old/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 3})])


def test_uploads_that_were_begun_long_ago_are_given_up(aged: Aged):
    listed = aged.s3.list_multipart_uploads(Bucket=UPLOADS)["Uploads"]
    assert sorted(each["Key"] for each in listed) == ["a", "old/b"]
    (begun,) = aged.s3.list_multipart_uploads(Bucket="kept-with-a-text")["Uploads"]
    assert begun["Key"] == "begun"
    assert aged.s3.get_object(Bucket="kept-with-a-text", Key="a")["Body"].read() == SMALL


def test_a_second_look_on_the_same_day_finds_nothing(aged: Aged):
    """What has expired today is noncurrent since today."""
    before = {name: aged.left(name) for name in BUCKETS}
    aged.put(LAST, "again", SMALL, 9)
    aged.start_later()
    assert {name: aged.left(name) for name in BUCKETS} == before


@pytest.fixture
def bucket(somebody):
    """A client and a bucket of a server that all tests share."""
    s3, name = somebody("s3"), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return s3, name


def put_rules(s3, name: str, *rules: dict) -> list[dict]:
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": list(rules)})
    return s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"Filter": None}, "MalformedXML"),
        ({"Prefix": "a"}, "MalformedXML"),
        ({"Expiration": None}, "InvalidRequest"),
        ({"Expiration": {}}, "MalformedXML"),
        ({"Expiration": {"Days": 1, "Date": TODAY}}, "MalformedXML"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Date": TODAY + timedelta(hours=1)}}, "InvalidArgument"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"NoncurrentVersionExpiration": {"NewerNoncurrentVersions": 1}}, "MalformedXML"),
        ({"Status": "On"}, "MalformedXML"),
    ],
)
def test_a_rule_that_nobody_could_follow_is_refused(bucket, broken, code):
    s3, name = bucket
    before = put_rules(s3, name, rule(expire=9))
    asked = {key: value for key, value in (rule(expire=1) | broken).items() if value is not None}
    with pytest.raises(ClientError) as refused:
        put_rules(s3, name, asked)
    assert refused.value.response["Error"]["Code"] == code
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == before


def test_rules_are_answered_as_they_were_given(bucket):
    s3, name = bucket
    rules = [
        {"ID": "of <old>", "Status": "Enabled", "Prefix": "a&b/", "Expiration": {"Days": 1}},
        {"ID": "all of old", "Status": "Disabled", "Prefix": "", "Expiration": {"Days": 1}},
        {"ID": "all", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 2}},
        rule("c/", noncurrent=3) | {"ID": "new"},
    ]
    assert put_rules(s3, name, *rules) == rules
    with pytest.raises(ClientError, match="NoSuchBucket"):
        put_rules(s3, f"{name}-not-there", *rules)


def test_it_is_said_that_nothing_is_moved(bucket):
    s3, name = bucket
    moving = rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])
    for rules, expected in (([rule(expire=1)], None), ([rule(expire=1), moving], [NO_TRANSITIONS])):
        answer = s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
        said = answer["ResponseMetadata"]["HTTPHeaders"].get(HEADER, "null")
        assert json.loads(said) == expected


@pytest.mark.parametrize("versioned", [False, True])
def test_answers_say_when_the_current_version_expires(bucket, versioned):
    s3, name = bucket
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": name, "Key": "a/1"}
    first = s3.put_object(**where, Body=SMALL)
    assert "Expiration" not in first and "Expiration" not in s3.head_object(**where)
    put_rules(s3, name, rule(expire=30, ID="all"), rule("a/", expire=3, ID="é 1"), rule(noncurrent=1))
    put = s3.put_object(**where, Body=SMALL)
    made = s3.head_object(**where)["LastModified"]
    end = (made + timedelta(days=4)).strftime("%a, %d %b %Y 00:00:00 GMT")
    expected = f'expiry-date="{end}", rule-id="%C3%A9%201"'
    copied = s3.copy_object(**where, CopySource=where, Metadata={"a": "b"}, MetadataDirective="REPLACE")
    begun = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**begun, PartNumber=1, Body=SMALL)["ETag"]}
    completed = s3.complete_multipart_upload(**begun, MultipartUpload={"Parts": [part]})
    for answer in (
        put,
        copied,
        completed,
        s3.head_object(**where),
        s3.get_object(**where, Range="bytes=0-1"),
    ):
        assert answer["Expiration"] == expected
    if versioned:
        assert "Expiration" not in s3.head_object(**where, VersionId=first["VersionId"])
        assert s3.head_object(**where, VersionId=completed["VersionId"])["Expiration"] == expected
    assert 'rule-id="all"' in s3.put_object(Bucket=name, Key="b", Body=SMALL)["Expiration"]


# The arithmetic, in quarters of days.

QUARTER_S = DAY_S // 4
PREFIXES = ["", "a", "a/", "b"]
KEYS = ["a", "a/1", "ab", "b"]
TAGS = [{}, {"x": "1"}, {"x": "2"}, {"x": "1", "y": "1"}]
FILTERS = st.one_of(
    st.builds(lambda prefix: {"Prefix": prefix}, st.sampled_from(PREFIXES)),
    st.just({}),
    st.just({"Tag": {"Key": "x", "Value": "1"}}),
    st.builds(
        lambda prefix, tags: {"And": {"Prefix": prefix, "Tags": tags}},
        st.sampled_from(PREFIXES),
        st.lists(
            st.sampled_from([{"Key": "x", "Value": "1"}, {"Key": "y", "Value": "1"}]), min_size=1, max_size=2
        ),
    ),
    st.builds(lambda size: {"ObjectSizeGreaterThan": size}, st.integers(1, 3)),
    st.builds(lambda size: {"ObjectSizeLessThan": size}, st.integers(1, 3)),
)
DAYS = st.integers(1, 4)
RULES = st.builds(
    lambda where, status, actions: {"ID": "r", "Status": status, "Filter": where} | actions,
    FILTERS,
    st.sampled_from(["Enabled", "Enabled", "Enabled", "Disabled"]),
    st.one_of(
        st.builds(lambda days: {"Expiration": {"Days": days}}, DAYS),
        st.builds(
            lambda day: {"Expiration": {"Date": datetime.fromtimestamp(day * DAY_S, UTC).isoformat()}},
            st.integers(0, 12),
        ),
        st.just({"Expiration": {"ExpiredObjectDeleteMarker": True}}),
        st.just({"Expiration": {"ExpiredObjectDeleteMarker": False}}),
        st.builds(
            lambda days, newer: {
                "NoncurrentVersionExpiration": {"NoncurrentDays": days}
                | ({"NewerNoncurrentVersions": newer} if newer else {})
            },
            DAYS,
            st.integers(0, 3),
        ),
        st.builds(lambda days: {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}}, DAYS),
    ),
)


@st.composite
def histories(draw) -> list[Version]:
    """The versions of a key, the oldest first."""
    quarters = sorted(draw(st.lists(st.integers(0, 40), min_size=1, max_size=5)))
    versions = []
    for number, quarter in enumerate(quarters):
        marker = draw(st.booleans())
        size, tags = (0, {}) if marker else (draw(st.integers(0, 4)), draw(st.sampled_from(TAGS)))
        versions.append(Version(f"v{number}", quarter * QUARTER_S, size, tags, marker))
    return versions


def is_over(begun: float, days: int, now: float) -> bool:
    """Whether so many midnights, and one more, were between two moments: counted, not computed."""
    midnights = [at for at in range(0, int(now) + 1, DAY_S) if begun < at <= now]
    return len(midnights) > days


def applies(each: dict, key: str, version: Version) -> bool:
    """Whether all that a filter asks for is there; markers have neither tags nor a size."""
    asked = each["Filter"].get("And", each["Filter"])
    tags = [*asked.get("Tags", []), *([asked["Tag"]] if "Tag" in asked else [])]
    has = {(name, value) for name, value in version.tags.items()}
    sized = {"ObjectSizeGreaterThan", "ObjectSizeLessThan"} & set(asked)
    return (
        key.startswith(asked.get("Prefix", ""))
        and all((tag["Key"], tag["Value"]) in has for tag in tags)
        and not (sized and version.is_marker)
        and asked.get("ObjectSizeGreaterThan", -1) < version.size < asked.get("ObjectSizeLessThan", 10**9)
    )


def model(rules: list[dict], key: str, versions: list[Version], now: float) -> Due:
    """What goes, each version by itself and each rule by itself."""
    current, gone = False, []
    for place, version in enumerate(versions):
        for each in rules:
            if each["Status"] == "Disabled" or not applies(each, key, version):
                continue
            is_current = place == len(versions) - 1
            expiration = each.get("Expiration", {})
            by_age = "Days" in expiration and is_over(version.modified, expiration["Days"], now)
            by_date = "Date" in expiration and datetime.fromisoformat(expiration["Date"]).timestamp() <= now
            if is_current and not version.is_marker:
                current |= by_age or by_date
            elif is_current and len(versions) == 1:
                if by_age or by_date or expiration.get("ExpiredObjectDeleteMarker"):
                    gone.append(version.version_id)
            elif not is_current and (keep := each.get("NoncurrentVersionExpiration")):
                newer_noncurrent = versions[place + 1 : -1]
                is_old = is_over(versions[place + 1].modified, keep["NoncurrentDays"], now)
                if is_old and len(newer_noncurrent) >= keep.get("NewerNoncurrentVersions", 0):
                    gone.append(version.version_id)
    return Due(current, tuple(dict.fromkeys(gone)))


@given(st.lists(RULES, max_size=4), st.sampled_from(KEYS), histories(), st.integers(0, 60))
def test_what_is_due_is_what_a_simple_model_says(rules, key, versions, quarters):
    now = quarters * QUARTER_S
    if versions[-1].modified <= now:
        assert due(rules, key, versions, now) == model(rules, key, versions, now)


@given(st.lists(RULES, max_size=4), st.sampled_from(KEYS), histories(), st.integers(40, 60))
def test_what_is_due_stays_due(rules, key, versions, quarters):
    first, later = (due(rules, key, versions, at * QUARTER_S) for at in (quarters, quarters + 1))
    assert first.current <= later.current and set(first.versions) <= set(later.versions)


@given(st.integers(0, 10**10), st.integers(1, 10_000))
@example(0, 1)
def test_an_end_is_the_first_midnight_after_so_many_days(moment, days):
    end = days_after(moment, days)
    assert end % DAY_S == 0 and 0 < end - (moment + days * DAY_S) <= DAY_S


@pytest.mark.parametrize(
    ("made", "days", "end"),
    [  # AWS's own: lifecycle-expire-general-considerations, intro-lifecycle-rules
        ("2014-01-15T10:30:00Z", 3, "2014-01-19T00:00:00Z"),
        ("2020-01-02T11:30:00+00:00", 1, "2020-01-04T00:00:00Z"),
    ],
)
def test_ends_are_those_of_aws_examples(made, days, end):
    assert days_after(lifecycle.seconds(made), days) == lifecycle.seconds(end)


@given(st.lists(RULES, max_size=4), st.sampled_from(KEYS), st.integers(0, 40), st.integers(0, 60))
def test_an_upload_is_given_up_by_rules_that_ask_for_no_object(rules, key, begun, now):
    def ends(each: dict) -> bool:
        asked = each["Filter"]
        days = each.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        is_for_keys = not {"Tag", "And", "ObjectSizeGreaterThan", "ObjectSizeLessThan"} & set(asked)
        return bool(
            days
            and each["Status"] == "Enabled"
            and is_for_keys
            and key.startswith(asked.get("Prefix", ""))
            and is_over(begun * QUARTER_S, days, now * QUARTER_S)
        )

    expected = any(map(ends, rules))
    assert upload_is_due(rules, key, begun * QUARTER_S, now * QUARTER_S) == expected
