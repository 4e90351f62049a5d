"""Making the target what the source is now.

An event only says *look at this key*: what it says about the object may be old, doubled or out of order.

Why it converges, whatever the order, number and overlap of deliveries. Take the last write to the target, by
delivery D, of version v. After it, D looks at the source again:
- D sees another version: then D compares it with the target, which is v, and writes again, so that this was
  not the last write.
- D sees v, and v stays: target = source.
- D sees v, and w is put later: the event of w is delivered after that put, hence after the last write. Its
  delivery finds v in the target and w in the source, and writes, so that this was not the last write.
- D sees nothing, or v is deleted later: that is for the Lambda *delete* to follow, if there is one; the
  handler hands the key over to it, or the event of the deletion goes there. See handlers/delete/deletion.py.
  A delivery that dies between writing and looking again has not been acknowledged and is delivered again. A
  delivery that writes nothing needs no second look.

Most objects are new, so nobody looks what the target is: S3 copies *only if there is nothing*, and else the
delivery begins anew and looks. Where nothing is deleted in the target, such a copy needs no look afterwards
either. Say it is the last write, by D, of v: until that moment there was nothing, and nobody had written.
- v stays: target = source.
- w is put after D looked: the event of w is delivered. What its delivery wrote came not before D's write, for
  then D would have been refused; nor did it find w in place before. So it looks at the target after D has
  written, finds v, and writes, so that this was not the last write.
Where deletions are followed, a marker may have hidden w before D wrote: there D looks again, as above.
"""

from dataclasses import dataclass

from common.objects import ObjectState, Place, look, same_bytes, tags
from copying import TargetExistsError, copy

LOOKS = 5  # at the source, before a delivery gives up on a key that changes as fast as it is copied


class SourceKeepsChangingError(Exception):
    """The source was overwritten during each copy."""


@dataclass(frozen=True)
class Outcome:
    """What a delivery found or did.

    Attributes:
        name: `copied`, `in place` (the target was the same already) or `gone` (there is no source now).
        bytes_copied: Sum over all copies made.
        version_id: Version of the source that the target has now; None without versioning, or if gone.
    """

    name: str
    bytes_copied: int = 0
    version_id: str | None = None


def replicate(source: Place, target: Place, deletions_followed: bool) -> Outcome:
    """Make the target what the source is now; look again after each copy, until the source has not changed.

    Args:
        source: The object to follow. Its deletion is not followed.
        target: The object to write.
        deletions_followed: Whether somebody else follows deletions, so that the target may be deleted.

    Returns:
        What was done.

    Raises:
        SourceKeepsChangingError: The source was another at each of LOOKS looks.
        CopyDiffersError: The copy is provably not the same.
        ClientError: S3 refused a call.
    """
    written, bytes_copied, may_be_new = None, 0, True
    for _ in range(LOOKS):
        state = look(source)
        if state is None:
            return Outcome("gone", bytes_copied)
        version = state.head.get("VersionId")
        if state == written:
            return Outcome("copied", bytes_copied, version)
        only_if_new, may_be_new = may_be_new and not state.parts, False
        if not only_if_new and in_place(source, target, state):
            return Outcome("copied" if written else "in place", bytes_copied, version)
        try:
            copy(source, target, state, only_if_new)
        except TargetExistsError:
            continue
        except Exception:
            if look(source) == state:
                raise
            continue  # it failed because what was to be copied is no longer there
        written, bytes_copied = state, bytes_copied + state.size
        if only_if_new and not deletions_followed:
            return Outcome("copied", bytes_copied, version)
    raise SourceKeepsChangingError(f"s3://{source.bucket}/{source.key}: another at each of {LOOKS} looks")


def in_place(source: Place, target: Place, state: ObjectState) -> bool:
    """Return whether the target is provably what the source is: bytes, headers, metadata, class, tags.

    Tags are read, not counted by HEAD's `x-amz-tagging-count`: that is left out also where the role may not
    read tags. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    there = look(target)
    return (
        there is not None
        and same_bytes(state, there) is True
        and there.attributes == state.attributes
        and tags(target, there) == tags(source, state)
    )
