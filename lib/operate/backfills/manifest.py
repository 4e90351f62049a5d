"""The manifest of an S3 Batch Operations job: a CSV file with a line for each object."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lib.base.errors import RunbookError
from lib.base.threads import in_threads
from lib.base.waits import progress
from lib.resources.s3 import Bucket
from lib.s3.listing import Entry, Range
from lib.s3.selection import PARALLEL, Selection
from lib.target import Target


@dataclass(frozen=True)
class Manifest:
    """A manifest that is in a bucket.

    Attributes:
        key: Its key.
        etag: Its ETag, without quotes: S3 refuses a job whose manifest is another by then.
        objects: How many lines it has.
    """

    key: str
    etag: str
    objects: int


def write(target: Target, selected: Selection, bucket: Bucket, key: str) -> Manifest:
    """List objects into a manifest and upload it; what is in memory is a page a thread, the rest is on disk.

    Args:
        target: The AWS to work on.
        selected: Which objects.
        bucket: Where the manifest goes.
        key: Its key, below `manifests/`, which is all that the job's role may read.

    Returns:
        The manifest.

    Raises:
        RunbookError: If there are no objects.
    """
    client = target.client(bucket.service, bucket.region)
    with tempfile.TemporaryDirectory(prefix="manifest-") as folder:
        parts = dict(sorted(_parts(target, selected, Path(folder))))
        objects = sum(parts.values())
        if not objects:
            raise RunbookError(f"nothing to send: there are no {selected}")
        whole = Path(folder) / "manifest.csv"
        _join(list(parts), whole)
        # Not with the bucket's key: S3 Batch Operations cannot read a manifest under a KMS key.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html#specify-batchjob-manifest
        client.upload_file(str(whole), bucket.name, key, ExtraArgs={"ServerSideEncryption": "AES256"})
    etag = client.head_object(Bucket=bucket.name, Key=key)["ETag"].strip('"')
    return Manifest(key, etag, objects)


def line(bucket: str, entry: Entry) -> str:
    """Return an object's line: its key is URL-encoded, so that nothing in it can end a field.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html#specify-batchjob-manifest
    """
    return f"{bucket},{quote(entry.key, safe='/')}\n"


def _parts(target: Target, selected: Selection, folder: Path) -> Iterator[tuple[Path, int]]:
    """Write a file for each range of keys; yields each, named in key order, with its number of lines."""

    def write_one(numbered: tuple[int, Range]) -> tuple[Path, int]:
        number, within = numbered
        path, count = folder / f"{number:04}.csv", 0
        with path.open("w", encoding="ascii") as file:
            for entry in selected.objects(target, within):
                file.write(line(selected.bucket.name, entry))
                count += 1
        return path, count

    cut = list(enumerate(selected.ranges(target)))
    written = in_threads(write_one, cut, PARALLEL)
    yield from progress("Manifest", written, total=len(cut), unit="range")


def _join(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as output:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, output)
            part.unlink()
