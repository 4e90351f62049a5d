"""Reading of one version of an object."""

import shutil
from pathlib import Path

from botocore.exceptions import ClientError
from common.objects import ObjectState, Place, is_listed, look

PIECE_BYTES = 2**20


def current(place: Place) -> ObjectState | None:
    """Return what an object is now, or None if there is none.

    The role may list some prefixes only, and a HEAD has no prefix: S3 may answer 403 for what is missing.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html

    Raises:
        ClientError: It exists, and may not be read.
    """
    try:
        return look(place, with_checksums=False)
    except ClientError as error:
        forbidden = error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        if forbidden and not is_listed(place):
            return None
        raise


def download(source: Place, state: ObjectState, path: Path) -> None:
    """Save exactly this version as a file, in one stream: memory stays flat whatever the size.

    Raises:
        ClientError: 404 or 412 if the version is no longer there.
    """
    answer = source.client.get_object(**source.name, **state.version, IfMatch=state.etag)
    with path.open("wb") as file:
        shutil.copyfileobj(answer["Body"], file, PIECE_BYTES)


def first_bytes(source: Place, state: ObjectState, size: int) -> bytes:
    """Return at most this many bytes of this version's beginning; it must not be empty.

    Raises:
        ClientError: As `download`.
    """
    return _some_bytes(source, state, f"bytes=0-{size - 1}")


def last_bytes(source: Place, state: ObjectState, size: int) -> bytes:
    """Return at most this many bytes of this version's end; as `first_bytes`."""
    return _some_bytes(source, state, f"bytes=-{size}")


def _some_bytes(source: Place, state: ObjectState, which: str) -> bytes:
    answer = source.client.get_object(**source.name, **state.version, IfMatch=state.etag, Range=which)
    return answer["Body"].read()
