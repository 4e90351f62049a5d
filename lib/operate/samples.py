"""The sample files: real data under notebooks/samples, and how it is uploaded."""

import mimetypes
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

import pandas as pd

from lib.base import frames
from lib.base.errors import ParameterError, RunbookError
from lib.base.own_fault import such_as
from lib.base.paths import ROOT
from lib.base.waits import Wait, progress
from lib.engine.ledger import note_put
from lib.engine.stack import Stack
from lib.lake.query import Athena
from lib.operate.samples_folder import MARK, SamplesFolder, folder, mark_of, whose
from lib.resources.s3 import Bucket
from lib.s3.objects import NO_VERSION, Place
from lib.s3.selection import KeyFilter

FOLDER = ROOT / "notebooks" / "samples"
EVERY_KEY = KeyFilter()
# A picture of one transparent pixel: a file that is no CSV, whatever it is called.
PIXEL_PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
# boto3 uploads in parts from 8 MiB on:
# https://boto3.amazonaws.com/v1/documentation/api/latest/reference/customizations/s3.html
MULTIPART_THRESHOLD_BYTES = 8 * 1024 * 1024
QUIET_LOOKS, QUIET_POLL_S, QUIET_MOST_S = 3, 3, 120  # until it is believed that a pipeline writes no more


@dataclass(frozen=True)
class Sample:
    """A file to upload.

    Attributes:
        key: Its key in the bucket; the folder becomes the table's name.
        body: Its bytes.
        metadata: User metadata that must arrive with it.
        tags: Tags that must arrive with it.
        content_type: What it is; a CSV file, unless somebody says otherwise.
    """

    key: str
    body: bytes = field(repr=False)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/csv"

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.body)

    def open(self) -> BinaryIO:
        """Return its bytes as a file."""
        return BytesIO(self.body)

    @property
    def table(self) -> str:
        """The table that a crawler makes of its folder."""
        return self.key.split("/")[-2]

    @property
    def rows(self) -> int:
        """How many rows a CSV file has below its header."""
        return len(pd.read_csv(BytesIO(self.body)))


class Samples(list[Sample]):
    """Samples that are CSV files, shown as a table."""

    def table(self) -> pd.DataFrame:
        """Return one row a sample."""
        rows = [(s.key, len(s.body), s.rows, s.metadata, s.tags) for s in self]
        return pd.DataFrame(rows, columns=["key", "bytes", "rows", "metadata", "tags"])

    def _repr_html_(self) -> str:
        return frames.html(self.table())

    def __repr__(self) -> str:
        return frames.text(self.table())


class Files(Samples):
    """Samples of any kind, shown as a table."""

    def table(self) -> pd.DataFrame:
        """Return one row a sample."""
        rows = [(sample.key, len(sample.body), sample.content_type) for sample in self]
        return pd.DataFrame(rows, columns=["key", "bytes", "content type"])


def files_of(name: str, keys: KeyFilter = EVERY_KEY, folder: Path = FOLDER) -> Files:
    """Return the files in a pipeline's own folder of samples, of any kind.

    Args:
        name: The pipeline's.
        keys: Of which keys it is told: theirs begin as these, and those that do not end so are left out.
        folder: Where the folders are.

    Raises:
        ParameterError: If there is none that the pipeline is told of.
    """
    paths = sorted(path for path in (folder / name).rglob("*") if path.is_file())
    found = [
        Sample(
            f"{keys.prefix}{path.relative_to(folder / name).as_posix()}",
            path.read_bytes(),
            content_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        )
        for path in paths
    ]
    if not (followed := [sample for sample in found if keys.takes(sample.key)]):
        raise ParameterError(
            f"no sample in {folder / name} ends with {keys.suffix!r}, as keys do that {name} follows: put "
            "one there, or set exercise to false"
        )
    return Files(followed)


def load(key_prefix: str = "", folder: Path = FOLDER, hard: bool = True) -> Samples:
    """Return every CSV file of a folder, and two made of them that are hard to copy.

    Of these, one has a key that must be decoded (a space, a plus, an umlaut, a percent sign); one is so large
    that it is uploaded, and must be copied, in parts. Both carry metadata and tags.

    Args:
        key_prefix: What all keys begin with.
        folder: Where the CSV files are.
        hard: Whether the two hard ones are wanted.

    Returns:
        The samples, `<name>/<name>.csv` first, the two hard ones last.
    """
    files = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.csv"))}
    plain = [Sample(f"{key_prefix}{name}/{name}.csv", body) for name, body in files.items()]
    if not hard:
        return Samples(plain)
    metadata, tags = {"origin": "runbook"}, {"project": "runbook", "kind": "sample"}
    return Samples(
        [
            *plain,
            Sample(
                f"{key_prefix}folder/Project Idea+ü 100%.csv", files["airlines"], metadata=metadata, tags=tags
            ),
            Sample(
                f"{key_prefix}large/planes repeated.csv",
                repeat(files["planes"], MULTIPART_THRESHOLD_BYTES),
                metadata=metadata,
                tags=tags,
            ),
        ]
    )


def repeat(csv: bytes, at_least_bytes: int) -> bytes:
    """Return a CSV file with its rows repeated until it is larger than a given size.

    Args:
        csv: A file with a header line.
        at_least_bytes: The size to exceed.

    Returns:
        The header once, then the rows as often as it takes.
    """
    header, rows = csv.split(b"\n", 1)
    rows = rows.rstrip(b"\n") + b"\n"
    return header + b"\n" + rows * (at_least_bytes // len(rows) + 1)


def take_back(
    stack: Stack,
    buckets: Iterable[Bucket],
    key_prefixes: Iterable[str] = ("",),
    sleep: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Erase the samples and what the pipeline made of them, versions included, if a bucket is not ours.

    If the runbook made all of them, they stay. What lies in the samples' folder and comes of no exercise
    stays, too; it is named, and printed.

    Args:
        stack: The pipeline's.
        buckets: Where samples or their copies are, the source first.
        key_prefixes: What keys begin with before the samples' folder.
        sleep: Waits, in seconds, until the pipeline, which is told of it, writes no more.

    Returns:
        One row for each folder, none if the runbook made all buckets: bucket, folder, how many versions and
        markers were `erased`, what of ours is `left` where it is not ours and why, and which keys of `others`
        lie there; both empty for nothing.
    """
    ours: set[str] = set()
    of_all = list(buckets)
    somebodys = next((bucket for bucket in of_all if not bucket.is_made), None)
    folders = [
        SamplesFolder(
            Place.of(stack.target, bucket),
            folder(somebodys, prefix),
            whose(bucket),
            stack.scope.pipeline,
            stack.parameters,
            ours,
        )
        for bucket in of_all
        for prefix in dict.fromkeys(key_prefixes)
        if somebodys
    ]
    made = {bucket.name for bucket in of_all if bucket.is_made}
    left = "" if not folders or _are_quiet(folders, sleep) else f"still written to after {QUIET_MOST_S} s"
    for each in folders:
        if each.others:
            what = such_as(len(each.others), "objects", min(each.others))
            print(f"{each.place.bucket}: below {each.prefix} lie {what} that are nobody's samples: they stay")
        if each.refused and each.place.bucket in made:
            print(f"{each.place.bucket}, which is ours: copies of samples stay there: {each.refused}")
    rows = [
        (
            each.place.bucket,
            each.prefix,
            each.erased,
            "" if each.place.bucket in made else each.refused or left,
            ", ".join(sorted(each.others)),
        )
        for each in folders
    ]
    return pd.DataFrame(rows, columns=["bucket", "folder", "erased", "left", "others"])


def _are_quiet(folders: list[SamplesFolder], sleep: Callable[[float], None]) -> bool:
    """Erase until nothing more comes; returns whether it has come to that."""
    quiet = 0
    with Wait("Take samples back, until nothing more comes of them", timeout_s=QUIET_MOST_S):
        for _ in range(QUIET_MOST_S // QUIET_POLL_S):
            quiet = 0 if sum([each.erase() for each in folders]) else quiet + 1
            if quiet == QUIET_LOOKS:
                return True
            sleep(QUIET_POLL_S)
    return False


def upload(client, bucket: str, samples: Iterable[Sample]) -> pd.DataFrame:
    """Upload samples, large ones in parts.

    Args:
        client: An S3 client of the bucket's region.
        bucket: The bucket's name.
        samples: What to upload.

    Returns:
        One row a sample: key, bytes, version_id, and when it was there, as `time` (UTC).

    Raises:
        RunbookError: If something of others is at the key of a sample, in a bucket that is not ours; nothing
            was uploaded.
    """
    samples, rows = [*samples], []
    for key, mark in ((each.key, mark) for each in samples if (mark := mark_of(each.key))):
        there = Place(client, bucket).head(key)
        if there is not None and there["Metadata"].get(MARK) != mark:
            raise RunbookError(
                f"s3://{bucket}/{key} is somebody's, and a sample would be written over it; nothing was "
                "uploaded. Move it elsewhere, choose another env, or set exercise to false"
            )
    for sample in progress("Upload", samples, unit="object"):
        mark = mark_of(sample.key)
        extra = {
            "ContentType": sample.content_type,
            "Metadata": sample.metadata | ({MARK: mark} if mark else {}),
            "Tagging": urlencode(sample.tags),
        }
        with sample.open() as body:
            client.upload_fileobj(body, bucket, sample.key, ExtraArgs=extra)
        found = client.head_object(Bucket=bucket, Key=sample.key)
        version_id = found.get("VersionId", NO_VERSION)
        if found["ContentLength"] == sample.size:  # otherwise somebody has just overwritten it
            note_put(bucket, sample.key, version_id)
        rows.append((sample.key, sample.size, version_id, pd.Timestamp.now("UTC")))
    return pd.DataFrame(rows, columns=["key", "bytes", "version_id", "time"])


def delete(client, bucket: str, keys: Iterable[str]) -> pd.DataFrame:
    """Delete objects, as a person does: in a versioned bucket each gets a delete marker.

    Args:
        client: An S3 client of the bucket's region.
        bucket: The bucket's name.
        keys: What to delete.

    Returns:
        One row a key: key, version_id of its delete marker, and when it was deleted, as `time` (UTC).
    """
    rows = []
    for key in progress("Delete", list(keys), unit="object"):
        marker = client.delete_object(Bucket=bucket, Key=key)
        version_id = marker.get("VersionId", NO_VERSION)
        note_put(bucket, key, version_id)
        rows.append((key, version_id, pd.Timestamp.now("UTC")))
    return pd.DataFrame(rows, columns=["key", "version_id", "time"])


def count_rows(samples: Sequence[Sample], analyst: Athena) -> pd.DataFrame:
    """Count the rows of samples in their files and in the tables that were made of them.

    Args:
        samples: As they were uploaded.
        analyst: The database with the tables.

    Returns:
        One row a sample: table, rows `in the file`, rows `in Athena`.
    """
    # Table names come from a crawler, which leaves nothing but letters, digits and underscores in them.
    counts = [f"SELECT '{s.table}' AS name, count(*) AS n FROM \"{s.table}\"" for s in samples]
    found = analyst.query(" UNION ALL ".join(counts)).set_index("name")["n"]
    rows = [(sample.table, sample.rows, int(found[sample.table])) for sample in samples]
    return pd.DataFrame(rows, columns=["table", "in the file", "in Athena"])
