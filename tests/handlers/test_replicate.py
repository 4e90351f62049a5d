import io
import json
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.buckets import Bucket
from support.meddling import nothing_found, once
from support.s3_messages import TEST_EVENT, in_sns_envelope, raw, s3_event, s3_record, sqs_event

from lib.base.reasons import ARCHIVED, of_error, of_log_line
from lib.base.reasons import CUSTOMER_KEY as CUSTOMER_KEY_REASON
from lib.base.retry import wait_until

MIB = 2**20
CONTEXT = SimpleNamespace(
    function_name="replicate",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:replicate",
    aws_request_id="00000000-0000-0000-0000-000000000000",
)
ARGUMENTS = {
    "Metadata": {"author": "Ada", "title": "=?UTF-8?B?w5xiZXJzaWNodA==?=", "empty": ""},
    "ContentType": "text/csv; charset=utf-8",
    "ContentEncoding": "identity",
    "ContentLanguage": "de-DE",
    "ContentDisposition": 'attachment; filename="a b.csv"',
    "CacheControl": "max-age=60",
    "Expires": datetime(2030, 1, 1, tzinfo=UTC),
    "WebsiteRedirectLocation": "/elsewhere",
    "StorageClass": "STANDARD_IA",
}
TAGS = [
    {"Key": "team", "Value": "data & more"},
    {"Key": "a=b", "Value": "ü+ %"},
    {"Key": "empty", "Value": ""},
]
PARTS = [b"a" * 5 * MIB, b"b" * 5 * MIB, b"c" * 123]
KEYS = [
    "plain.csv",
    "folder/Project Idea+ü 100%.csv",
    "a%2Fb",
    "folder/",
    " leading and trailing ",
    "🚀/💾.bin",
    "a//b/./c/../d",
    "?versionId=null&x=#y",
    "k" * 1024,
    "new\nline",
    "\r\ncarriage\rreturn",
    "\x00\x01\x08\x0b\x1b[2J\x1f\x7f\x85",
    "\ufffe and \uffff",
    "/begins with one",
    "//",
    "./..",
    "..",
    "ends with spaces  ",
    "&amp;&#1;<>",
    "a*[b]{c}~'\"\\",
]
EXPIRES = [
    "never",
    "Tuesday",
    "0",
    "-1",
    "",
    "1e300",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "Thu, 01 Dec 99999 00:00:00 GMT",
]
IS_RESTORED = re.compile('ongoing-request="false"').search
CUSTOMER_KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}


def deliver(replicate, bucket, *keys):
    """Invoke the handler as SQS does, with one S3 event a key in SNS envelopes; return the failed numbers."""
    bodies = [in_sns_envelope(s3_event(s3_record(bucket, key))) for key in keys]
    answer = replicate.handler(sqs_event(*bodies), CONTEXT)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@contextmanager
def calls(replicate):
    """Yield the list of S3 operations that the handler calls meanwhile."""
    seen = []

    def note(model, **_):
        seen.append(model.name)

    clients = [replicate.client("s3", region) for region in ("us-west-1", "us-east-1")]
    for client in clients:
        client.meta.events.register("before-call.s3", note)
    yield seen
    for client in clients:
        client.meta.events.unregister("before-call.s3", note)


@contextmanager
def sent_header(client, operation, name, value):
    """Meanwhile, this client's calls have a header that boto3 would refuse."""

    def add(params, **_):
        params["headers"][name] = value

    client.meta.events.register(f"before-call.s3.{operation}", add)
    yield
    client.meta.events.unregister(f"before-call.s3.{operation}", add)


@pytest.fixture(scope="module")
def forbidden(replicate_environment, operator):
    """A bucket with an object, of which policy.json says nothing."""
    bucket = Bucket.make(operator, "us-west-1", versioned=True)
    bucket.put("secret")
    return bucket


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_any_shape(replicate, pair, key):
    pair.source.put(key, key.encode())
    assert deliver(replicate, pair.source.bucket, key) == []
    assert pair.differences(key) == {}


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_any_shape_in_parts(replicate, pair, key):
    key = key[-1022:] + "/2"
    pair.source.put_parts(key, PARTS[2:], TAGS, **ARGUMENTS)
    assert deliver(replicate, pair.source.bucket, key) == []
    assert pair.differences(key) == {}
    assert pair.target.uploads() == []


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "in parts"])
@pytest.mark.parametrize("expires", EXPIRES)
def test_expires_stays_as_it_was_written(replicate, pair, expires, is_whole):
    key = f"expires {expires} {is_whole}"
    if is_whole:
        with sent_header(pair.source.client, "PutObject", "Expires", expires):
            pair.source.put(key)
    else:
        with sent_header(pair.source.client, "CreateMultipartUpload", "Expires", expires):
            pair.source.put_parts(key, PARTS[2:])
    assert deliver(replicate, pair.source.bucket, key) == []
    assert pair.target.read(key)["ExpiresString"] == (expires or None)
    assert pair.differences(key) == {}


@pytest.mark.parametrize("algorithm", [None, "CRC32", "SHA256"])
@pytest.mark.parametrize("body", [b"", b"hello"], ids=["empty", "small"])
def test_everything_of_a_small_object(replicate, pair, body, algorithm):
    key = f"folder/{len(body)} bytes+{algorithm}"
    checksum = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    pair.source.put(key, body, **ARGUMENTS, **checksum, Tagging="team=data+%26+more&a%3Db=%C3%BC%2B+%25")
    assert deliver(replicate, pair.source.bucket, key) == []
    assert pair.differences(key) == {}
    assert pair.target.etag(key) == pair.source.etag(key)


@pytest.mark.parametrize("algorithm", [None, "CRC32", "SHA256"])
@pytest.mark.parametrize(
    "bodies",
    [PARTS, PARTS[2:], [b""], [*PARTS[:1], b""], [b"a" * 6 * MIB, b"b" * 5 * MIB, b"c" * 7 * MIB]],
    ids=["three parts", "one part", "an empty one", "an empty last one", "of different sizes"],
)
def test_everything_of_an_object_in_parts(replicate, pair, bodies, algorithm):
    checksum = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    key = f"folder/in parts of {[len(body) for body in bodies]}+{algorithm}"
    pair.source.put_parts(key, bodies, TAGS, **ARGUMENTS, **checksum)
    assert deliver(replicate, pair.source.bucket, key) == []
    # MiniStack computes no checksums of copied parts; that they are asked for is tested below.
    assert not pair.differences(key).keys() - {"checksums"}
    assert pair.target.etag(key) == pair.source.etag(key)
    assert pair.target.etag(key).endswith(f'-{len(bodies)}"')


METADATA = st.dictionaries(
    st.text("abcXYZ-_09", min_size=1, max_size=20).map(str.lower),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100).map(str.strip),
    max_size=4,
)
TAG_TEXT = st.text(st.characters(categories=["L", "N", "Zs"], include_characters="+-=._:/@"), max_size=60)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
        for name in ("CacheControl", "ContentDisposition", "ContentLanguage", "ContentType", "ExpiresString")
    }
    | {"StorageClass": st.sampled_from(["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"])},
)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(HEADERS, METADATA, st.dictionaries(TAG_TEXT.filter(bool), TAG_TEXT, max_size=10))
def test_whatever_describes_an_object_in_parts_is_kept(replicate, pair, headers, metadata, tags):
    tag_set = [{"Key": key, "Value": value} for key, value in tags.items()]
    pair.source.put_parts("described", [b"body"], tag_set, Metadata=metadata, **headers)
    assert deliver(replicate, pair.source.bucket, "described") == []
    assert pair.differences("described") == {}


def test_two_kilobytes_of_metadata_are_kept(replicate, pair):
    metadata = {f"name{number}": "v" * 100 for number in range(19)}
    pair.source.put("metadata", Metadata=metadata)
    pair.source.put_parts("metadata in parts", [b"body"], Metadata=metadata)
    for key in ("metadata", "metadata in parts"):
        assert deliver(replicate, pair.source.bucket, key) == []
        assert pair.target.read(key)["metadata"] == metadata


def test_what_is_under_a_customers_key_fails_with_its_reason(replicate, pair, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(replicate.logger.handlers[0], "stream", log)
    pair.source.put("beside the secret")
    pair.source.put("secret", **CUSTOMER_KEY)
    assert deliver(replicate, pair.source.bucket, "secret", "beside the secret") == ["0"]
    assert pair.differences("beside the secret") == {}
    (failed,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "ERROR"]
    assert failed["key"] == "secret"
    assert of_error(of_log_line(failed)) == CUSTOMER_KEY_REASON


@pytest.mark.parametrize("bodies", [None, [b"cold"]], ids=["whole", "in parts"])
@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_what_is_archived_fails_with_its_reason_until_it_is_restored(
    replicate, pair, monkeypatch, storage_class, bodies
):
    log, key = io.StringIO(), f"{storage_class} {bodies}"
    monkeypatch.setattr(replicate.logger.handlers[0], "stream", log)
    name = {"Bucket": pair.source.bucket, "Key": key}
    if bodies:
        pair.source.put_parts(key, bodies, StorageClass=storage_class)
    else:
        pair.source.put(key, StorageClass=storage_class)
    pair.source.put("beside the cold")
    assert deliver(replicate, pair.source.bucket, key, "beside the cold") == ["0"]
    lines = list(map(json.loads, log.getvalue().splitlines()))
    (failed,) = [line for line in lines if line["level"] == "ERROR"]
    assert (failed["key"], failed["exception_name"]) == (key, "ArchivedError")
    assert of_error(of_log_line(failed)) == ARCHIVED
    pair.source.client.restore_object(**name, RestoreRequest={"Days": 1})
    wait_until(lambda: pair.source.client.head_object(**name)["Restore"], IS_RESTORED, 30, 0.2, time.sleep)
    assert deliver(replicate, pair.source.bucket, key) == []
    assert pair.target.client.head_object(Bucket=pair.target.bucket, Key=key)["StorageClass"] == storage_class


def test_the_kind_of_checksum_and_the_tags_are_asked_for(replicate, pair):
    pair.source.put_parts("composite", PARTS, TAGS, ChecksumAlgorithm="SHA256")
    asked = {}

    def note(params, **_):
        asked.update(params["headers"])

    client = replicate.client("s3", "us-east-1")
    client.meta.events.register("before-call.s3.CreateMultipartUpload", note)
    assert deliver(replicate, pair.source.bucket, "composite") == []
    client.meta.events.unregister("before-call.s3.CreateMultipartUpload", note)
    assert asked["x-amz-checksum-algorithm"] == "SHA256"
    assert asked["x-amz-checksum-type"] == "COMPOSITE"
    assert asked["x-amz-tagging"] == "team=data%20%26%20more&a%3Db=%C3%BC%2B%20%25&empty="


def test_a_failed_copy_in_parts_leaves_nothing(replicate, pair):
    pair.source.put_parts("cut", PARTS)
    client = replicate.client("s3", "us-east-1")
    (_, version), *_ = pair.source.versions("cut")

    def lose():
        pair.source.client.delete_object(Bucket=pair.source.bucket, Key="cut", VersionId=version)

    with once(client, "before-call.s3.UploadPartCopy", lose):
        assert deliver(replicate, pair.source.bucket, "cut") == []
    assert pair.target.uploads() == []
    assert not pair.target.exists("cut")


def test_duplicates_are_not_copied_again(replicate, pair):
    pair.source.put("twice", **ARGUMENTS, Tagging="a=b")
    pair.source.put_parts("twice in parts", PARTS, TAGS, **ARGUMENTS)
    keys = ["twice", "twice in parts"] * 2
    for _ in range(2):
        assert deliver(replicate, pair.source.bucket, *keys) == []
    assert [len(pair.target.versions(key)) for key in keys] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "changed",
    [
        {"Body": b"other"},
        {"Metadata": {"a": "2"}},
        {"ContentType": "text/plain"},
        {"StorageClass": "STANDARD_IA"},
        {"Tagging": "a=2"},
    ],
    ids=str,
)
def test_an_overwrite_arrives(replicate, pair, changed):
    before = {"Body": b"same", "Metadata": {"a": "1"}, "ContentType": "text/csv", "Tagging": "a=1"}
    name = {"Bucket": pair.source.bucket, "Key": "overwritten"}
    for arguments in (before, before | changed):
        pair.source.client.put_object(**name, **arguments)
        assert deliver(replicate, pair.source.bucket, "overwritten") == []
        assert pair.differences("overwritten") == {}


@pytest.mark.parametrize("moment", ["before-call.s3.CopyObject", "after-call.s3.CopyObject"])
@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
@pytest.mark.parametrize("deletions_followed", [True, False])
def test_a_source_overwritten_meanwhile_arrives(
    replicate, make_pair, monkeypatch, versioned, moment, deletions_followed
):
    pair = make_pair(versioned)
    monkeypatch.setenv("TARGET_BUCKET", pair.target.bucket)
    monkeypatch.setenv("DELETE_FUNCTION", "delete" if deletions_followed else "")
    pair.source.put("moving", b"first")
    with once(replicate.client("s3", "us-east-1"), moment, lambda: pair.source.put("moving", b"second")):
        assert deliver(replicate, pair.source.bucket, "moving") == []
    if not deletions_followed:  # what is new needs no second look, since the second put has its own event
        assert deliver(replicate, pair.source.bucket, "moving") == []
    assert pair.target.read("moving")["body"] == b"second"


def test_a_source_that_never_rests_is_retried(replicate, pair):
    pair.source.put("restless")
    pair.target.put("restless", b"there is one")  # of what is new, each change has its own event
    bodies = (b"%d" % number for number in range(100))

    def overwrite(**_):
        pair.source.put("restless", next(bodies))

    client = replicate.client("s3", "us-east-1")
    client.meta.events.register("after-call.s3.CopyObject", overwrite)
    with pytest.raises(BatchProcessingError, match="SourceKeepsChanging|another at each"):
        deliver(replicate, pair.source.bucket, "restless")
    client.meta.events.unregister("after-call.s3.CopyObject", overwrite)
    assert deliver(replicate, pair.source.bucket, "restless") == []
    assert pair.differences("restless") == {}


def test_a_source_that_is_gone_is_done_and_the_target_kept(replicate, pair):
    pair.source.put("gone")
    deliver(replicate, pair.source.bucket, "gone")
    pair.source.delete("gone")
    assert deliver(replicate, pair.source.bucket, "gone", "never was") == []
    assert pair.target.exists("gone")
    assert not pair.target.exists("never was")


def test_removals_are_ignored(replicate, pair):
    pair.source.put("removed")
    removal = s3_event(
        s3_record(pair.source.bucket, "removed", event_name="ObjectRemoved:DeleteMarkerCreated")
    )
    assert replicate.handler(sqs_event(raw(removal)), CONTEXT) == {"batchItemFailures": []}
    assert not pair.target.exists("removed")


def test_poison_fails_alone(replicate, pair):
    for key in ("good 1", "good 2"):
        pair.source.put(key)
    good = [raw(s3_event(s3_record(pair.source.bucket, key))) for key in ("good 1", "good 2")]
    answer = replicate.handler(sqs_event(good[0], "poison", good[1], raw(TEST_EVENT)), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert pair.differences("good 1") == {}
    assert pair.differences("good 2") == {}


def test_one_failed_record_does_not_hold_up_the_others_of_its_message(replicate, pair, forbidden):
    pair.source.put("beside")
    records = [s3_record(forbidden.bucket, "secret"), s3_record(pair.source.bucket, "beside")]
    with pytest.raises(BatchProcessingError):
        replicate.handler(sqs_event(raw(s3_event(*records))), CONTEXT)
    assert pair.differences("beside") == {}


def test_forbidden_is_not_gone(replicate, pair, forbidden):
    pair.source.put("allowed")
    where = [(forbidden.bucket, "secret"), (forbidden.bucket, "missing"), (pair.source.bucket, "allowed")]
    bodies = [raw(s3_event(s3_record(bucket, key))) for bucket, key in where]
    answer = replicate.handler(sqs_event(*bodies), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "1"}]}
    assert not pair.target.exists("secret")


def test_invoked_by_s3_it_raises(replicate, pair, forbidden):
    pair.source.put("direct")
    event = s3_event(s3_record(forbidden.bucket, "secret"), s3_record(pair.source.bucket, "direct"))
    with pytest.raises(ExceptionGroup) as caught:
        replicate.handler(event, CONTEXT)
    (error,) = caught.value.exceptions
    assert isinstance(error, ClientError)
    assert "s3:ListBucket" in error.__notes__[0]
    assert pair.differences("direct") == {}


def test_invoked_by_s3_with_its_test_event(replicate):
    assert replicate.handler(TEST_EVENT, CONTEXT) is None


def test_no_more_calls_than_needed(replicate, pair):
    pair.source.put("cheap", Tagging="a=b")
    with calls(replicate) as seen:
        deliver(replicate, pair.source.bucket, "cheap")
        assert seen == ["HeadObject", "CopyObject"]
        seen.clear()
        deliver(replicate, pair.source.bucket, "cheap")
        assert seen == ["HeadObject", "CopyObject", *["HeadObject"] * 2, *["GetObjectTagging"] * 2]
        pair.source.put("cheap", b"another")
        seen.clear()
        deliver(replicate, pair.source.bucket, "cheap")
        assert seen == ["HeadObject", "CopyObject", *["HeadObject"] * 2, "CopyObject", "HeadObject"]


def test_where_deletions_are_followed_it_looks_again(replicate, pair):
    pair.source.put("watched")
    source, target = (
        replicate.Place(replicate.client("s3", region), bucket, "watched")
        for region, bucket in (("us-west-1", pair.source.bucket), ("us-east-1", pair.target.bucket))
    )
    with calls(replicate) as seen:
        replicate.replicate(source, target, deletions_followed=True)
    assert seen == ["HeadObject", "CopyObject", "HeadObject"]


def test_the_objects_of_a_batch_are_worked_on_at_the_same_time(replicate, pair):
    keys = [f"together {number}" for number in range(10)]
    for key in keys:
        pair.source.put(key)
    all_there = threading.Barrier(len(keys))

    def meet(**_):
        all_there.wait(timeout=60)

    client = replicate.client("s3", "us-east-1")
    client.meta.events.register("before-call.s3.CopyObject", meet)
    try:
        assert deliver(replicate, pair.source.bucket, *keys) == []
    finally:
        client.meta.events.unregister("before-call.s3.CopyObject", meet)
    assert [pair.differences(key) for key in keys] == [{}] * len(keys)


def test_all_parts_of_all_objects_of_a_batch_have_a_connection(replicate, pair, caplog):
    keys = [f"in parts {number}" for number in range(4)]
    for key in keys:
        pair.source.put_parts(key, [bytes([number]) * 5 * MIB for number in range(3)])
    all_there, client = threading.Barrier(12), replicate.client("s3", "us-east-1")

    def meet(**_):
        all_there.wait(timeout=60)

    client.meta.events.register("before-send.s3.UploadPartCopy", meet)
    try:
        assert deliver(replicate, pair.source.bucket, *keys) == []
    finally:
        client.meta.events.unregister("before-send.s3.UploadPartCopy", meet)
    assert [pair.differences(key) for key in keys] == [{}] * len(keys)
    assert "Connection pool is full" not in caplog.text


def test_no_value_is_lost_that_threads_count_at_the_same_time(replicate, monkeypatch):
    metrics, meet = replicate.metrics, threading.Barrier(4)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def add(value: int) -> None:
        meet.wait(timeout=60)
        metrics.add_metric("ObjectsCopied", "Count", value)

    try:
        with ThreadPoolExecutor(4) as threads:
            for _ in range(1000):
                list(threads.map(add, range(4)))
                assert sorted(metrics.metric_set["ObjectsCopied"]["Value"]) == [0, 1, 2, 3]
                metrics.clear_metrics()
    finally:
        sys.setswitchinterval(before)
        metrics.clear_metrics()


def test_what_fails_of_a_batch_is_named_in_the_order_of_the_batch(
    replicate, pair, forbidden, capsys, monkeypatch
):
    log = io.StringIO()
    monkeypatch.setattr(replicate.logger.handlers[0], "stream", log)
    pair.target.put("fine", b"old")  # so that each delivery by itself would find something to copy
    pair.source.put("fine")
    records = [
        {**s3_record(forbidden.bucket, "secret"), "sentTime": "2026-11-30T12:00:00.000Z"},
        s3_record(pair.source.bucket, "fine"),
    ] * 4
    answer = replicate.handler(sqs_event(*(in_sns_envelope(s3_event(each)) for each in records)), CONTEXT)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0", "2", "4", "6"]
    lines = list(map(json.loads, log.getvalue().splitlines()))
    assert sorted((line["key"], line.get("told_later", False)) for line in lines) == (
        [("fine", False)] * 4 + [("secret", True)] * 4
    )
    assert sorted(line["message"] for line in lines if line["key"] == "fine") == ["copied", *["in place"] * 3]
    counted = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sorted(counted["ObjectsCopied"]) == [0, 0, 0, 1]
    assert sorted(counted["ObjectsAlreadyInPlace"]) == [0, 1, 1, 1]


def test_log_and_metrics(replicate, pair, capsys, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(replicate.logger.handlers[0], "stream", log)
    pair.source.put("counted", b"do not log me")
    deliver(replicate, pair.source.bucket, "counted", "counted")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["key"], line["bytes"], line["outcome"]) for line in lines] == [
        ("counted", 13, "copied"),
        ("counted", 0, "in place"),
    ]
    assert lines[0]["version"] == pair.source.versions("counted")[0][1]
    assert "do not log me" not in log.getvalue()
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (metrics["ObjectsCopied"], metrics["ObjectsAlreadyInPlace"]) == ([1, 0], [0, 1])
    assert metrics["BytesCopied"] == [13, 0]
    assert all(lag_ms > 0 for lag_ms in metrics["Lag"])


def test_what_s3_does_not_find_yet_is_retried(replicate, pair):
    version = pair.source.client.put_object(Bucket=pair.source.bucket, Key="new", Body=b"x")["VersionId"]
    message = in_sns_envelope(s3_event(s3_record(pair.source.bucket, "new", version=version)))
    other = in_sns_envelope(s3_event(s3_record(pair.source.bucket, "none")))
    with nothing_found(replicate.client("s3", "us-west-1")):
        answer = replicate.handler(sqs_event(message, other), CONTEXT)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0"]
    pair.source.client.delete_object(Bucket=pair.source.bucket, Key="new")
    assert replicate.handler(sqs_event(message), CONTEXT)["batchItemFailures"] == []
