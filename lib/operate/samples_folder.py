"""The folder of samples in a bucket that is not ours, and what of it is ours to erase."""

import re
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from lib.base.errors import RunbookError
from lib.parameters import Parameters
from lib.resources.s3 import Bucket, empty_bucket
from lib.s3.objects import Place
from lib.s3.versions import Version, histories

_FOLDER = re.compile(r"(?:^|/)([a-z][a-z0-9]*-[a-z][a-z0-9]*)-exercise/")  # as `folder` writes it
MARK = "runbook-exercise"  # metadata of samples, and so of their copies: whose they are


def folder(bucket: Bucket, key_prefix: str = "", *, copies: Bucket | None = None) -> str:
    """Return what keys of samples begin with: a folder of our own, if one of the buckets is not ours.

    Args:
        bucket: Where they are going to be put.
        key_prefix: What the pipeline's keys begin with.
        copies: Where the pipeline copies them to under the same keys, if it does.
    """
    are_made = bucket.is_made and (copies is None or copies.is_made)
    return key_prefix if are_made else f"{key_prefix}{whose(bucket)}-exercise/"


def whose(bucket: Bucket) -> str:
    """Return what `MARK` says of the samples of an environment, such as `runbook-local`.

    Args:
        bucket: Of that environment.
    """
    return f"{bucket.scope.prefix}-{bucket.scope.env}"


def mark_of(key: str) -> str:
    """Return what `MARK` says of a sample, by its key; empty outside of the folders of samples.

    Args:
        key: The sample's.
    """
    found = _FOLDER.search(key)
    return found[1] if found else ""


def marked(place: Place, key: str, version_id: str | None = None) -> str:
    """Return whose sample an object is, or a version of it; empty if it is none, or S3 does not tell.

    Args:
        place: In which bucket.
        key: Its key.
        version_id: Which version; None for the current one.
    """
    which = {"VersionId": version_id} if version_id else {}
    try:
        return place.client.head_object(Bucket=place.bucket, Key=key, **which)["Metadata"].get(MARK, "")
    except ClientError as error:  # such as one that is encrypted with somebody's own key
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            return ""
        raise


@dataclass
class SamplesFolder:
    """The samples' folder in a bucket, after an exercise.

    Attributes:
        place: The bucket.
        prefix: What keys in the folder begin with.
        whose: What `MARK` says of the samples.
        pipeline: The pipeline's name.
        parameters: Which know where lies what it derives of an object.
        ours: Every key that is known to be ours, also of other folders: of what the pipeline derives of a
            sample, and of markers, nothing else tells. Folders end with a slash.
        erased: How many versions and markers were erased.
        others: The keys of what is not ours.
        refused: Why S3 does not let the rest be erased; empty if it does.
    """

    place: Place
    prefix: str
    whose: str
    pipeline: str
    parameters: Parameters
    ours: set[str]
    erased: int = 0
    others: set[str] = field(default_factory=set)
    refused: str = ""
    _seen: dict[tuple[str, str], bool] = field(default_factory=dict)

    def erase(self) -> int:
        """Erase what is ours, and note the keys of the rest.

        Returns:
            How many versions and markers of ours there were; 0 after S3 has refused.
        """
        if self.refused:
            return 0
        self.others.clear()
        found = [self._ours_of(key, history) for key, history in histories(self.place, self.prefix)]
        todo = {(version.key, version.id) for versions in found for version in versions}
        self._abort_uploads()
        try:
            self.erased += empty_bucket(
                self.place.client, self.place.bucket, only=todo, beginning=self.prefix
            )
        except RunbookError as error:  # under Object Lock; whoever reads it knows how long
            self.refused = str(error)
            return 0
        return len(todo)

    def _ours_of(self, key: str, history: list[Version]) -> list[Version]:
        """Return which versions of a key are ours; its markers, too, if nobody else has a version of it."""
        versions = [each for each in history if not each.is_marker]
        samples = [each for each in versions if self._is_sample(each)]
        if samples:
            self.ours |= {key, *self.parameters.keys_derived_in(self.pipeline, key)}
        # Of what is derived of a sample no version is marked.
        is_ours = self._is_known(key)
        mine = samples or (versions if is_ours else [])
        if is_ours and len(mine) == len(versions):
            return history
        self.others.add(key)
        return mine

    def _is_known(self, key: str) -> bool:
        """Say whether a key is one of ours, or lies in a folder of what is derived of ours."""
        return key in self.ours or f"{key.rpartition('/')[0]}/" in self.ours

    def _is_sample(self, version: Version) -> bool:
        seen = (version.key, version.id)
        if seen not in self._seen:
            self._seen[seen] = marked(self.place, version.key, version.id) == self.whose
        return self._seen[seen]

    def _abort_uploads(self) -> None:
        """Abort what was begun and never completed of our keys; the rest is not ours."""
        where = {"Bucket": self.place.bucket}
        pages = self.place.client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(**where, Prefix=self.prefix):
            for upload in page.get("Uploads", []):
                if not self._is_known(upload["Key"]):
                    self.others.add(upload["Key"])
                    continue
                self.place.client.abort_multipart_upload(
                    **where, Key=upload["Key"], UploadId=upload["UploadId"]
                )
