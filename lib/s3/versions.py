"""The versions of a bucket's objects, and which of them was the current one at a point in time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from xml.etree import ElementTree

from lib.base.threads import one_ahead
from lib.resources.s3 import empty_bucket
from lib.s3.objects import Place

# Objects in these classes cannot be read before they have been restored, which takes minutes to days:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True)
class Version:
    """A version of an object, or a delete marker, as ListObjectVersions describes it.

    Attributes:
        key: The object's key.
        id: Its version id; `null` if it was written while the bucket kept no versions.
        time: When it was written, in S3's whole seconds; an upload in parts counts from its beginning.
        is_marker: Whether it says that the object was deleted.
        bytes: Its size; 0 for a marker.
        etag: Its ETag, with quotes; empty for a marker.
        is_archived: Whether it must be restored from an archive before it can be read.
    """

    key: str
    id: str
    time: datetime
    is_marker: bool = False
    bytes: int = 0
    etag: str = ""
    is_archived: bool = False

    @property
    def name(self) -> dict[str, str]:
        """Key and version as arguments of a call."""
        return {"Key": self.key, "VersionId": self.id}


def current_at(history: Iterable[Version], at: datetime) -> Version | None:
    """Return which version was the current one.

    Args:
        history: All versions and markers of one key in S3's order, newest first. Where several have the same
            time, this order alone tells which came last.
        at: The point in time; what was written in the same moment counts as written before.

    Returns:
        The version, or the marker if the object was deleted then; None if there was none yet.
    """
    return next((version for version in history if version.time <= at), None)


def histories(place: Place, prefix: str = "") -> Iterator[tuple[str, list[Version]]]:
    """Read a bucket's versions, page by page, the next page fetched ahead.

    Args:
        place: The bucket.
        prefix: Only keys that begin so.

    Yields:
        Each key, in order, and its versions and delete markers, newest first.
    """
    for key, versions in groupby(_listed(place, prefix), key=attrgetter("key")):
        yield key, list(versions)


def _listed(place: Place, prefix: str) -> Iterator[Version]:
    """Yield versions and markers in the order in which S3 lists them."""
    events = place.client.meta.events
    events.register("before-parse.s3.ListObjectVersions", _keep_order, unique_id="keep-order")
    pages = place.client.get_paginator("list_object_versions").paginate(
        Bucket=place.bucket, Prefix=prefix, OptionalObjectAttributes=["RestoreStatus"]
    )
    for page in one_ahead(pages):
        found = {
            "Version": iter(page.get("Versions", [])),
            "DeleteMarker": iter(page.get("DeleteMarkers", [])),
        }
        for kind in page["Order"]:
            yield _version(next(found[kind]), is_marker=kind == "DeleteMarker")


def _keep_order(response_dict: dict, customized_response_dict: dict, **_: object) -> None:
    """Add to the answer how versions and delete markers follow each other.

    botocore sorts them into two lists; of two that were written within the same second, which came last would
    be lost. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    """
    if response_dict["status_code"] < 300:
        names = (child.tag.rpartition("}")[2] for child in ElementTree.fromstring(response_dict["body"]))
        customized_response_dict["Order"] = [name for name in names if name in ("Version", "DeleteMarker")]


def _version(entry: dict, is_marker: bool) -> Version:
    if is_marker:
        return Version(entry["Key"], entry["VersionId"], entry["LastModified"], is_marker=True)
    readable = "RestoreExpiryDate" in entry.get("RestoreStatus", {})
    return Version(
        key=entry["Key"],
        id=entry["VersionId"],
        time=entry["LastModified"],
        bytes=entry["Size"],
        etag=entry["ETag"],
        is_archived=entry.get("StorageClass") in ARCHIVE_CLASSES and not readable,
    )


def erase(place: Place, prefix: str) -> int:
    """Erase every version, delete marker and unfinished upload below a prefix, for good.

    Args:
        place: In which bucket.
        prefix: What the keys begin with; not empty.

    Returns:
        How many versions and markers there were.

    Raises:
        LockedError: If Object Lock holds some.
        RunbookError: If S3 refuses to erase some for another reason.
        ValueError: If the prefix is empty.
    """
    if not prefix:
        raise ValueError(f"all of {place.bucket} is erased by nobody: say what the keys begin with")
    return empty_bucket(place.client, place.bucket, beginning=prefix)
