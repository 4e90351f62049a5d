import io
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.exceptions import ClientError
from buckets import Bucket
from meddling import nothing_found, once
from s3_messages import TEST_EVENT, in_sns_envelope, raw, s3_event, s3_record, sqs_event

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
]


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

    clients = [replicate.s3(region) for region in ("us-west-1", "us-east-1")]
    for client in clients:
        client.meta.events.register("before-call.s3", note)
    yield seen
    for client in clients:
        client.meta.events.unregister("before-call.s3", note)


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
@pytest.mark.parametrize("bodies", [PARTS, PARTS[2:]], ids=["three parts", "one part"])
def test_everything_of_an_object_in_parts(replicate, pair, bodies, algorithm):
    checksum = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    key = f"folder/in {len(bodies)} parts+{algorithm}"
    pair.source.put_parts(key, bodies, TAGS, **ARGUMENTS, **checksum)
    assert deliver(replicate, pair.source.bucket, key) == []
    # MiniStack 1.5.33 computes no checksums of copied parts; that they are asked for is tested below.
    assert not pair.differences(key).keys() - {"checksums"}
    assert pair.target.etag(key) == pair.source.etag(key)
    assert pair.target.etag(key).endswith(f'-{len(bodies)}"')


def test_parts_of_different_sizes(replicate, pair):
    pair.source.put_parts("uneven", [b"a" * 6 * MIB, b"b" * 5 * MIB, b"c" * 7 * MIB], TAGS, **ARGUMENTS)
    assert deliver(replicate, pair.source.bucket, "uneven") == []
    assert pair.differences("uneven") == {}


def test_the_kind_of_checksum_and_the_tags_are_asked_for(replicate, pair):
    pair.source.put_parts("composite", PARTS, TAGS, ChecksumAlgorithm="SHA256")
    asked = {}

    def note(params, **_):
        asked.update(params["headers"])

    client = replicate.s3("us-east-1")
    client.meta.events.register("before-call.s3.CreateMultipartUpload", note)
    assert deliver(replicate, pair.source.bucket, "composite") == []
    client.meta.events.unregister("before-call.s3.CreateMultipartUpload", note)
    assert asked["x-amz-checksum-algorithm"] == "SHA256"
    assert asked["x-amz-checksum-type"] == "COMPOSITE"
    assert asked["x-amz-tagging"] == "team=data%20%26%20more&a%3Db=%C3%BC%2B%20%25&empty="


def test_a_failed_copy_in_parts_leaves_nothing(replicate, pair):
    pair.source.put_parts("cut", PARTS)
    client = replicate.s3("us-east-1")
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
def test_a_source_overwritten_meanwhile_arrives(replicate, make_pair, monkeypatch, versioned, moment):
    pair = make_pair(versioned)
    monkeypatch.setenv("TARGET_BUCKET", pair.target.bucket)
    pair.source.put("moving", b"first")
    with once(replicate.s3("us-east-1"), moment, lambda: pair.source.put("moving", b"second")):
        assert deliver(replicate, pair.source.bucket, "moving") == []
    assert pair.target.read("moving")["body"] == b"second"


def test_a_source_that_never_rests_is_retried(replicate, pair):
    pair.source.put("restless")
    bodies = (b"%d" % number for number in range(100))

    def overwrite(**_):
        pair.source.put("restless", next(bodies))

    client = replicate.s3("us-east-1")
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
        assert seen == ["HeadObject", "HeadObject", "CopyObject", "HeadObject"]
        seen.clear()
        deliver(replicate, pair.source.bucket, "cheap")
        assert seen == ["HeadObject", "HeadObject", "GetObjectTagging", "GetObjectTagging"]


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
    with nothing_found(replicate.s3("us-west-1")):
        answer = replicate.handler(sqs_event(message, other), CONTEXT)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0"]
    pair.source.client.delete_object(Bucket=pair.source.bucket, Key="new")
    assert replicate.handler(sqs_event(message), CONTEXT)["batchItemFailures"] == []
