"""What MiniStack's S3 gets wrong and we correct in its server."""

import uuid

import pytest
from botocore.exceptions import ClientError

from lib.comparison import same_bytes

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
