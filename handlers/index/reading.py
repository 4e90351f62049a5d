"""What S3 says about the very version that an event is about."""

from contextlib import closing

from botocore.exceptions import ClientError
from common.events import ObjectEvent
from preview import MAX_BYTES, preview

# 404: no such key or version; 405: a delete marker; 412: no version id, and another object by now.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
GONE = {404, 405, 412}
BAD_REQUEST = 400
OUT_OF_RANGE = 416  # of an empty object there is no range
# None, or of the transfer only. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
PLAIN = {"", "identity", "aws-chunked"}


def look(s3, event: ObjectEvent) -> dict | None:
    """Return the answer of HeadObject about the event's version.

    Args:
        s3: Client of the bucket's region.
        event: What happened.

    Returns:
        The answer, or None if that version is gone.

    Raises:
        ClientError: Anything else. A 403 does not mean that it is gone.
    """
    try:
        return s3.head_object(**_version(event))
    except ClientError as error:
        if _status(error) in GONE:
            return None
        if _status(error) == BAD_REQUEST:  # HEAD does not say why; GET does, for instance of a customer's key
            s3.get_object(**_version(event))["Body"].close()
        _explain(error, event)
        raise


def read(s3, event: ObjectEvent) -> tuple[dict | None, str | None]:
    """Return what S3 says of the event's version, and its beginning if it is text, mostly by one call.

    GET of a few bytes tells all that HEAD tells.

    Args:
        s3: Client of the bucket's region.
        event: What happened.

    Returns:
        The description, as HeadObject gives it, None if that version is gone; the preview, None if the object
        is not text, compressed, archived, or gone.

    Raises:
        ClientError: Anything else. A 403 does not mean that it is gone.
    """
    if event.size == 0:
        return _of_what_has_no_bytes_to_read(s3, event)
    try:
        answer = s3.get_object(**_version(event), Range=f"bytes=0-{MAX_BYTES - 1}")
    except ClientError as error:
        if _status(error) in GONE:
            return None, None
        # Archived: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        if _status(error) == OUT_OF_RANGE or error.response["Error"]["Code"] == "InvalidObjectState":
            return _of_what_has_no_bytes_to_read(s3, event)
        _explain(error, event)
        raise
    with closing(answer["Body"]) as body:
        size = int(answer.get("ContentRange", f"/{answer['ContentLength']}").rpartition("/")[2])
        head = answer | {"ContentLength": size}
        if not _is_plain(head):
            return head, None
        # The range says how much, so no number is given: given one, botocore takes what was cut off for all.
        content = body.read()
    return head, preview(content, head.get("ContentType", ""), is_whole=size <= MAX_BYTES)


def _of_what_has_no_bytes_to_read(s3, event: ObjectEvent) -> tuple[dict | None, str | None]:
    head = look(s3, event)
    return head, "" if head and head["ContentLength"] == 0 else None


def _version(event: ObjectEvent) -> dict:
    """Return the arguments that name the event's version; where it has no id, its ETag does."""
    return {
        "Bucket": event.bucket,
        "Key": event.key,
        **({"VersionId": event.version_id} if event.version_id else {}),
        **({"IfMatch": f'"{event.etag}"'} if event.etag else {}),
    }


def _is_plain(head: dict) -> bool:
    """Return whether the bytes are the content itself, not compressed."""
    encodings = head.get("ContentEncoding", "").lower().split(",")
    return {encoding.strip() for encoding in encodings} <= PLAIN


def _status(error: ClientError) -> int:
    """Return the HTTP status of a refusal."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _explain(error: ClientError, event: ObjectEvent) -> None:
    """Add what to look for; HEAD has no body, hence no reason."""
    error.add_note(
        f"{error.operation_name} of s3://{event.bucket}/{event.key}, version {event.version_id}, answered "
        f"{_status(error)}. If 403: does the role have s3:GetObject and s3:GetObjectVersion on it, "
        "s3:ListBucket and s3:ListBucketVersions on the bucket, and kms:Decrypt on its key?"
    )
