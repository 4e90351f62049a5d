"""What MiniStack's S3 gets wrong and we correct in its server."""

import uuid

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
