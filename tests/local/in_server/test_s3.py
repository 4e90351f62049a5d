"""What MiniStack's S3 gets wrong and we correct in its server."""

import time
import uuid

import psutil
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from lib.base.retry import wait_until
from lib.local import deployer, ministack
from lib.local.in_server.announcements import HEADER
from lib.s3.same_object import same_bytes

PART_BYTES = 5 * 1024 * 1024


def test_a_copy_in_parts_under_a_kms_key_can_be_told_to_be_faithful(somebody):
    s3, bucket = somebody("s3"), f"b-{uuid.uuid4().hex}"
    key_arn = somebody("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    body = bytes(PART_BYTES) + b"the end"

    def in_parts(key: str, call: str, *parts: dict) -> dict:
        begun = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="CRC32")
        which = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
        made = [getattr(s3, call)(**which, PartNumber=number, **part) for number, part in enumerate(parts, 1)]
        etags = [each.get("CopyPartResult", each)["ETag"] for each in made]
        done = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        s3.complete_multipart_upload(**which, MultipartUpload={"Parts": done})
        return s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")

    uploaded = in_parts("a", "upload_part", {"Body": body[:PART_BYTES]}, {"Body": body[PART_BYTES:]})
    source, middle, end = {"Bucket": bucket, "Key": "a"}, PART_BYTES - 1, len(body) - 1
    ranges = [f"bytes=0-{middle}", f"bytes={middle + 1}-{end}"]
    copies = [{"CopySource": source, "CopySourceRange": each} for each in ranges]
    copied = in_parts("b", "upload_part_copy", *copies)
    assert copied["ServerSideEncryption"] == "aws:kms"
    assert copied["ChecksumCRC32"] == uploaded["ChecksumCRC32"]
    assert same_bytes(uploaded, copied) is True


@pytest.fixture
def versioned(somebody):
    """An S3 client and a bucket with versioning."""
    s3, bucket = somebody("s3"), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return s3, bucket


def test_a_version_tells_its_tags_under_a_delete_marker(versioned):
    s3, bucket = versioned
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="colour=red&size=")
    marker = s3.delete_object(Bucket=bucket, Key="a")
    tags = s3.get_object_tagging(Bucket=bucket, Key="a", VersionId=put["VersionId"])["TagSet"]
    assert tags == [{"Key": "colour", "Value": "red"}, {"Key": "size", "Value": ""}]
    for refused in ({}, {"VersionId": marker["VersionId"]}, {"VersionId": "none"}):
        with pytest.raises(ClientError):
            s3.get_object_tagging(Bucket=bucket, Key="a", **refused)


def test_a_version_is_read_in_ranges(versioned):
    s3, bucket = versioned
    old = {
        "Bucket": bucket,
        "Key": "a",
        "VersionId": s3.put_object(Bucket=bucket, Key="a", Body=b"0123")["VersionId"],
    }
    s3.put_object(Bucket=bucket, Key="a", Body=b"later")
    assert s3.get_object(**old)["Body"].read() == b"0123"
    answer = s3.get_object(**old, Range="bytes=1-2")
    assert (answer["Body"].read(), answer["ContentLength"], answer["ContentRange"]) == (
        b"12",
        2,
        "bytes 1-2/4",
    )
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**old, Range="bytes=4-")


def test_parts_of_a_version_are_told_and_read(versioned):
    s3, bucket = versioned
    where = {"Bucket": bucket, "Key": "a"}
    upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    etags = [
        s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, bytes(PART_BYTES)), (2, b"the end"))
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    for which in (where, where | {"VersionId": done["VersionId"]}):
        sizes = [s3.head_object(**which, PartNumber=n, ChecksumMode="ENABLED") for n in (1, 2)]
        assert [(part["ContentLength"], part["PartsCount"]) for part in sizes] == [(PART_BYTES, 2), (7, 2)]
        assert s3.get_object(**which, PartNumber=2)["Body"].read() == b"the end"
    whole = s3.head_object(**where)
    assert whole["ContentLength"] == PART_BYTES + 7
    assert "PartsCount" not in whole


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_what_is_archived_is_not_copied_before_it_is_restored(versioned, storage_class):
    s3, bucket = versioned
    where = {"Bucket": bucket, "Key": "cold"}
    version = s3.put_object(**where, Body=b"1", StorageClass=storage_class)["VersionId"]
    upload = {"Bucket": bucket, "Key": "copy"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    for source in (where, where | {"VersionId": version}):
        with pytest.raises(ClientError, match="InvalidObjectState.*source object's storage class"):
            s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
        with pytest.raises(ClientError, match="InvalidObjectState.*source object's storage class"):
            s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)
    s3.restore_object(**where, RestoreRequest={"Days": 1})
    wait_until(lambda: s3.head_object(**where)["Restore"], lambda told: "false" in told, 30, 0.2, time.sleep)
    for source in (where, where | {"VersionId": version}):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
        s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)


def test_a_copy_that_must_be_new_overwrites_nothing(versioned):
    s3, bucket = versioned
    for body in (b"old", b"new"):
        s3.put_object(Bucket=bucket, Key=body.decode(), Body=body)
    copy = {"Bucket": bucket, "Key": "copy", "IfNoneMatch": "*"}
    s3.copy_object(**copy, CopySource={"Bucket": bucket, "Key": "old"})
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(**copy, CopySource={"Bucket": bucket, "Key": "new"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"old"
    s3.delete_object(Bucket=bucket, Key="copy")  # by a marker
    s3.copy_object(**copy, CopySource={"Bucket": bucket, "Key": "new"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"new"


@pytest.mark.parametrize("key", ["a\nb", "\r", "\x01\x1b\x7f", "\ufffe", "a b+c%2F&<", "ü"])
def test_keys_are_listed_as_they_are(versioned, key):
    s3, bucket = versioned
    s3.put_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=key)
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key)
    assert listed["Prefix"] == key
    assert [each["Key"] for each in listed["Versions"] + listed["DeleteMarkers"]] == [key, key]
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    assert page["NextKeyMarker"] == key


def test_a_server_that_was_started_anew_knows_the_parts(own_home):
    server = ministack.start()

    def client():
        return deployer.client(server, "s3", deployer.ROOT_KEY, deployer.ROOT_KEY)

    s3, bucket = client(), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "a"}
    upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    bodies = (bytes(PART_BYTES), b"end")
    etags = [
        s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        for number, body in enumerate(bodies, 1)
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    ministack.stop()
    server = ministack.start()
    assert client().head_object(**where, PartNumber=2)["ContentLength"] == 3


def test_buckets_with_names_of_old_are_served(somebody):
    """Which us-east-1 has of the time before March 2018; elsewhere there is none."""
    s3, west = somebody("s3"), somebody("s3", "us-west-1")
    name = f"Old_Photos.{uuid.uuid4().hex}".ljust(255, "-")
    headers = s3.create_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]
    assert "since March 2018 nobody makes one" in headers[HEADER]
    s3.put_object(Bucket=name, Key="a", Body=b"1")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"1"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert west.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    where = {"CreateBucketConfiguration": {"LocationConstraint": "us-west-1"}}
    for client, bad, more in ((west, f"{name[:-1]}x", where), (s3, "no", {}), (s3, "not a name", {})):
        with pytest.raises((ClientError, ParamValidationError)):
            client.create_bucket(Bucket=bad, **more)


def test_a_server_does_not_hold_the_bytes_of_versions(local_aws, versioned):
    s3, bucket = versioned
    body, number = bytes(4 * 1024 * 1024), 20

    def memory() -> int:
        return psutil.Process(local_aws.pid).memory_info().rss

    s3.put_object(Bucket=bucket, Key="a", Body=body)
    before = memory()
    put = [s3.put_object(Bucket=bucket, Key="a", Body=body + bytes([each])) for each in range(number)]
    assert memory() - before < number * len(body) / 2
    for each in (0, number - 1):
        found = s3.get_object(Bucket=bucket, Key="a", VersionId=put[each]["VersionId"])
        assert found["Body"].read() == body + bytes([each])


@pytest.mark.parametrize("key", ["a/b/c", "a//b", "k" * 300])
def test_what_is_deleted_leaves_nothing_on_the_disk(local_aws, versioned, key):
    s3, bucket = versioned
    where = {"Bucket": bucket, "Key": key}
    versions = [s3.put_object(**where, Body=b"1")["VersionId"] for _ in range(3)]
    kept = s3.put_object(Bucket=bucket, Key="a/kept", Body=b"1")
    versions.append(s3.delete_object(**where)["VersionId"])
    objects = local_aws.state / "s3"
    folders = [*objects.glob(f"*/{bucket}"), *objects.glob(f".versions/*/{bucket}")]
    stored = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len([path for path in stored if path.suffix != ".json"]) == 3 + 1  # each once, and what is kept
    for each in versions[:3]:
        assert s3.get_object(**where, VersionId=each)["Body"].read() == b"1"
    for each in versions:
        s3.delete_object(**where, VersionId=each)
    left = [path.relative_to(folder) for folder in folders for path in folder.rglob("*")]
    assert sorted(map(str, left)) == ["a", "a/kept", "a/kept.meta.json"]
    assert s3.get_object(Bucket=bucket, Key="a/kept")["VersionId"] == kept["VersionId"]


@pytest.mark.parametrize("under", ["marker of nothing", "marker", "versions, and no object", "nothing"])
def test_a_key_that_is_a_folder_of_others_outlives_the_server(own_home, under):
    def client_of(server: ministack.LocalAws):
        return deployer.client(server, "s3", deployer.ROOT_KEY, deployer.ROOT_KEY)

    def listed(s3) -> list:
        answer = s3.list_object_versions(Bucket=bucket)
        return [answer.get("Versions"), answer.get("DeleteMarkers")]

    s3, bucket = client_of(ministack.start()), "folders"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "a"}
    if under in ("marker", "versions, and no object"):
        s3.put_object(**where, Body=b"before")
    if under != "nothing":
        marker = s3.delete_object(**where)["VersionId"]
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"in the folder")
    if under == "versions, and no object":
        s3.delete_object(**where, VersionId=marker)
        s3.delete_object(**where)
    s3.put_object(**where, Body=b"object and folder")
    gone = s3.put_object(Bucket=bucket, Key="c")["VersionId"]
    s3.put_object(Bucket=bucket, Key="c/d")
    s3.delete_object(Bucket=bucket, Key="c")
    s3.delete_object(Bucket=bucket, Key="c", VersionId=gone)
    before = listed(s3)
    ministack.stop()
    s3 = client_of(ministack.start())
    assert s3.get_object(**where)["Body"].read() == b"object and folder"
    assert s3.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"in the folder"
    assert listed(s3) == before


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_a_range_of_a_large_object_does_not_read_all_of_it(local_aws, versioned, status):
    s3, bucket = versioned
    where, size, reads = {"Bucket": bucket, "Key": "a"}, 32 * 1024 * 1024, 10
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    version = s3.put_object(**where, Body=bytes(size) + b"end").get("VersionId", "null")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")

    def read_by_server() -> int:
        return psutil.Process(local_aws.pid).io_counters().read_chars

    before = read_by_server()
    for which in ({}, {"VersionId": version}) * (reads // 2):
        answer = s3.get_object(**where, **which, Range=f"bytes={size}-")
        assert (answer["Body"].read(), answer["ContentRange"]) == (
            b"end",
            f"bytes {size}-{size + 2}/{size + 3}",
        )
    assert read_by_server() - before < size
    assert (
        s3.get_object(**where, PartNumber=1)["Body"].read() == bytes(size) + b"end"
    )  # of one that has no parts
    for which in (
        {**where, "Range": f"bytes={size + 3}-"},
        {"Bucket": bucket, "Key": "empty", "Range": "bytes=0-"},
    ):
        with pytest.raises(ClientError, match="InvalidRange"):
            s3.get_object(**which)
