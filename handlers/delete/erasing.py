"""Erasing the history of a key in the target, as far as it was erased in the source.

Level-triggered too: whatever the event says, the versions on both sides are compared.

Why nothing is lost. Erased is a version of the target
- that is not the current one, and
- whose bytes provably differ from those of each version that the source still has, by size, checksum or ETag.
  Where that cannot be told (KMS without checksums, parts cut elsewhere), it stays; so do bytes that another
  version has.
The target is listed before the source. Each version of the target was in the source when it was copied; if it
is not there at the later listing, it was deleted in between. A listing that fails raises; it is never taken
for an empty one.

Why nothing remains, except what cannot be told apart: after its last write to the target, a delivery has both
sides compared, *delete* by itself and *replicate* by handing over. All that is noncurrent by then is in that
comparison, and what is deleted in the source later has an event of its own.
"""

from collections.abc import Callable, Iterator

from common.objects import Place, look, same_bytes


def erase(source: Place, target: Place, before_deleting: Callable[[int], None]) -> int:
    """Delete those noncurrent versions of the target whose bytes no version of the source has.

    Args:
        source: The object to follow, in a bucket with versioning.
        target: The object whose history is to be erased, in a bucket with versioning.
        before_deleting: Told how many deletes are about to be done; raises if they must not be.

    Returns:
        How many versions were erased.

    Raises:
        ClientError: S3 refused a call.
    """
    noncurrent = [version for version in versions(target) if not version["IsLatest"]]
    if not noncurrent:
        return 0
    kept = list(versions(source))
    erasable = [version for version in noncurrent if not _may_be_kept(source, kept, target, version)]
    if erasable:
        before_deleting(len(erasable))
    for version in erasable:
        target.client.delete_object(**target.name, VersionId=version["VersionId"])
    return len(erasable)


def versions(place: Place) -> Iterator[dict]:
    """Yield the versions of exactly this key as ListObjectVersions describes them, without delete markers."""
    pages = place.client.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=place.key)
    for page in pages:
        found = page.get("Versions", [])
        yield from (version for version in found if version["Key"] == place.key)
        # A key comes before all those that begin with it; there may be millions of these.
        if any(entry["Key"] != place.key for entry in (*found, *page.get("DeleteMarkers", []))):
            return


def _may_be_kept(source: Place, kept: list[dict], target: Place, version: dict) -> bool:
    """Return whether one of the source's versions may have the bytes of the target's version."""
    return any(
        _may_be_same(source, one["VersionId"], target, version["VersionId"])
        for one in kept
        if one["Size"] == version["Size"]
    )


def _may_be_same(source: Place, source_version: str, target: Place, target_version: str) -> bool:
    """Return whether two versions do not provably differ; what has gone meanwhile has its own event."""
    one, other = look(source, source_version), look(target, target_version)
    return one is None or other is None or same_bytes(one, other) is not False
