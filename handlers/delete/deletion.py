"""Making the target gone where the source is gone.

An event only says *look at this key*: what it says about the object may be old, doubled or out of order.

Why *replicate* and *delete* together converge, whatever the order, number and overlap of their deliveries.
Both look at the source before they write to the target, and again after it: *replicate* writes copies,
*delete* writes delete markers. What is not its own it hands over to the other one, which is one more
delivery. Take the last write to the target, by delivery D. After it, D looks at the source:
- D copied v and sees v, or D wrote a marker and sees nothing, and so it stays: target = source.
- D copied v and sees another version: then D writes again, so that this was not the last write.
- D copied v and sees nothing, or D wrote a marker and sees an object: D hands over. That delivery comes after
  the last write. If the source is then as D saw it, it finds a target that is not, and writes, so that this
  was not the last write. If it is not, it has changed after D looked, which is the last case.
- The source changes after D has looked: the event of the change is delivered after that, hence after the last
  write, to the function that follows such changes, or is handed over to it. Its delivery finds a target that
  is not as the source is now, and writes, so that this was not the last write.
The first case remains. A delivery that dies between writing and looking again, or whose hand-over was not
accepted, has not been acknowledged and is delivered again. One that writes nothing needs no second look.
What the brake holds is not delivered yet; what was discarded never will be.

It ends: once the source rests, *replicate* hands over only what is gone, and *delete* only what exists, so
that no key comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from common.objects import Place, look


class NotVersionedError(Exception):
    """In the target bucket a delete could not be undone."""


@dataclass(frozen=True)
class Outcome:
    """What a delivery found or did.

    Attributes:
        name: `deleted`, `in place` (the target was gone already) or `source exists`.
        bytes: Of the object that is now hidden below a delete marker.
        source_exists: Whether the source was there at the last look.
    """

    name: str
    bytes: int = 0
    source_exists: bool = False


def delete(source: Place, target: Place, before_deleting: Callable[[int], None]) -> Outcome:
    """Put a delete marker on the target if the source is gone, then look at the source again.

    Two deliveries at the same moment may put a marker each; to undo the delete, both have to be removed.

    Args:
        source: The object to follow, whose versions do not matter, only whether it has a current one.
        target: The object to delete, in a bucket with versioning.
        before_deleting: Told how many deletes are about to be done; raises if they must not be.

    Returns:
        What was done.

    Raises:
        NotVersionedError: The target bucket keeps no versions.
        ClientError: S3 refused a call.
    """
    if exists(source):
        return Outcome("source exists", source_exists=True)
    there = look(target, with_checksums=False)
    if there is None:
        return Outcome("in place")
    if not there.version:
        raise NotVersionedError(f"s3://{target.bucket} has no versioning: nothing is deleted there")
    before_deleting(1)
    target.client.delete_object(**target.name)
    return Outcome("deleted", bytes=there.size, source_exists=exists(source))


def exists(place: Place) -> bool:
    """Return whether there is an object now, and no delete marker on it."""
    return look(place, with_checksums=False) is not None
