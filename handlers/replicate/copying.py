"""One copy of one version of an object, with all that belongs to it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from urllib.parse import quote, urlencode

from botocore.exceptions import ClientError
from common.objects import CHECKSUM, ObjectState, Place, look, same_bytes, tags

# The source is another one by now, the target exists, or is just being written.
REFUSED_CONDITIONS = (409, 412)
PARTS_AT_ONCE = 10  # of one object, for each of which the handler's clients keep a connection open


class CopyDiffersError(Exception):
    """The copy is not what the source was."""


class ArchivedError(Exception):
    """The source cannot be read before S3 has restored it."""


class TargetExistsError(Exception):
    """There is an object where a new one was to be written, or another one is just being written there."""


def copy(source: Place, target: Place, state: ObjectState, only_if_new: bool = False) -> None:
    """Copy exactly this version: bytes, parts, checksum, headers, metadata, tags, storage class.

    Not kept, since the target bucket decides: encryption, ACL, retention, legal hold.

    Args:
        source: What to copy.
        target: Where to.
        state: What the source was when it was looked at; anything else is not copied.
        only_if_new: Whether an object that is there is to stay; not of an object of parts.

    Raises:
        TargetExistsError: There is one.
        ArchivedError: It must be restored first, which S3 does on demand only.
        CopyDiffersError: The result is provably not the same.
        ClientError: S3 refused, or the source is no longer that.
    """
    if state.archive:
        raise ArchivedError(
            f"s3://{source.bucket}/{source.key} is archived ({state.archive}) and cannot be copied. Have S3 "
            "restore it (aws s3api restore-object), then redrive"
        )
    # In one call, an object of parts would get another ETag and checksum; above 5 GB it cannot be copied so.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    if state.parts:
        _copy_in_parts(source, target, state)
    else:
        _copy_whole(source, target, state, only_if_new)


def _copy_whole(source: Place, target: Place, state: ObjectState, only_if_new: bool) -> None:
    """Copy an object that was uploaded in one call, in one call; S3 carries headers, metadata and tags."""
    # COPY carries neither of these. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    not_carried = ("StorageClass", "WebsiteRedirectLocation")
    condition = {"IfNoneMatch": "*"} if only_if_new else {}
    try:
        answer = target.client.copy_object(
            **target.name,
            **condition,
            CopySource=source.name | state.version,
            CopySourceIfMatch=state.etag,
            MetadataDirective="COPY",
            TaggingDirective="COPY",
            **{name: value for name, value in state.attributes.items() if name in not_carried},
            **_checksum_algorithm(state),
        )
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if only_if_new and status in REFUSED_CONDITIONS:
            raise TargetExistsError(f"s3://{target.bucket}/{target.key}") from error
        raise
    encryption = {"ServerSideEncryption": answer.get("ServerSideEncryption", "AES256")}
    copied = ObjectState({"ContentLength": state.size} | encryption | answer["CopyObjectResult"])
    if same_bytes(state, copied) is False:
        raise CopyDiffersError(f"s3://{target.bucket}/{target.key}: {copied.head} instead of {state.head}")


def _copy_in_parts(source: Place, target: Place, state: ObjectState) -> None:
    """Copy an object that was uploaded in parts, in parts of the same sizes.

    Not by boto3's managed copy: it makes no parts of an empty object, sets tags after the object has
    appeared (s3transfer 0.19), and knows neither kinds of checksums nor parts of different sizes.
    """
    tagging = urlencode(tags(source, state), quote_via=quote)
    sizes = part_sizes(source, state)
    described = state.attributes | ({"Tagging": tagging} if tagging else {})
    with _upload(target, described | _checksum_algorithm(state) | _checksum_type(state)) as upload:

        def copy_part(number: int, first: int, size: int) -> dict:
            which = upload | {"PartNumber": number}
            if size == 0:  # of nothing there is no range; what is empty has nothing to be copied
                return which | target.client.upload_part(**which, Body=b"", **_checksum_algorithm(state))
            # "You can copy a range only if the source object is greater than 5 MB."
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
            part = {} if size == state.size else {"CopySourceRange": f"bytes={first}-{first + size - 1}"}
            answer = target.client.upload_part_copy(
                **which, CopySource=source.name | state.version, CopySourceIfMatch=state.etag, **part
            )
            return which | answer["CopyPartResult"]

        firsts = accumulate(sizes, initial=0)
        with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
            parts = list(threads.map(copy_part, range(1, len(sizes) + 1), firsts, sizes))
        done = [{name: part[name] for name in part if _is_of_part(name)} for part in parts]
        target.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
    _verify(target, state)


def part_sizes(source: Place, state: ObjectState) -> list[int]:
    """Return the bytes of each of an object's parts.

    Uploaders give the same size to all parts but the last; where the first and the last say so, the others
    are not asked.

    Args:
        source: Where it is.
        state: What it is, uploaded in parts.

    Raises:
        ClientError: S3 refused, or the source is no longer that.
    """

    def size(number: int) -> int:
        which = source.name | state.version | {"PartNumber": number, "IfMatch": state.etag}
        return source.client.head_object(**which)["ContentLength"]

    if state.parts == 1 or state.size == 0:  # only a last part may be empty
        return [state.size]
    first, last = size(1), size(state.parts)
    if first * (state.parts - 1) + last == state.size:
        return [first] * (state.parts - 1) + [last]
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        sizes = [first, *threads.map(size, range(2, state.parts)), last]
    # Where S3 tells of the whole when it is asked for a part, it does not know them any more.
    return sizes if sum(sizes) == state.size else [state.size]


@contextmanager
def _upload(target: Place, described: dict) -> Iterator[dict]:
    """Begin an upload in parts, and leave nothing of it behind if it fails.

    Yields:
        The arguments that name it.
    """
    upload_id = target.client.create_multipart_upload(**target.name, **described)["UploadId"]
    upload = target.name | {"UploadId": upload_id}
    try:
        yield upload
    except BaseException as error:
        try:
            target.client.abort_multipart_upload(**upload)
        except Exception as refused:
            error.add_note(f"The upload {upload_id} could not be aborted: {refused}")
        raise


def _is_of_part(name: str) -> bool:
    """Return whether CompleteMultipartUpload is to be told this of a part."""
    return name in ("PartNumber", "ETag") or CHECKSUM.fullmatch(name) is not None


def _verify(target: Place, state: ObjectState) -> None:
    """Raise if what the target is now is provably not what the source was.

    Another delivery may have written the key since; then this one is retried and finds it in place.
    """
    copied = look(target)
    if copied is None:
        raise CopyDiffersError(f"s3://{target.bucket}/{target.key}: gone right after it was copied")
    if same_bytes(state, copied) is False or copied.attributes != state.attributes:
        raise CopyDiffersError(f"s3://{target.bucket}/{target.key}: {copied.head} instead of {state.head}")


def _checksum_algorithm(state: ObjectState) -> dict:
    """Return the argument that makes S3 compute the checksum that the source has; empty if it has none."""
    return {"ChecksumAlgorithm": next(iter(state.checksums))} if state.checksums else {}


def _checksum_type(state: ObjectState) -> dict:
    """Return the argument that says whether the checksum is of the whole object or composed of its parts'."""
    return {"ChecksumType": state.head["ChecksumType"]} if "ChecksumType" in state.head else {}
