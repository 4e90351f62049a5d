"""Making one object of another, so that it tells of what the other is now.

An event only says *look at this key*; events come twice, late, and in another order. So the object is looked
at again after each write: who wrote last has seen that it was still what the outcome is of, or writes again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from common.objects import ObjectState, Place, look

LOOKS = 5  # at an object, before a delivery gives up on one that changes as fast as it is read
CHANGED = (404, 412)  # it is gone, or another one by now


class SourceKeepsChangingError(Exception):
    """The object was overwritten during each attempt."""


class TooLargeError(Exception):
    """The object is larger than the function shall read into its memory."""


@dataclass(frozen=True)
class Outcome:
    """What was done about an object.

    Attributes:
        name: `derived`, or `gone` if there is none.
        state: What the object was; None if there is none.
        size: Bytes of what was written.
    """

    name: str
    state: ObjectState | None = None
    size: int = 0

    @property
    def version_id(self) -> str | None:
        """Which version it was; None if there is none."""
        return self.state.head.get("VersionId") if self.state else None


def derive_from(
    source: Place, target: Place, make: Callable[[str, bytes], bytes], content_type: str, largest_bytes: int
) -> Outcome:
    """Write what is made of an object, with metadata that say of which version it is.

    Args:
        source: The object.
        target: Where to write.
        make: Returns what to write, of the object's key and bytes.
        content_type: What that is.
        largest_bytes: Objects that are larger are not read.

    Returns:
        What was done; if the object is gone, nothing is written.

    Raises:
        TooLargeError: It is too large.
        SourceKeepsChangingError: It was another one at each of LOOKS looks.
        Exception: S3 or `make` failed; to be tried again.
    """
    done = Outcome("gone")
    for _ in range(LOOKS):
        state = look(source, with_checksums=False)
        if state is None:
            return done
        if done.state and _is_same(done.state, state):
            return done
        if state.size > largest_bytes:
            raise TooLargeError(f"{state.size:,} bytes, and {largest_bytes:,} are read at most")
        body = _read(source, state)
        if body is not None:
            made = make(source.key, body)
            target.client.put_object(
                **target.name, Body=made, ContentType=content_type, Metadata=_metadata(state)
            )
            done = Outcome("derived", state, len(made))
    raise SourceKeepsChangingError(f"s3://{source.bucket}/{source.key}: another at each of {LOOKS} looks")


def _is_same(one: ObjectState, other: ObjectState) -> bool:
    return (one.etag, one.version, one.size) == (other.etag, other.version, other.size)


def _read(source: Place, state: ObjectState) -> bytes | None:
    """Return the bytes of what was looked at; None if it is another one by now."""
    try:
        answer = source.client.get_object(**source.name, IfMatch=state.etag)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in CHANGED:
            return None
        raise
    return answer["Body"].read()


def _metadata(state: ObjectState) -> dict[str, str]:
    """Return what an audit reads: of which object this is."""
    told = {"etag": state.etag.strip('"'), "size-bytes": str(state.size)}
    if "VersionId" in state.head:
        told["version-id"] = state.head["VersionId"]
    return {f"source-{name}": value for name, value in told.items()}
