"""One copy of one version of an object, with all that belongs to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

from boto3.s3.transfer import TransferConfig
from common.objects import ObjectState, Place, look, same_bytes, tags


class CopyDiffersError(Exception):
    """The copy is not what the source was."""


def copy(source: Place, target: Place, state: ObjectState) -> None:
    """Copy exactly this version: bytes, parts, checksum, headers, metadata, tags, storage class.

    Not kept, since the target bucket decides: encryption, ACL, retention, legal hold.

    Args:
        source: What to copy.
        target: Where to.
        state: What the source was when it was looked at; anything else is not copied.

    Raises:
        CopyDiffersError: The result is provably not the same.
        Exception: S3 refused, or the source is no longer that; s3transfer's versions raise different ones.
    """
    # In one call, an object of parts would get another ETag and checksum; above 5 GB it cannot be copied so.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    if state.is_multipart:
        _copy_in_parts(source, target, state)
    else:
        _copy_whole(source, target, state)


def _copy_whole(source: Place, target: Place, state: ObjectState) -> None:
    """Copy an object that was uploaded in one call, in one call; S3 carries headers, metadata and tags."""
    # COPY carries neither of these. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    not_carried = ("StorageClass", "WebsiteRedirectLocation")
    answer = target.client.copy_object(
        **target.name,
        CopySource=source.name | state.version,
        CopySourceIfMatch=state.etag,
        MetadataDirective="COPY",
        TaggingDirective="COPY",
        **{name: value for name, value in state.attributes.items() if name in not_carried},
        **_checksum_algorithm(state),
    )
    encryption = {"ServerSideEncryption": answer.get("ServerSideEncryption", "AES256")}
    copied = ObjectState({"ContentLength": state.size} | encryption | answer["CopyObjectResult"])
    if same_bytes(state, copied) is False:
        raise CopyDiffersError(f"s3://{target.bucket}/{target.key}: {copied.head} instead of {state.head}")


def _copy_in_parts(source: Place, target: Place, state: ObjectState) -> None:
    """Copy an object that was uploaded in parts, in parts of the same size."""
    source_tags = tags(source, state)
    config = TransferConfig(multipart_threshold=1, multipart_chunksize=_first_part_bytes(source, state))
    tagging = {"Tagging": urlencode(source_tags, quote_via=quote)} if source_tags else {}
    with _creating_uploads_with(target.client, tagging | _checksum_type(state)):
        target.client.copy(
            CopySource=source.name | state.version,
            **target.name,
            SourceClient=source.client,
            Config=config,
            # Explicitly, since only some versions carry metadata. https://github.com/boto/s3transfer/pull/392
            ExtraArgs={
                "CopySourceIfMatch": state.etag,
                "MetadataDirective": "REPLACE",
                **state.attributes,
                **_checksum_algorithm(state),
            },
        )
    _verify(target, state)


def _verify(target: Place, state: ObjectState) -> None:
    """Raise if what the target is now is provably not what the source was.

    Another delivery may have written the key since; then this one is retried and finds it in place.
    """
    copied = look(target)
    if copied is None:
        raise CopyDiffersError(f"s3://{target.bucket}/{target.key}: gone right after it was copied")
    if same_bytes(state, copied) is False or copied.attributes != state.attributes:
        raise CopyDiffersError(f"s3://{target.bucket}/{target.key}: {copied.head} instead of {state.head}")


def _first_part_bytes(source: Place, state: ObjectState) -> int:
    """Return the size of the object's first part, which uploaders give to all parts but the last.

    Where one did not, the copy has the same bytes in other parts, hence another ETag.
    """
    part = source.client.head_object(**source.name, **state.version, PartNumber=1, IfMatch=state.etag)
    return part["ContentLength"]


def _checksum_algorithm(state: ObjectState) -> dict:
    """Return the argument that makes S3 compute the checksum that the source has; empty if it has none."""
    return {"ChecksumAlgorithm": next(iter(state.checksums))} if state.checksums else {}


def _checksum_type(state: ObjectState) -> dict:
    """Return the argument that says whether the checksum is of the whole object or composed of its parts'."""
    return {"ChecksumType": state.head["ChecksumType"]} if "ChecksumType" in state.head else {}


@contextmanager
def _creating_uploads_with(client, arguments: dict) -> Iterator[None]:
    """Add arguments that managed copies do not hand on.

    These are the kind of checksum, and the tags, which newer versions of s3transfer (0.19 does) set by
    a call of their own after the object has appeared.
    """
    event, name = "provide-client-params.s3.CreateMultipartUpload", "replicate"
    client.meta.events.register(event, lambda params, **_: params | arguments, unique_id=name)
    try:
        yield
    finally:
        client.meta.events.unregister(event, unique_id=name)
