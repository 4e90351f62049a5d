"""Corrections of MiniStack's S3; runs in the server, inside .local-aws, so it imports nothing of ours.

MiniStack 1.5.33 ignores the tags of a multipart upload. S3 gives them to the object when it is completed,
before it tells anybody: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
And it computes no checksum of parts that are copied, so that the object has none; under a KMS key, where an
ETag tells nothing of the bytes, a copy could then never be told to be faithful.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html (CopyPartResult)
"""

import re
from contextvars import ContextVar
from urllib.parse import parse_qsl

from ministack.services import s3

# Of the upload that is being completed.
tags_of_upload: ContextVar[dict[str, str]] = ContextVar("tags_of_upload")

_create = s3._create_multipart_upload
_complete = s3._complete_multipart_upload
_copy_part = s3._upload_part_copy
_record = s3._record_object_version


def create(bucket: str, key: str, headers: dict):
    """Begin an upload, and remember its tags."""
    answer = _create(bucket, key, headers)
    upload_id = re.search(rb"<UploadId>(.+?)</UploadId>", answer[2])
    if answer[0] == 200 and upload_id:
        tags = dict(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True))
        s3._multipart_uploads[upload_id[1].decode()]["tags"] = tags
    return answer


def complete(bucket: str, key: str, body: bytes, query_params: dict, headers: dict):
    """Complete an upload, knowing its tags."""
    upload = s3._multipart_uploads.get(s3._qp(query_params, "uploadId")) or {}
    token = tags_of_upload.set(upload.get("tags", {}))
    try:
        return _complete(bucket, key, body, query_params, headers)
    finally:
        tags_of_upload.reset(token)


def copy_part(bucket: str, key: str, query_params: dict, headers: dict):
    """Copy a part, and compute the checksum that its upload was begun with."""
    answer = _copy_part(bucket, key, query_params, headers)
    if answer[0] == 200:
        upload = s3._multipart_uploads[s3._qp(query_params, "uploadId")]
        part = upload["parts"][int(s3._qp(query_params, "partNumber", "1"))]
        part["checksums"], _ = s3._resolve_part_checksums(part["body"], {}, upload)
    return answer


def record(bucket: str, key: str, *arguments) -> str | None:
    """Record a version, with the tags of the upload that it comes of."""
    version_id = _record(bucket, key, *arguments)
    if tags := tags_of_upload.get({}):
        s3._object_tags[(bucket, key, version_id)] = tags
    return version_id


s3._create_multipart_upload = create
s3._complete_multipart_upload = complete
s3._upload_part_copy = copy_part
s3._record_object_version = record
