"""What boto3's S3 clients would lose, and ours keep."""

import uuid
from pathlib import Path

import pytest

from lib.base.paths import ROOT
from lib.base.s3_client import faithful, fits_xml
from lib.resources.s3 import delete_batch, empty_bucket

IN_XML = ["a", "new\nline", "\r", "\t", "\x7f\x85", "ü🚀", "\ud7ff\ue000\ufffd"]
NOT_IN_XML = ["\x00", "\x08", "\x0b", "\x1b[2J", "\x1f", "\ufffe", "\uffff"]


@pytest.fixture
def s3(somebody):
    return faithful(somebody("s3"))


@pytest.fixture
def bucket(s3):
    name = f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def keys(s3, bucket, kind="Versions"):
    return sorted({each["Key"] for each in s3.list_object_versions(Bucket=bucket).get(kind, [])})


def test_handlers_have_the_same(local_aws):
    own, theirs = (Path(ROOT, name, "s3_client.py") for name in ("lib/base", "handlers/common"))
    assert own.read_text() == theirs.read_text()


@pytest.mark.parametrize("key", IN_XML + NOT_IN_XML)
def test_what_xml_can_hold(key):
    assert fits_xml(key) is (key in IN_XML)


def test_any_key_is_uploaded_in_parts_listed_and_deleted(s3, bucket):
    for key in IN_XML + NOT_IN_XML:
        name = {"Bucket": bucket, "Key": key}
        upload = name | {"UploadId": s3.create_multipart_upload(**name)["UploadId"]}
        assert [each["Key"] for each in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [key]
        etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert keys(s3, bucket) == sorted(IN_XML + NOT_IN_XML)
    delete_batch(s3, bucket, [{"Key": key} for key in IN_XML + NOT_IN_XML])
    assert keys(s3, bucket, "DeleteMarkers") == sorted(IN_XML + NOT_IN_XML)
    for key in IN_XML + NOT_IN_XML:
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    empty_bucket(s3, bucket)
    assert keys(s3, bucket) == keys(s3, bucket, "DeleteMarkers") == []
    s3.delete_bucket(Bucket=bucket)


def test_an_error_stays_an_error(s3, bucket):
    with pytest.raises(s3.exceptions.NoSuchUpload):
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="\x01",
            UploadId="none",
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "x"}]},
        )


def test_expires_is_text(s3, bucket):
    name = {"Bucket": bucket, "Key": "k"}
    upload = name | {"UploadId": s3.create_multipart_upload(**name, ExpiresString="Tuesday")["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    head = s3.head_object(**name)
    assert (head["ExpiresString"], head.get("Expires")) == ("Tuesday", None)
    assert s3.get_object(**name)["ExpiresString"] == "Tuesday"


@pytest.mark.parametrize("key", NOT_IN_XML)
def test_a_key_that_is_not_there_is_told_as_such(s3, bucket, key):
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key=key)
