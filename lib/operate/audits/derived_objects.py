"""Objects against what is derived of them: each has an outcome, and each outcome its object."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lib.operate.audits.findings import EXTRA, METADATA, MISSING, SAME, STALE, Finding, fingerprint
from lib.operate.audits.history import Extras, Grace
from lib.operate.pipelines import Pipeline
from lib.operate.results import DerivedKey
from lib.s3.listing import Entry
from lib.s3.objects import Place, marker_of
from lib.s3.selection import KeyFilter

SAYS = ("size_bytes", "etag", "version_id")  # what a derived object says of the one that it is of
UNREADABLE = "what is written about it does not say of what it is"


@dataclass(frozen=True)
class DerivedObjects:
    """Judges objects by what was derived of them, and what was derived by its object.

    Attributes:
        files: The source bucket.
        written: The destination bucket, which may be the same.
        pipeline: Of which keys it is told.
        where: Where the outcome of an object can be, by the suffix of the notification that tells of it; by
            an empty one for all others.
        told_in: Where an outcome says of what it is: `body` or `metadata`.
        grace: How old a change must be.
        looks_closer: Whether the version is compared too, which takes a HEAD a file.
    """

    files: Place
    written: Place
    pipeline: Pipeline
    where: Mapping[str, tuple[DerivedKey, ...]]
    told_in: Literal["body", "metadata"]
    grace: Grace
    looks_closer: bool = True

    def judge(self, entry: Entry) -> Finding:
        """Judge an object of the listing."""
        head = {"ContentLength": entry.size, "ETag": entry.etag, "LastModified": entry.modified}
        return self._compare(entry.key, (self.files.head(entry.key) if self.looks_closer else None) or head)

    def look(self, key: str) -> Finding:
        """Judge an object, or what was derived of one, by what is there now."""
        head = self.files.head(key) if self.pipeline.follows(key) else None
        if head:
            return self._compare(key, head)
        outcomes = self._outcomes(key) if self.pipeline.follows(key) else [key]
        there = ((each, self.written.head(each)) for each in outcomes)
        left = (self._judge_written(each, about["ETag"]) for each, about in there if about)
        return next((finding for finding in left if finding), Finding(key, SAME))

    def judge_written(self, entry: Entry) -> Finding | None:
        """Judge an outcome of the listing; None if its object is there, for which it has been judged.

        Or if it is a source itself.
        """
        return self._judge_written(entry.key, entry.etag)

    def _judge_written(self, key: str, etag: str) -> Finding | None:
        if self.written.bucket == self.files.bucket and self.pipeline.follows(key):
            return None
        sources = list(self._sources(key))
        if any(self.files.head(source) for source in sources):
            return None
        source = next(iter(sources), "")
        follows = bool(source) and self.pipeline.follows_deletes
        is_shared = not self.pipeline.destination_bucket.is_made
        finding = Extras(self.files, self.grace, follows, is_shared).judge(key, source)
        finding = replace(finding, held=etag.strip('"'))
        if finding.state == EXTRA and follows:  # an event is about the object, not about what became of it
            return replace(finding, key=source, detail=f"{key} is still there; {finding.detail}")
        return finding

    def _filters(self, key: str) -> Iterator[KeyFilter]:
        return (each for each in self.pipeline.filters if each.takes(key))

    def _outcomes(self, key: str) -> list[str]:
        """Return where the outcome of an object can be."""
        keys = next(self._filters(key), KeyFilter())
        return [where.of(key, keys) for where in self._where(keys)]

    def _sources(self, written: str) -> Iterator[str]:
        """Yield the keys of which this can be the outcome; none if it is none of ours."""
        for keys in self.pipeline.filters:
            for where in self._where(keys):
                yield from where.source(written, keys)

    def _where(self, keys: KeyFilter) -> tuple[DerivedKey, ...]:
        return self.where.get(keys.suffix, self.where[""])

    def _compare(self, key: str, head: dict) -> Finding:
        read = [self._read(each) for each in self._outcomes(key)]
        found = [about for about in read if isinstance(about, dict)]
        finding = _compared(key, found[0], head) if found else Finding(key, MISSING)
        if len(found) > 1 and finding.state == SAME:
            finding = Finding(key, STALE, f"there are {len(found)} outcomes instead of one")
        if finding.state == SAME:
            return finding
        version = head.get("VersionId") if finding.state == METADATA else None
        held = f"{head['ETag']}, {fingerprint([read, version])}".replace('"', "")
        return self.grace.or_in_flight(replace(finding, held=held), head["LastModified"])

    def _read(self, key: str) -> dict | str:
        """Return what an outcome says of its object, {} if it says nothing.

        If there is none, the version of the delete marker in its place, empty for none.
        """
        if self.told_in == "metadata":
            head, marker = self.written.head_or_marker(key)
            return marker if head is None else _told(head["Metadata"])
        try:
            body = self.written.client.get_object(Bucket=self.written.bucket, Key=key)["Body"]
        except self.written.client.exceptions.NoSuchKey as error:
            return marker_of(error)
        try:
            about = json.load(body)
        except ValueError:
            about = None
        return about if isinstance(about, dict) else {}


def _told(metadata: dict[str, str]) -> dict[str, object]:
    names = {name: f"source-{name.replace('_', '-')}" for name in SAYS}
    about: dict[str, object] = {name: metadata[given] for name, given in names.items() if given in metadata}
    size = str(about.pop("size_bytes", ""))
    return about | ({"size_bytes": int(size)} if size.isdecimal() else {})


def _compared(key: str, about: dict, head: dict) -> Finding:
    """Compare an object with what its outcome says of it."""
    if not set(SAYS) <= about.keys():
        return Finding(key, STALE, UNREADABLE)
    if (about["size_bytes"], about["etag"]) != (head["ContentLength"], head["ETag"].strip('"')):
        return Finding(key, STALE, "what is written is about other bytes")
    if about["version_id"] != head.get("VersionId", about["version_id"]):
        return Finding(key, METADATA, "what is written is about another version of the same bytes")
    return Finding(key, SAME)
