"""Correction of MiniStack's S3; runs in the server, inside .local-aws, so it imports nothing of ours.

MiniStack 1.5.33 ignores the tags of a multipart upload. S3 gives them to the object when it is completed,
before it tells anybody: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
"""

import re
from contextvars import ContextVar
from urllib.parse import parse_qsl

from ministack.services import s3

# Of the upload that is being completed.
tags_of_upload: ContextVar[dict[str, str]] = ContextVar("tags_of_upload")

_create = s3._create_multipart_upload
_complete = s3._complete_multipart_upload
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


def record(bucket: str, key: str, *arguments) -> str | None:
    """Record a version, with the tags of the upload that it comes of."""
    version_id = _record(bucket, key, *arguments)
    if tags := tags_of_upload.get({}):
        s3._object_tags[(bucket, key, version_id)] = tags
    return version_id


s3._create_multipart_upload = create
s3._complete_multipart_upload = complete
s3._record_object_version = record
