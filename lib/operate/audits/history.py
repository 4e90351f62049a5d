"""What S3 remembers of a key beyond its current object, and what is too young to be judged."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lib.operate.audits.findings import EXTRA, Finding, not_due
from lib.s3.objects import Place

IN_FLIGHT = "changed less than {} s ago, and may still be on its way"


@dataclass(frozen=True)
class Grace:
    """How old a change must be to be judged: what is younger may still be on its way.

    Attributes:
        seconds: That age.
    """

    seconds: float

    def covers(self, changed: datetime) -> bool:
        """Say whether something changed so lately that it is not judged."""
        return datetime.now(UTC) - changed < timedelta(seconds=self.seconds)

    def or_in_flight(self, finding: Finding, changed: datetime) -> Finding:
        """Return the finding, or that it is not judged since it changed too lately."""
        if self.covers(changed):
            return not_due(finding.key, IN_FLIGHT.format(self.seconds))
        return finding


@dataclass(frozen=True)
class Extras:
    """Judges what the destination has and the source has not.

    Attributes:
        source: Where it would have come from.
        grace: How old a delete must be.
        follows_deletes: Whether the pipeline is meant to follow them.
        is_shared: Whether others may have objects of their own in the destination, as in a bucket that is
            adopted: what the source never had is theirs, no difference, and nobody's to delete.
    """

    source: Place
    grace: Grace
    follows_deletes: bool = field(default=False)
    is_shared: bool = field(default=False)

    def judge(self, key: str, source_key: str = "") -> Finding:
        """Return what is to be said of an extra object.

        Args:
            key: Its key in the destination.
            source_key: The key it comes from, if that is another.
        """
        deleted = deleted_at(self.source, source_key or key)
        if deleted is None:
            detail = "the source never had it, or nothing of it is left"
            return Finding(key, EXTRA, detail, by_design=self.is_shared)
        detail = f"deleted from the source at {deleted.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if not self.follows_deletes:
            detail += ", and this pipeline does not follow deletes"
        finding = Finding(key, EXTRA, detail, by_design=not self.follows_deletes)
        return self.grace.or_in_flight(finding, deleted)


def deleted_at(place: Place, key: str) -> datetime | None:
    """Return when an object was deleted, None if it has no delete marker on top.

    Of the keys that begin with this one it is the first, and of its versions the newest is.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    """
    page = place.client.list_object_versions(Bucket=place.bucket, Prefix=key, MaxKeys=1)
    markers = [marker for marker in page.get("DeleteMarkers", []) if marker["Key"] == key]
    return next((marker["LastModified"] for marker in markers if marker["IsLatest"]), None)
