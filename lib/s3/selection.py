"""Which of a bucket's objects: by prefix, suffix and the time at which they were written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from lib.base.threads import in_threads
from lib.base.waits import progress
from lib.resources.s3 import Bucket
from lib.s3.listing import Entry, Range, listing, ranges, streams
from lib.s3.objects import Place
from lib.s3.versions import ARCHIVE_CLASSES
from lib.target import Target

if TYPE_CHECKING:
    import pandas as pd

PARALLEL = 8  # ranges of keys side by side; botocore keeps 10 connections
PAGE_KEYS = 1_000  # that S3 lists at once
RANGES = 64  # more than threads, so that none is out of work while a large one lasts


@dataclass(frozen=True)
class KeyFilter:
    """Keys as a bucket's notification chooses them.

    Attributes:
        prefix, suffix: What they begin and end with; empty for any.
    """

    prefix: str = ""
    suffix: str = ""

    def takes(self, key: str) -> bool:
        """Return whether a key is among them."""
        return key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True)
class Selection:
    """Objects of a bucket.

    Attributes:
        bucket: The bucket.
        key_prefix: What their keys begin with; empty for any.
        filters: One of these must take the key, too.
        modified_after: The earliest time at which they were written; None for any.
        modified_before: The time before which they were written; None for any.
    """

    bucket: Bucket
    key_prefix: str = ""
    filters: tuple[KeyFilter, ...] = (KeyFilter(),)
    modified_after: datetime | None = None
    modified_before: datetime | None = None

    def __str__(self) -> str:
        suffixes = sorted({each.suffix for each in self.filters})
        ends = f" that end in {' or '.join(map(repr, suffixes))}" if all(suffixes) else ""
        since = f" since {self.modified_after}" if self.modified_after else ""
        before = f" before {self.modified_before}" if self.modified_before else ""
        return f"objects s3://{self.bucket.name}/{self.key_prefix}*{ends}{since}{before}"

    def ranges(self, target: Target, objects: int | None = None) -> list[Range]:
        """Cut the bucket's keys into ranges that can be listed side by side.

        Args:
            target: Where the bucket is.
            objects: How many there are: with a page of a listing or so in each range, few are listed twice;
                None if nobody knows. Where not all that is listed is taken, it does not count.
        """
        is_known = objects is not None and self._takes_all
        at_most = min(RANGES, (objects or 0) // PAGE_KEYS + 1) if is_known else RANGES
        return ranges([Place.of(target, self.bucket)], self.key_prefix, at_most)

    def objects(self, target: Target, within: Range) -> Iterator[Entry]:
        """List those of a range of keys, in the order of their keys; no more than a page is in memory."""
        return filter(self._takes, listing(Place.of(target, self.bucket), self.key_prefix, within))

    def streams(self, target: Target) -> Iterator[Iterator[Entry]]:
        """List them all, in streams that can be read side by side, as `lib.s3.listing.streams` does."""
        place = Place.of(target, self.bucket)
        read = partial(listing, place, self.key_prefix)
        found = streams([place], self.key_prefix, read, attrgetter("key"), RANGES)
        return (filter(self._takes, entries) for entries in found)

    def count(self, target: Target) -> "pd.DataFrame":
        """Count them, by listing them all.

        Args:
            target: Where the bucket is.

        Returns:
            One row a stream, in any order: `objects` and `bytes`, and how many are in an `archive`.
        """
        import pandas as pd

        def one(entries: Iterator[Entry]) -> tuple[int, int, int]:
            objects = size = archived = 0
            for entry in entries:
                objects, size = objects + 1, size + entry.size
                archived += entry.storage_class in ARCHIVE_CLASSES
            return objects, size, archived

        counted = in_threads(one, self.streams(target), PARALLEL)
        counts = progress("Count", counted, unit="stream")
        return pd.DataFrame(counts, columns=["objects", "bytes", "archive"])

    def bucket_created(self, target: Target) -> str:
        """Return when the bucket was made; another one may be made under its name."""
        client = target.client_of(self.bucket)
        pages = client.get_paginator("list_buckets").paginate(Prefix=self.bucket.name)
        made = {each["Name"]: each["CreationDate"] for page in pages for each in page["Buckets"]}
        return made[self.bucket.name].isoformat()

    @property
    def _takes_all(self) -> bool:
        """Whether it takes every key that begins with its prefix."""
        any_time = self.modified_after is None and self.modified_before is None
        return any_time and any(
            not each.suffix and self.key_prefix.startswith(each.prefix) for each in self.filters
        )

    def _takes(self, entry: Entry) -> bool:
        return (
            any(each.takes(entry.key) for each in self.filters)
            and (self.modified_after is None or self.modified_after <= entry.modified)
            and (self.modified_before is None or entry.modified < self.modified_before)
        )
