"""A faithful copy of one version of an object: bytes, parts, checksum, headers, metadata, tags and class."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any
from urllib.parse import quote, urlencode

from lib.base.threads import in_threads
from lib.s3.objects import Place
from lib.s3.same_object import ATTRIBUTES, CHECKSUM, OMITTED, differing_attributes, parts, same_bytes
from lib.s3.versions import Version

Head = dict[str, Any]


def head_version(place: Place, version: Version) -> Head:
    """Return what HEAD tells of a version, with its checksum."""
    return place.client.head_object(Bucket=place.bucket, **version.name, ChecksumMode="ENABLED")


def headers(head: Head) -> Head:
    """Return the headers, the metadata and the storage class of an object, as arguments of a copy."""
    return OMITTED | {k: head[k] for k in ATTRIBUTES if k in head}


def checksums(head: Head) -> dict[str, str]:
    """Return an object's checksums by algorithm, such as `CRC64NVME`."""
    matches = ((CHECKSUM.fullmatch(name), value) for name, value in head.items())
    return {match[1]: value for match, value in matches if match}


def difference(one: Head, other: Head) -> str:
    """Return in which respect two objects differ as far as HEAD tells: `bytes`, `headers`, or nothing.

    Where it cannot be told whether the bytes are the same, as under a KMS key without checksums, they count
    as different.
    """
    if not same_bytes(one, other):
        return "bytes"
    return "headers" if differing_attributes(one, other) else ""


def copy_version(source: Place, into: Place, version: Version, head: Head, only_if: dict[str, str]) -> None:
    """Copy a version into another bucket, under the same key.

    Args:
        source: Where the version is.
        into: Where it goes.
        version: Which.
        head: What HEAD tells of it.
        only_if: What must be true of the object that is there, as arguments of CopyObject: `IfNoneMatch` or
            `IfMatch`.

    Raises:
        ClientError: If S3 refuses, or something else is there by now.
    """
    # In one call, an object of parts would get another ETag and checksum.
    if parts(head):
        _in_parts(source, into, version, head, only_if)
    else:
        _whole(source, into, version, head, only_if)


def _whole(source: Place, into: Place, version: Version, head: Head, only_if: dict[str, str]) -> None:
    """Copy in one call; S3 carries headers, metadata and tags."""
    # COPY carries neither of these: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    not_carried = ("StorageClass", "WebsiteRedirectLocation")
    into.client.copy_object(
        Bucket=into.bucket,
        Key=version.key,
        CopySource={"Bucket": source.bucket, **version.name},
        MetadataDirective="COPY",
        TaggingDirective="COPY",
        **{name: value for name, value in headers(head).items() if name in not_carried},
        **_algorithm(head),
        **only_if,
    )


def _in_parts(source: Place, into: Place, version: Version, head: Head, only_if: dict[str, str]) -> None:
    """Copy in parts of the same sizes, as *replicate* does: see handlers/replicate/copying.py."""
    kind = {"ChecksumType": head["ChecksumType"]} if "ChecksumType" in head else {}
    tags = urlencode(source.tags(version.key, version.id), quote_via=quote)
    described = headers(head) | _algorithm(head) | kind | ({"Tagging": tags} if tags else {})
    sizes = part_sizes(source, version, head)
    with _upload(into, version.key, described) as upload:

        def copy_part(part: tuple[int, int, int]) -> dict[str, Any]:
            number, first, size = part
            which = upload | {"PartNumber": number}
            if size == 0:  # of nothing there is no range; what is empty has nothing to be copied
                return which | into.client.upload_part(**which, Body=b"", **_algorithm(head))
            # "You can copy a range only if the source object is greater than 5 MB."
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
            is_all = size == head["ContentLength"]
            piece = {} if is_all else {"CopySourceRange": f"bytes={first}-{first + size - 1}"}
            what = {"CopySource": {"Bucket": source.bucket, **version.name}, **piece}
            return which | into.client.upload_part_copy(**which, **what)["CopyPartResult"]

        numbered = zip(range(1, len(sizes) + 1), accumulate(sizes, initial=0), sizes, strict=False)
        copied = sorted(in_threads(copy_part, numbered), key=lambda part: part["PartNumber"])
        done = [{name: part[name] for name in part if _is_of_part(name)} for part in copied]
        into.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done}, **only_if)


def part_sizes(source: Place, version: Version, head: Head) -> list[int]:
    """Return the bytes of each part of a version that was uploaded in parts.

    Uploaders give the same size to all parts but the last; where the first and the last say so, the others
    are not asked.

    Args:
        source: Where the version is.
        version: Which.
        head: What HEAD tells of it.
    """

    def size(number: int) -> int:
        which = {"Bucket": source.bucket, **version.name, "PartNumber": number}
        return source.client.head_object(**which)["ContentLength"]

    count, whole = parts(head), head["ContentLength"]
    if count == 1 or whole == 0:  # only a last part may be empty
        return [whole]
    first, last = size(1), size(count)
    if first * (count - 1) + last == whole:
        return [first] * (count - 1) + [last]
    between = dict(in_threads(lambda number: (number, size(number)), range(2, count)))
    sizes = [first, *(between[number] for number in sorted(between)), last]
    # Where S3 tells of the whole when it is asked for a part, it does not know them any more.
    return sizes if sum(sizes) == whole else [whole]


@contextmanager
def _upload(into: Place, key: str, described: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Begin an upload in parts, and leave nothing of it behind if it fails; yields what names it."""
    name = {"Bucket": into.bucket, "Key": key}
    upload = name | {"UploadId": into.client.create_multipart_upload(**name, **described)["UploadId"]}
    try:
        yield upload
    except BaseException as error:
        try:
            into.client.abort_multipart_upload(**upload)
        except Exception as refused:
            error.add_note(f"The upload {upload['UploadId']} could not be aborted: {refused}")
        raise


def _is_of_part(name: str) -> bool:
    """Say whether CompleteMultipartUpload is to be told this of a part."""
    return name in ("PartNumber", "ETag") or CHECKSUM.fullmatch(name) is not None


def _algorithm(head: Head) -> dict[str, str]:
    """Return the argument that makes S3 compute the checksum that the version has; empty if it has none."""
    return {"ChecksumAlgorithm": next(iter(checksums(head)))} if checksums(head) else {}
