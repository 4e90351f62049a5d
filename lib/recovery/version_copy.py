"""A faithful copy of one version of an object: bytes, parts, checksum, headers, metadata, tags and class."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from boto3.s3.transfer import TransferConfig

from lib.comparison import ATTRIBUTES, CHECKSUM, OF_PARTS, OMITTED, differing_attributes, same_bytes
from lib.objects import Place
from lib.versions import Version

# What CopyObject copies: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
COPY_OBJECT_BYTES = 5 * 1024**3
OPERATIONS = ("CreateMultipartUpload", "CompleteMultipartUpload")  # to which we add arguments
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


@dataclass
class Copier:
    """Copies versions into another bucket; to be used in a `with` statement, from any number of threads.

    Attributes:
        source: Where the versions are.
        into: Where they go, under the same keys.
    """

    source: Place
    into: Place
    _extra: dict[tuple[str, str], dict] = field(default_factory=dict)

    def __enter__(self) -> "Copier":
        for operation in OPERATIONS:
            self.into.client.meta.events.register(f"provide-client-params.s3.{operation}", self._add_extra)
        return self

    def __exit__(self, *_: object) -> None:
        for operation in OPERATIONS:
            self.into.client.meta.events.unregister(f"provide-client-params.s3.{operation}", self._add_extra)

    def copy(self, version: Version, head: Head, only_if: dict[str, str]) -> None:
        """Copy a version.

        Args:
            version: Which.
            head: What HEAD tells of it.
            only_if: What must be true of the object that is there, as arguments of CopyObject: `IfNoneMatch`
                or `IfMatch`.

        Raises:
            ClientError: If S3 refuses, or something else is there by now.
        """
        # In one call, an object of parts would get another ETag and checksum.
        if not OF_PARTS.search(head["ETag"]) and head["ContentLength"] <= COPY_OBJECT_BYTES:
            self._whole(version, head, only_if)
            return
        self._in_parts(version, head, self.source.tags(version.key, version.id), only_if)

    def _whole(self, version: Version, head: Head, only_if: dict[str, str]) -> None:
        """Copy in one call; S3 carries headers, metadata and tags."""
        # COPY carries neither of these: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
        not_carried = ("StorageClass", "WebsiteRedirectLocation")
        self.into.client.copy_object(
            Bucket=self.into.bucket,
            Key=version.key,
            CopySource={"Bucket": self.source.bucket, **version.name},
            MetadataDirective="COPY",
            TaggingDirective="COPY",
            **{name: value for name, value in headers(head).items() if name in not_carried},
            **_algorithm(head),
            **only_if,
        )

    def _in_parts(self, version: Version, head: Head, tags: dict, only_if: dict[str, str]) -> None:
        """Copy in parts of the same size."""
        kind = {"ChecksumType": head["ChecksumType"]} if "ChecksumType" in head else {}
        tagging = {"Tagging": urlencode(tags, quote_via=quote)} if tags else {}
        self._extra["CreateMultipartUpload", version.key] = tagging | kind
        self._extra["CompleteMultipartUpload", version.key] = only_if
        part_bytes = self._part_bytes(version)
        try:
            self.into.client.copy(
                CopySource={"Bucket": self.source.bucket, **version.name},
                Bucket=self.into.bucket,
                Key=version.key,
                SourceClient=self.source.client,
                Config=TransferConfig(multipart_threshold=1, multipart_chunksize=part_bytes),
                ExtraArgs={"MetadataDirective": "REPLACE", **headers(head), **_algorithm(head)},
            )
        finally:
            for operation in OPERATIONS:
                del self._extra[operation, version.key]

    def _add_extra(self, params: dict, model, **_: object) -> dict | None:
        """Add what boto3's managed copy does not hand on, or too late; None to leave the call as it is.

        It sets tags by a call of its own after the object has appeared (s3transfer 0.19), when the pipeline
        may have copied it already.
        """
        extra = self._extra.get((model.name, params["Key"]))
        return params | extra if extra and params["Bucket"] == self.into.bucket else None

    def _part_bytes(self, version: Version) -> int:
        """Return how large its parts are, so that the copy's ETag is the same."""
        first = self.source.client.head_object(Bucket=self.source.bucket, **version.name, PartNumber=1)
        return first["ContentLength"]


def _algorithm(head: Head) -> dict[str, str]:
    """Return the argument that makes S3 compute the checksum that the version has; empty if it has none."""
    return {"ChecksumAlgorithm": next(iter(checksums(head)))} if checksums(head) else {}
