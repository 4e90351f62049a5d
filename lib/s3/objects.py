"""Objects in two buckets: where they are, and whether they are the same."""

from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from lib.base.own_fault import own_fault
from lib.base.waits import progress
from lib.resources.s3 import Bucket
from lib.s3.same_object import differing_attributes, same_bytes
from lib.target import Target

if TYPE_CHECKING:
    import pandas as pd

CHUNK_BYTES = 1024 * 1024
NOT_FOUND = 404
# Metadata in which an object says of which version of another one it was made.
NO_VERSION = "null"  # in a bucket that keeps no versions, which only somebody else's may be
VERSION_TOLD = "source-version-id"


@dataclass(frozen=True)
class Place:
    """A bucket, and a client of its region.

    Attributes:
        client: An S3 client.
        bucket: The bucket's name.
    """

    client: BaseClient
    bucket: str

    @classmethod
    def of(cls, target: Target, bucket: Bucket) -> "Place":
        """Return the place of a bucket that was added to a stack."""
        return cls(target.client_of(bucket), bucket.name)

    @property
    def region(self) -> str:
        """The bucket's region, by its client."""
        return self.client.meta.region_name

    def head(self, key: str) -> dict | None:
        """Return what HEAD tells of an object, or None if there is none."""
        return self.head_or_marker(key)[0]

    def head_or_marker(self, key: str) -> tuple[dict | None, str]:
        """Return what HEAD tells of an object, or None and the version of the delete marker that hides it.

        That is empty where there is an object, or no marker.

        Args:
            key: Which object.
        """
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED"), ""
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == NOT_FOUND:
                return None, marker_of(error)
            raise self._reason(key, error) from error

    def tags(self, key: str, version_id: str | None = None) -> dict[str, str]:
        """Return the tags of an object, or of one of its versions."""
        answer = self.client.get_object_tagging(Bucket=self.bucket, Key=key, **_version(version_id))
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def digest(self, key: str, version_id: str | None = None, etag: str | None = None) -> str:
        """Return the SHA-256 of an object's bytes, read in pieces.

        Args:
            key: Which object.
            version_id: Which of its versions; None for the current one.
            etag: What its ETag must be, with quotes; None for any.

        Raises:
            ClientError: If S3 refuses; 412 if the ETag is another one.
        """
        which = {"Bucket": self.bucket, "Key": key, **_version(version_id)}
        hashed, condition = sha256(), {"IfMatch": etag} if etag else {}
        with closing(self.client.get_object(**which, **condition)["Body"]) as body:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                hashed.update(chunk)
        return hashed.hexdigest()

    def _reason(self, key: str, error: ClientError) -> ClientError:
        """Return what GET answers where HEAD was refused: HEAD has no body, hence no reason.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        try:
            self.client.get_object(Bucket=self.bucket, Key=key)["Body"].close()
        except ClientError as told:
            return told
        return error


def _version(version_id: str | None) -> dict[str, str]:
    """Return the argument that names a version; none for the current one."""
    return {"VersionId": version_id} if version_id else {}


def marker_of(error: ClientError) -> str:
    """Return the version of the delete marker for which S3 answers that there is no object; empty for none.

    Empty, too, if the answer does not name it: AWS documents that such an answer has `x-amz-delete-marker`,
    and not that it has the marker's version. So nothing may need it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html

    Args:
        error: That answer.
    """
    headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
    return headers.get("x-amz-version-id", "") if headers.get("x-amz-delete-marker") == "true" else ""


def is_same(source: dict | None, target: dict | None) -> bool:
    """Tell from two answers of HEAD whether one object is a faithful copy of the other.

    Args:
        source: The original's answer, with its checksum.
        target: The copy's; None if it is not there.

    Returns:
        Whether the bytes are provably the same, and all that describes the object is equal.
    """
    if source is None or target is None:
        return False
    return same_bytes(source, target) is True and not differing_attributes(source, target)


def compare(keys: list[str], source: Place, target: Place) -> "pd.DataFrame":
    """Compare objects and their copies, contents byte for byte.

    Args:
        keys: Which.
        source: Where the originals are.
        target: Where the copies are.

    Returns:
        One row a key: whether its `content`, all its `attributes` (headers, metadata, storage class) and its
        `tags` are the same.
    """
    import pandas as pd

    rows = []
    for key in progress("Compare", keys, unit="object"):
        original, copy = source.head(key), target.head(key)
        if original is None or copy is None:
            rows.append((key, False, False, False))
            continue
        content, tags = source.digest(key) == target.digest(key), source.tags(key) == target.tags(key)
        rows.append((key, content, not differing_attributes(original, copy), tags))
    return pd.DataFrame(rows, columns=["key", "content", "attributes", "tags"])


def side_by_side(one: Place, other: Place, prefix: str = "", only_of_one: bool = False) -> "pd.DataFrame":
    """List two buckets beside each other, every version and delete marker counted.

    Args:
        one: A bucket.
        other: The bucket that shall hold the same.
        prefix: What the keys begin with; empty for all of them.
        only_of_one: Whether what only the other has, such as somebody else's, is left out.

    Returns:
        One row a key, sorted: key; for each bucket its current object's `bytes` (missing if it is deleted),
        and how many `versions` and delete `markers` there are; whether the current objects are provably
        the `same`, tags included;
        and `lag`, the seconds from the one's being written to the other's, by S3's clock, which on AWS counts
        whole seconds; missing if the other had it before.
    """
    import pandas as pd

    found = {name: _current(place, prefix) for name, place in (("primary", one), ("DR", other))}
    rows = []
    for key in sorted(found["primary"].keys() | (set() if only_of_one else found["DR"].keys())):
        here, there = (_Listed() if key not in found[name] else found[name][key] for name in found)
        both_gone = here.bytes is None and there.bytes is None
        both_there = here.bytes is not None and there.bytes is not None
        same = both_gone or (both_there and _holds_same(key, one, other))
        lag_s = (there.written - here.written).total_seconds() if there.written and here.written else -1
        rows.append((key, *here.facts, *there.facts, same, lag_s if lag_s >= 0 else None))
    names = [f"{name} {fact}" for name in found for fact in ("bytes", "versions", "markers")]
    frame = pd.DataFrame(rows, columns=["key", *names, "same", "lag"])
    return frame.astype(dict.fromkeys(names, "Int64") | {"lag": "Float64"})


def _holds_same(key: str, one: Place, other: Place) -> bool:
    """Say whether two places hold the same under a key, tags included; not if one of them does not tell."""
    try:
        return is_same(one.head(key), other.head(key)) and one.tags(key) == other.tags(key)
    except ClientError as error:
        own_fault(error)
        return False


@dataclass
class _Listed:
    """What a listing of versions tells of a key."""

    bytes: int | None = None
    versions: int = 0
    markers: int = 0
    written: "pd.Timestamp | None" = None

    @property
    def facts(self) -> tuple[int | None, int, int]:
        return self.bytes, self.versions, self.markers


def _current(place: Place, prefix: str) -> dict[str, _Listed]:
    listed: dict[str, _Listed] = {}
    where = {"Bucket": place.bucket, "Prefix": prefix}
    for page in place.client.get_paginator("list_object_versions").paginate(**where):
        for version in page.get("Versions", []):
            entry = listed.setdefault(version["Key"], _Listed())
            entry.versions += 1
            if version["IsLatest"]:
                entry.bytes, entry.written = version["Size"], version["LastModified"]
        for marker in page.get("DeleteMarkers", []):
            listed.setdefault(marker["Key"], _Listed()).markers += 1
    return listed
