"""Bucket against table: objects and their items.

Two walks. Each object of the bucket: its latest row is asked for, one small query each, many at a time. Then
each key of the table: a scan that hands on one key after the other, to find those whose object is gone
without a row that says so. Why not one merged with the other? A table gives its keys in the order of their
hashes; to bring them into S3's order all of them would have to be held, on disk if not in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from botocore.client import BaseClient

from lib.operate.audits.findings import EXTRA, METADATA, MISSING, SAME, STALE, Finding, fingerprint, not_due
from lib.operate.audits.history import Extras, Grace
from lib.operate.pipelines import Pipeline
from lib.operate.results import Item
from lib.s3.listing import Entry
from lib.s3.objects import Place

SEGMENTS = 4  # of the scan, each read by a thread of its own


@dataclass(frozen=True)
class IndexedBucket:
    """Judges objects by their rows, and rows by their objects.

    Attributes:
        files: The bucket.
        pipeline: Of which keys it is told.
        said: What a row's attributes are called.
        client: A DynamoDB client of the table's region.
        table: The table's name.
        grace: How old a change must be.
        time_to_live_days: After how many days rows may be gone; 0 for never.
        looks_closer: Whether version and content type are compared too, which takes a HEAD an object.
    """

    files: Place
    pipeline: Pipeline
    said: Item
    client: BaseClient
    table: str
    grace: Grace
    time_to_live_days: int = 0
    looks_closer: bool = True

    def judge(self, entry: Entry) -> Finding:
        """Judge an object of the bucket by its latest row."""
        if self.looks_closer:
            return self._compare(entry.key, self.files.head(entry.key))
        listed = {"ContentLength": entry.size, "ETag": entry.etag, "LastModified": entry.modified}
        return self._compare(entry.key, listed)

    def look(self, key: str) -> Finding:
        """Judge a key, whether there is an object now or only a row."""
        head = self.files.head(key)
        return self._compare(key, head) if head else self.judge_row(key) or Finding(key, SAME)

    def judge_row(self, key: str) -> Finding | None:
        """Judge a key of the table; None if its object is there, or a row says that it was removed.

        Nor is one judged of which the pipeline is not told.
        """
        row = self.latest(key) if self.pipeline.follows(key) else None
        if row is None or _is_removed(row) or self.files.head(key):
            return None
        finding = Extras(self.files, self.grace, self.pipeline.follows_deletes).judge(key)
        if finding.state == EXTRA:
            detail = f"no row says that it is gone; {finding.detail}"
            return Finding(key, EXTRA, detail, held=fingerprint(row))
        return finding

    def keys(self, segment: int) -> Iterator[str]:
        """Yield the keys of a segment of the table; rows of one key come one after the other."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.table,
            ProjectionExpression="#key",
            ExpressionAttributeNames={"#key": self.said.key},
            Segment=segment,
            TotalSegments=SEGMENTS,
        )
        last = None
        for item in (item for page in pages for item in page["Items"]):
            if item[self.said.key]["S"] != last:
                last = item[self.said.key]["S"]
                yield last

    def latest(self, key: str) -> dict[str, str] | None:
        """Return the latest row of a key that has not expired: what it tells, all values as text."""
        told = self.said.attributes
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeValues={":key": {"S": key}},
            ExpressionAttributeNames={f"#{name}": attribute for name, attribute in told.items()},
            ProjectionExpression=", ".join(f"#{name}" for name in told),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=1,
        )
        if not answer["Items"]:
            return None
        (item,) = answer["Items"]
        row = {name: next(iter(item[told[name]].values())) for name in told if told[name] in item}
        # DynamoDB deletes expired items within days: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
        has_expired = float(row.get("expires", "inf")) < datetime.now(UTC).timestamp()
        return None if has_expired else row

    def _compare(self, key: str, head: dict | None) -> Finding:
        if head is None:
            return not_due(key, "deleted meanwhile")
        row = self.latest(key)
        if row is None and self._may_have_expired(head["LastModified"]):
            return not_due(key, "so old that its row has expired")
        finding = Finding(key, MISSING) if row is None else _compared(key, row, head, self.said)
        if finding.state == SAME:
            return finding
        about = [row, head["ContentType"]] if finding.state == METADATA else row
        held = f"{head['ETag']}, {fingerprint(about)}".replace('"', "")
        return self.grace.or_in_flight(replace(finding, held=held), head["LastModified"])

    def _may_have_expired(self, modified: datetime) -> bool:
        days = self.time_to_live_days
        return bool(days) and datetime.now(UTC) - modified > timedelta(days=days)


def _is_removed(row: dict[str, str]) -> bool:
    return row.get("event", "").startswith("ObjectRemoved:")


def _compared(key: str, row: dict[str, str], head: dict, said: Item) -> Finding:
    """Compare an object with its latest row; what neither tells is not compared."""
    if _is_removed(row):
        return Finding(key, STALE, "its latest row says that it was removed")
    there = {"size": str(head["ContentLength"]), "etag": head["ETag"].strip('"')}
    if any(row.get(name) != value for name, value in there.items() if name in said.attributes):
        return Finding(key, STALE, "its latest row has another size or ETag")
    if "version_id" in row and row["version_id"] != head.get("VersionId", row["version_id"]):
        return Finding(key, STALE, "its latest row is of another version")
    told = "ContentType" in head and "content_type" in said.attributes
    if told and row.get("content_type") != head["ContentType"]:
        return Finding(key, METADATA, said.content_type)
    return Finding(key, SAME)
