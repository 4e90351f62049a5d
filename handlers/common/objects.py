"""What an S3 object is at one moment, and whether two are the same."""

import re
from dataclasses import dataclass
from functools import cached_property

from botocore.client import BaseClient
from botocore.exceptions import ClientError

# What describes an object besides its bytes, named as in HeadObject and CreateMultipartUpload of a client
# that keeps Expires as text.
ATTRIBUTES = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "ExpiresString",
    "Metadata",
    "StorageClass",
    "WebsiteRedirectLocation",
)
CHECKSUM = re.compile(r"Checksum(?!Type$)(\w+)")
# "<md5 of md5s>-<number of parts>": an ETag or checksum computed over parts, equal only for equal parts.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
OF_PARTS = re.compile(r"-(\d+)\"?$")
# What is in these classes cannot be read before S3 has restored it, which takes minutes to days:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
BAD_REQUEST = 400


@dataclass(frozen=True)
class ObjectState:
    """An object as HeadObject describes it.

    Attributes:
        head: The answer of HeadObject, without what belongs to the request.
    """

    head: dict

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self.head["ContentLength"]

    @property
    def etag(self) -> str:
        """ETag with its quotes."""
        return self.head["ETag"]

    @property
    def version(self) -> dict:
        """The argument that names this version; empty in a bucket without versioning."""
        return {"VersionId": self.head["VersionId"]} if "VersionId" in self.head else {}

    @property
    def parts(self) -> int:
        """In how many parts it was uploaded; 0 if it was uploaded whole."""
        found = OF_PARTS.search(self.etag)
        return int(found[1]) if found else 0

    @property
    def archive(self) -> str:
        """The archive that it must be restored from before it can be read; empty if it can be read now.

        A storage class, or a tier of Intelligent-Tiering, which HeadObject tells as `ArchiveStatus`.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        storage_class = self.head.get("StorageClass", "")
        is_restored = 'ongoing-request="false"' in self.head.get("Restore", "")
        in_class = storage_class if storage_class in ARCHIVE_CLASSES and not is_restored else ""
        return self.head.get("ArchiveStatus") or in_class

    @cached_property
    def attributes(self) -> dict:
        """Headers, metadata and storage class, as arguments of a copy."""
        found = {name: self.head[name] for name in ATTRIBUTES if name in self.head}
        # HeadObject omits STANDARD; without an argument a copy would be STANDARD too, but say it.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        return {"StorageClass": "STANDARD", "Metadata": {}} | found

    @cached_property
    def checksums(self) -> dict[str, str]:
        """Checksums by algorithm, such as `CRC64NVME`."""
        matches = ((CHECKSUM.fullmatch(name), value) for name, value in self.head.items())
        return {match[1]: value for match, value in matches if match}

    @property
    def etag_is_digest(self) -> bool:
        """Whether the ETag is computed from the bytes, which KMS and customer keys prevent."""
        return self.head.get("ServerSideEncryption", "AES256") == "AES256" and (
            "SSECustomerAlgorithm" not in self.head
        )


@dataclass(frozen=True)
class Place:
    """Where an object is, or is to be.

    Attributes:
        client: S3 client of the bucket's region.
        bucket: Name of the bucket.
        key: Key of the object.
    """

    client: BaseClient
    bucket: str
    key: str

    @property
    def name(self) -> dict:
        """Bucket and key as arguments of a call."""
        return {"Bucket": self.bucket, "Key": self.key}


def look(place: Place, version: str | None = None, with_checksums: bool = True) -> ObjectState | None:
    """Return what the object is now, or what one of its versions is.

    Args:
        place: Where to look.
        version: Id of the version; None for the current one.
        with_checksums: Whether to ask for its checksums, which of an object under a KMS key needs
            kms:Decrypt. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html

    Returns:
        Its state, or None if there is none now.

    Raises:
        ClientError: Anything but 404. A 403 does not mean that the object does not exist.
    """
    arguments = {"VersionId": version} if version else {}
    if with_checksums:
        arguments["ChecksumMode"] = "ENABLED"
    try:
        head = place.client.head_object(**place.name, **arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return None
        # HEAD has no body, hence no reason. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        if status == BAD_REQUEST:
            _get(place, arguments)
        error.add_note(
            f"HEAD of s3://{place.bucket}/{place.key} answered {status}. If 403: does the role have "
            "s3:GetObject on it, s3:ListBucket on the bucket, and kms:Decrypt on its key?"
        )
        raise
    del head["ResponseMetadata"]
    return ObjectState(head)


def _get(place: Place, arguments: dict) -> None:
    """Ask for an object, to be told why HEAD was refused: under a customer's key, for instance.

    Raises:
        ClientError: S3 refuses this, too, and says why.
    """
    place.client.get_object(**place.name, **arguments)["Body"].close()


def is_listed(place: Place) -> bool:
    """Return whether there is an object, by listing, which needs no right to read it.

    Raises:
        ClientError: S3 refused the call.
    """
    listed = place.client.list_objects_v2(Bucket=place.bucket, Prefix=place.key, MaxKeys=1)
    # The first of the keys that begin with a key is that key itself.
    return any(each["Key"] == place.key for each in listed.get("Contents", []))


class NotVisibleYetError(Exception):
    """S3 says that there is no object, but also that one of its versions is the current one."""


def check_gone(place: Place, version: str | None) -> None:
    """Raise if an object only seems to be gone, so that the delivery of its event is tried again later.

    For 15 minutes after versioning was turned on, S3 may answer 404 for an object that was just written:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html

    Args:
        place: Where nothing was found.
        version: Id of the version that the event is about; None without versioning.

    Raises:
        NotVisibleYetError: That version is the current one.
        ClientError: S3 refused a call.
    """
    if not version:
        return
    listed = place.client.list_object_versions(Bucket=place.bucket, Prefix=place.key, MaxKeys=1)
    newest = [one for one in listed.get("Versions", []) if one["Key"] == place.key and one["IsLatest"]]
    if any(one["VersionId"] == version for one in newest):
        raise NotVisibleYetError(f"s3://{place.bucket}/{place.key}: not found, though {version} is current")


def tags(place: Place, state: ObjectState) -> dict[str, str]:
    """Return the tags of the version that was looked at."""
    answer = place.client.get_object_tagging(**place.name, **state.version)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def same_bytes(one: ObjectState, other: ObjectState) -> bool | None:
    """Return whether two objects hold the same bytes, as far as size, checksums and ETags can tell.

    Returns:
        True or False where proven; None where nothing is comparable: other algorithms, other parts, KMS
        without checksums.
    """
    if one.size != other.size:
        return False
    if one.size == 0:
        return True
    pairs = [(one.checksums[name], other.checksums[name]) for name in one.checksums.keys() & other.checksums]
    if one.etag_is_digest and other.etag_is_digest:
        pairs.append((one.etag, other.etag))
    # Computed over parts, a difference may only mean that the parts were cut elsewhere.
    whole = [pair for pair in pairs if not any(OF_PARTS.search(digest) for digest in pair)]
    if any(first != second for first, second in whole):
        return False
    return True if any(first == second for first, second in pairs) else None
