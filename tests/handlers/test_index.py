"""The index of a bucket with versioning."""

import gzip
import io
import itertools
import json
from datetime import UTC, datetime
from functools import partial

import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.buckets import Bucket
from support.handler_user import lambda_context
from support.index_table import BUCKET_REGION, TIME, Index
from support.meddling import ends_early
from support.s3_messages import TEST_EVENT, in_sns_envelope, s3_event, s3_record, sns_event, sqs_event
from support.zips import imports_alone

from lib.base.reasons import CUSTOMER_KEY, of_error
from lib.resources.policies import allow_services, document

LATER = "2026-01-02T15:04:05.124Z"
# S3 keys: up to 1,024 bytes of UTF-8, any character
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=250)
# Against a server: a few examples, however long they take.
ON_SERVER = settings(max_examples=40)
runs = itertools.count()


@pytest.fixture(scope="module")
def index(operator, as_handler):
    return Index.make(operator, as_handler, versioned=True)


@pytest.fixture(scope="module")
def forbidden(operator):
    """A bucket with an object, of which policy.json says nothing."""
    bucket = Bucket.make(operator, BUCKET_REGION, versioned=True)
    bucket.put("secret")
    return bucket


def without_clock(rows):
    return [{name: value for name, value in row.items() if name != "processed_at"} for row in rows]


def test_a_text(index):
    before = datetime.now(UTC)
    record = index.put("folder/a b.csv", "name;größe\n".encode(), ContentType="text/csv")
    index.deliver(record)
    row = index.row("folder/a b.csv")
    last_modified = index.bucket.client.head_object(Bucket=index.bucket.bucket, Key="folder/a b.csv")[
        "LastModified"
    ]
    assert before <= datetime.fromisoformat(row.pop("processed_at")) <= datetime.now(UTC)
    assert datetime.fromisoformat(row.pop("last_modified")) == last_modified
    assert row == {
        "file_key": "folder/a b.csv",
        "timestamp": TIME,
        "bucket_name": index.bucket.bucket,
        "event_name": "ObjectCreated:Put",
        "file_size": 13,
        "content_type": "text/csv",
        "etag": record["s3"]["object"]["eTag"],
        "version_id": record["s3"]["object"]["versionId"],
        "sequencer": record["s3"]["object"]["sequencer"],
        "content_preview": "name;größe\n",
    }


@pytest.mark.parametrize(
    ("body", "arguments", "preview"),
    [
        (b"", {}, ""),
        ("ü😀".encode() * 400, {}, "ü😀" * 250),
        ("größe".encode("latin-1"), {"ContentType": "text/plain; charset=ISO-8859-1"}, "größe"),
        ("größe".encode("latin-1"), {"ContentType": "text/plain"}, None),
        ("größe".encode("utf-16"), {}, "größe"),
        ("größe".encode("utf-32"), {}, "größe"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", {"ContentType": "text/plain"}, None),
        (gzip.compress(b"text", mtime=0), {"ContentType": "application/gzip"}, None),
        (b"pretends", {"ContentEncoding": "gzip"}, None),
        (b"plain", {"ContentEncoding": "identity"}, "plain"),
        (b"archived", {"StorageClass": "GLACIER"}, None),
        (b"archived", {"StorageClass": "DEEP_ARCHIVE"}, None),
        (b"at hand", {"StorageClass": "GLACIER_IR"}, "at hand"),
    ],
    ids=str,
)
def test_previews(index, body, arguments, preview):
    row = index.index(f"preview {next(runs)}", body, **arguments)
    assert row.get("content_preview") == preview
    assert row["file_size"] == len(body)
    assert "last_modified" in row


def test_a_put_an_overwrite_and_a_delete_are_three_rows_each_of_its_own_version(index):
    records = [
        index.put("history", b"first", time="2026-01-01T00:00:00.000Z"),
        index.put("history", b"second", time="2026-01-01T00:00:01.000Z"),
    ]
    index.bucket.delete("history")
    deleted = "ObjectRemoved:DeleteMarkerCreated"
    records.append(index.record("history", deleted, time="2026-01-01T00:00:02.000Z", version="marker"))
    index.deliver(*records)
    first, second, marker = index.rows("history")
    assert (first["content_preview"], second["content_preview"]) == ("first", "second")
    assert (first["file_size"], second["file_size"]) == (5, 6)
    assert marker.keys() == {
        *("file_key", "timestamp", "bucket_name", "event_name", "version_id", "sequencer", "processed_at")
    }
    assert (marker["event_name"], marker["version_id"]) == (deleted, "marker")


@pytest.fixture
def next_event(index, operator):
    """Return a function that waits for the next event that S3 sends of the bucket, through a queue."""
    sqs = operator.client("sqs", region_name=BUCKET_REGION)
    url = sqs.create_queue(QueueName=index.bucket.bucket)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = allow_services(
        {"s3.amazonaws.com": f"arn:aws:s3:::{index.bucket.bucket}"}, "sqs:SendMessage", arn, "000000000000"
    )
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document(allow))})
    events = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    notify = partial(index.bucket.client.put_bucket_notification_configuration, Bucket=index.bucket.bucket)

    def wait():
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return message["Body"]

    notify(NotificationConfiguration={"QueueConfigurations": [events]})
    assert json.loads(wait())["Event"] == "s3:TestEvent"
    yield wait
    notify(NotificationConfiguration={})


def test_events_that_s3_really_sends(index, next_event):
    key, client = "real + ü/ä b.txt", index.bucket.client
    name = {"Bucket": index.bucket.bucket, "Key": key}
    version = client.put_object(**name, Body=b"first")["VersionId"]
    bodies = [next_event()]
    client.put_object(**name, Body=b"second")
    bodies.append(next_event())
    client.delete_object(**name)
    bodies.append(next_event())
    client.delete_object(**name, VersionId=version)
    bodies.append(next_event())
    index.module.handler(sqs_event(*bodies), lambda_context("index"))
    rows = index.rows(key)
    assert [(row["event_name"], row.get("content_preview")) for row in rows] == [
        ("ObjectCreated:Put", None),  # by now, the first version is gone
        ("ObjectCreated:Put", "second"),
        ("ObjectRemoved:DeleteMarkerCreated", None),
        ("ObjectRemoved:Delete", None),
    ]
    assert (rows[0]["version_id"], rows[0]["file_size"]) == (version, 5)
    assert rows[3]["version_id"] == version


def test_what_a_delete_says_of_the_object_is_not_recorded(index):
    index.deliver(
        index.record("deleted", "ObjectRemoved:Delete", size=0, etag="d41d8cd98f00b204e9800998ecf8427e")
    )
    assert not index.row("deleted").keys() & {"file_size", "etag", "content_type", "content_preview"}


def test_of_a_version_that_is_gone_the_event_tells(index):
    record = index.put("gone", b"body")
    version = record["s3"]["object"]["versionId"]
    index.bucket.client.delete_object(Bucket=index.bucket.bucket, Key="gone", VersionId=version)
    index.deliver(record, index.record("never was", size=7, version="00000000000000000000000000000000"))
    row = index.row("gone")
    assert (row["file_size"], row["etag"], row["version_id"]) == (4, record["s3"]["object"]["eTag"], version)
    assert not row.keys() & {"content_type", "last_modified", "content_preview"}
    assert index.row("never was")["file_size"] == 7


def test_a_delete_marker_can_be_looked_at(index):
    index.bucket.put("marked")
    answer = index.bucket.client.delete_object(Bucket=index.bucket.bucket, Key="marked")
    expired = "LifecycleExpiration:DeleteMarkerCreated"
    index.deliver(index.record("marked", expired, version=answer["VersionId"]))
    assert index.row("marked")["event_name"] == expired


def test_a_version_that_goes_before_it_is_read(index):
    record = index.put("going", b"body")
    client = index.module.client("s3", BUCKET_REGION)
    version = record["s3"]["object"]["versionId"]

    def lose(**_):
        index.bucket.client.delete_object(Bucket=index.bucket.bucket, Key="going", VersionId=version)

    client.meta.events.register("before-call.s3.GetObject", lose)
    index.deliver(record)
    client.meta.events.unregister("before-call.s3.GetObject", lose)
    assert index.row("going")["file_size"] == 4
    assert not index.row("going").keys() & {"content_type", "last_modified", "content_preview"}


@pytest.mark.parametrize("there", [0, 1, 4])
def test_what_was_cut_off_on_its_way_is_no_shorter_preview(index, there):
    key = f"cut off after {there}"
    record = index.put(key, b"whole")
    client = index.module.client("s3", BUCKET_REGION)
    with ends_early(client, b"whole", there), pytest.raises(ExceptionGroup) as caught:
        index.deliver(record)
    (error,) = caught.value.exceptions
    assert isinstance(error, IncompleteReadError)
    assert index.rows(key) == []
    index.deliver(record)
    assert index.row(key)["content_preview"] == "whole"


def test_what_an_event_without_a_size_is_about_may_be_empty(index):
    index.put("restored empty", b"")
    index.deliver(index.record("restored empty", "ObjectRestore:Completed"))
    row = index.row("restored empty")
    assert (row["file_size"], row["content_preview"]) == (0, "")
    assert "last_modified" in row


def test_no_more_calls_and_bytes_than_needed(index):
    records = {key: index.put(key, body) for key, body in {"empty": b"", "short": b"123"}.items()}
    records["deleted"] = index.record("deleted again", "ObjectRemoved:Delete")
    seen = {}
    for key, record in records.items():
        with index.calls() as calls:
            index.deliver(record)
        seen[key] = [(name, asked) for name, asked, _ in calls]
    head = ("HeadObject", None)
    assert seen == {"empty": [head], "short": [("GetObject", "bytes=0-2003")], "deleted": []}


def test_of_a_large_version_few_bytes_are_read(index):
    """The answer's length is tested without versioning, since MiniStack ignores a version's range."""
    bodies, client = [], index.module.client("s3", BUCKET_REGION)

    def keep(parsed, **_):
        bodies.append(parsed["Body"])

    client.meta.events.register("after-call.s3.GetObject", keep)
    row = index.index("large version", b"text" * (5 * 2**20))
    client.meta.events.unregister("after-call.s3.GetObject", keep)
    assert [body.tell() for body in bodies] == [2004]
    assert (row["file_size"], row["content_preview"]) == (20 * 2**20, "text" * 125)


def test_the_first_row_of_an_event_stays(index):
    record = index.put("retried", b"body")
    index.deliver(record, record)
    before = index.rows("retried")
    version = record["s3"]["object"]["versionId"]
    index.bucket.client.delete_object(Bucket=index.bucket.bucket, Key="retried", VersionId=version)
    index.deliver(record)
    assert index.rows("retried") == before
    assert before[0]["content_preview"] == "body"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("0A", "0B"),
        ("0A", "0A1"),
        ("0A9", "0B"),
        ("00FF", "01"),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E51"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "out of order"])
def test_in_one_millisecond_the_later_sequencer_wins(index, earlier, later, reverse):
    key = f"at once {next(runs)}"
    records = [
        index.record(key, sequencer=earlier, size=1),
        index.record(key, "ObjectRemoved:Delete", sequencer=later),
    ]
    for record in reversed(records) if reverse else records:
        index.deliver(record)
    row = index.row(key)
    assert (row["sequencer"], row["event_name"]) == (later, "ObjectRemoved:Delete")


def test_events_without_sequencer_have_rows(index):
    record = index.record("tagged", "ObjectTagging:Put")
    del record["s3"]["object"]["sequencer"]
    index.deliver(record, record)
    assert "sequencer" not in index.row("tagged")
    index.deliver(index.record("tagged", size=1))
    assert index.row("tagged")["event_name"] == "ObjectCreated:Put"


@ON_SERVER
@given(KEYS)
def test_any_key_has_its_row(index, key):
    key = f"{next(runs)} {key}"
    row = index.index(key, key.encode())
    assert row["content_preview"] == key


@pytest.mark.parametrize(
    "key",
    [
        *(" + %2B ü ", "a//b/../c/", "%", "k" * 1024, "🚀" * 256, "//", "/a", "./..", "a "),
        *("a\nb", "\r", "\x00\x1b[2J\x7f", "\ufffe"),
    ],
)
def test_keys_of_any_shape(index, key):
    assert index.index(key, b"body")["file_size"] == 4


def test_an_empty_object_that_was_uploaded_in_parts(index):
    index.bucket.put_parts("empty in parts", [b""])
    index.deliver(index.record("empty in parts", size=0))
    row = index.row("empty in parts")
    assert (row["file_size"], row["content_preview"]) == (0, "")


def test_what_is_archived_has_its_row_without_a_preview(index):
    assert index.index("cold", b"body", StorageClass="GLACIER").get("content_preview") is None


def test_what_is_under_a_customers_key_fails_with_its_reason(index):
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    records = [index.put("locked", **key), index.put("beside")]
    with pytest.raises(ExceptionGroup) as caught:
        index.deliver(*records)
    (error,) = caught.value.exceptions
    assert of_error(f"ClientError: {error}") == CUSTOMER_KEY
    assert index.row("beside")


@pytest.fixture(scope="module")
def versions(index):
    """Records of versions that are there, and of one that is gone."""
    records = [index.put("ordered", body) for body in (b"one", b"two", b"\0")]
    return [record["s3"]["object"] for record in records] + [{"versionId": "0" * 32, "size": 5, "eTag": "e"}]


@ON_SERVER
@given(data=st.data())
def test_any_order_with_duplicates_gives_the_same_rows(index, versions, data):
    kinds = st.tuples(
        st.sampled_from([TIME, LATER]),
        st.sampled_from(["ObjectCreated:Put", "ObjectRemoved:Delete"]),
        st.sampled_from(versions),
    )
    # Unique when padded, as those of one key are.
    numbers = st.text("019AF", min_size=1, max_size=4)
    numbers = st.lists(numbers, min_size=1, max_size=6, unique_by=lambda number: number.rstrip("0"))
    records = []
    for sequencer in data.draw(numbers):
        time, name, version = data.draw(kinds)
        record = index.record("ordered", name, time=time, sequencer=sequencer)
        record["s3"]["object"] |= {n: v for n, v in version.items() if n not in ("key", "sequencer")}
        records.append(record)
    results = []
    for _ in range(2):
        for row in index.rows("ordered"):
            index.table.delete_item(Key={name: row[name] for name in ("file_key", "timestamp")})
        for record in data.draw(
            st.permutations(records + data.draw(st.lists(st.sampled_from(records), max_size=4)))
        ):
            index.deliver(record)
        results.append(without_clock(index.rows("ordered")))
    assert results[0] == results[1]
    assert len(results[0]) == len({record["eventTime"] for record in records})


def test_one_failure_does_not_hold_up_the_others(index, forbidden):
    records = [index.put("before"), s3_record(forbidden.bucket, "secret"), index.put("after")]
    with pytest.raises(ExceptionGroup) as caught:
        index.deliver(*records)
    (error,) = caught.value.exceptions
    assert isinstance(error, ClientError)
    assert "s3:GetObjectVersion" in error.__notes__[0]
    assert index.row("before")
    assert index.row("after")
    assert index.rows("secret") == []


def test_forbidden_is_not_gone(index, forbidden):
    with pytest.raises(ExceptionGroup) as caught:
        index.deliver(s3_record(forbidden.bucket, "missing"))
    assert "answered 403" in caught.value.exceptions[0].__notes__[0]
    assert index.rows("missing") == []


def test_a_missing_table_is_an_error(index, monkeypatch):
    monkeypatch.setenv("INDEX_TABLE", "other")
    with pytest.raises(ExceptionGroup):
        index.deliver(index.put("nowhere"))


@pytest.mark.parametrize(
    "wrap", [lambda event: sqs_event(in_sns_envelope(event)), sns_event], ids=["SQS", "SNS"]
)
def test_wrapped_events(index, wrap):
    key = f"wrapped {next(runs)}"
    index.module.handler(wrap(s3_event(index.put(key))), lambda_context("index"))
    assert index.row(key)


def test_the_test_event(index):
    assert index.module.handler(TEST_EVENT, lambda_context("index")) is None


@pytest.mark.parametrize(
    ("time", "timestamp"),
    [
        ("2026-01-02T15:04:05Z", "2026-01-02T15:04:05.000Z"),
        ("2026-01-02T16:04:05.1+01:00", "2026-01-02T15:04:05.100Z"),
    ],
)
def test_timestamps_are_as_long_and_in_utc(index, time, timestamp):
    key = f"at {time}"
    index.deliver(index.record(key, time=time))
    assert index.row(key)["timestamp"] == timestamp


def test_time_to_live(index, monkeypatch):
    assert "expires" not in index.index("for ever", b"body")
    monkeypatch.setenv("TIME_TO_LIVE_DAYS", "2")
    assert (
        index.index("for two days", b"body")["expires"]
        == datetime(2026, 1, 4, 15, 4, 5, tzinfo=UTC).timestamp()
    )


def test_log_and_metrics(index, capsys, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(index.module.logger.handlers[0], "stream", log)
    record = index.put("counted", b"do not log me")
    index.deliver(record, record)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line["key"], line["bytes"]) for line in lines] == [
        ("indexed", "counted", 13),
        ("already indexed", "counted", 13),
    ]
    assert lines[0]["version"] == record["s3"]["object"]["versionId"]
    assert lines[0]["seconds"] > 0
    assert "do not log me" not in log.getvalue()
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert metrics["EventsIndexed"] == [1, 0]
    assert all(lag_ms > 0 for lag_ms in metrics["Lag"])


def test_its_zip_imports_with_nothing_but_itself_and_the_runtime(tmp_path):
    assert imports_alone("index", tmp_path) == ""
