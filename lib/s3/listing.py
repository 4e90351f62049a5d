"""Listings of buckets, and two of them merged: in key order, range by range, never all in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge as merge_sorted
from itertools import groupby
from operator import itemgetter
from threading import Event
from typing import Any, TypeVar

from lib.base.errors import RunbookError
from lib.base.threads import one_ahead
from lib.s3.objects import Place

# Keys that are listed one after the other before the rest is divided: each range ends with a page of which
# the rest is thrown away, so that in a small bucket dividing would list most objects twice.
FIRST_KEYS = 25_000
MAX_DEPTH = 8  # folders with nothing but one folder in them, until one is taken as it is


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as a listing tells of it.

    Attributes:
        key: Its key.
        size: Its bytes.
        etag: Without quotes.
        modified: When it was written.
        storage_class: Where S3 keeps it, such as `GLACIER`.
    """

    key: str
    size: int
    etag: str
    modified: datetime
    storage_class: str = "STANDARD"


@dataclass(frozen=True)
class Range:
    """The keys after `after`, up to and with `until`; empty and None are for no limit."""

    after: str = ""
    until: str | None = None


One = TypeVar("One")
Other = TypeVar("Other")
Pair = tuple[Entry | None, Entry | None]


def order(key: str) -> bytes:
    """Return what S3 sorts a key by: its UTF-8 bytes.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html
    """
    return key.encode("utf-8", "surrogatepass")


class Counted:
    """The keys that are listed first: so many, and where they end."""

    def __init__(self) -> None:
        """Begin before the first key."""
        self._ended, self._last = Event(), ""

    def take(self, items: Iterable[One], key: Callable[[One], str]) -> Iterator[One]:
        """Yield the first items, or all if they are fewer."""
        try:
            for number, item in enumerate(items, 1):
                yield item
                if number == FIRST_KEYS:
                    self._last = key(item)
                    return
        finally:
            self._ended.set()

    def wait(self) -> str:
        """Return the last key, once it was taken; empty if nothing comes after it."""
        self._ended.wait()
        return self._last


def streams(
    places: Sequence[Place],
    key_prefix: str,
    read: Callable[[Range], Iterator[One]],
    key: Callable[[One], str],
    at_most: int = 16,
) -> Iterator[Iterator[One]]:
    """Divide buckets into streams that can be read side by side; a small one is a single stream.

    Args:
        places: The buckets.
        key_prefix: Only keys that begin so.
        read: Lists a range of keys, in their order.
        key: Tells the key of what that yields.
        at_most: How many streams read the rest.

    Yields:
        The stream of the first keys; and once that is read or closed, which others must do meanwhile, those
        of the rest, if there is any.
    """
    first = Counted()
    yield first.take(read(Range()), key)
    if after := first.wait():
        for within in ranges(places, key_prefix, at_most, after):
            yield read(within)


def ranges(places: Iterable[Place], key_prefix: str = "", at_most: int = 16, after: str = "") -> list[Range]:
    """Divide the keys of buckets into ranges that can be listed side by side; every key is in exactly one.

    The folders that the first page of each bucket shows are where ranges end. A bucket without folders is
    one range.

    Args:
        places: The buckets, which get the same ranges.
        key_prefix: Only keys that begin so.
        at_most: How many ranges.
        after: The key after which they begin; empty for the first one of all.

    Returns:
        The ranges, in key order; together they are all keys.
    """
    if at_most < 2:
        return [Range(after)]
    folders = {folder for place in places for folder in _folders(place, key_prefix)}
    folders = {folder for folder in folders if order(folder) > order(after)}
    borders = sorted(folders, key=order)
    step = -(-len(borders) // (at_most - 1)) or 1
    borders = borders[::step]
    return [Range(*limits) for limits in zip([after, *borders], [*borders, None], strict=True)]


def listing(place: Place, key_prefix: str = "", within: Range = Range()) -> Iterator[Entry]:
    """List the current objects of a range, in key order, page by page, the next page fetched ahead.

    Args:
        place: The bucket.
        key_prefix: Only keys that begin so.
        within: Only keys of this range.

    Yields:
        An entry an object; deleted objects and older versions are not listed.
    """
    start = {"StartAfter": within.after} if within.after else {}
    pages = place.client.get_paginator("list_objects_v2").paginate(
        Bucket=place.bucket, Prefix=key_prefix, **start
    )
    listed = (page.get("Contents", []) for page in pages)
    for items in one_ahead(listed, lambda items: not (items and _is_beyond(items[-1]["Key"], within))):
        ends_here = bool(items) and _is_beyond(items[-1]["Key"], within)
        for item in items:
            if ends_here and _is_beyond(item["Key"], within):
                return
            facts = item["Size"], item["ETag"].strip('"'), item["LastModified"]
            yield Entry(item["Key"], *facts, item.get("StorageClass", "STANDARD"))


def _is_beyond(key: str, within: Range) -> bool:
    return within.until is not None and order(key) > order(within.until)


def merge(one: Iterable[One], other: Iterable[Other]) -> Iterator[tuple[One | None, Other | None]]:
    """Put what two listings have of each key beside each other.

    Args:
        one: Whatever has a `key`, such as an Entry; in key order, each key once.
        other: The same.

    Yields:
        A pair a key, in key order: what each listing has, None where it has no such key.

    Raises:
        RunbookError: If a listing is not in the order of the keys' bytes, which would make differences of
            objects that are there (S3's directory buckets list without order).
    """
    merged = merge_sorted(_in_order(one, 0), _in_order(other, 1), key=itemgetter(0))
    for _, found in groupby(merged, key=itemgetter(0)):
        sides = {side: each for _, side, each in found}
        yield sides.get(0), sides.get(1)


def key_of(pair: Pair) -> str:
    """Return the key of what two listings have, as `merge` yields it."""
    return next(each.key for each in pair if each)


def _in_order(listed: Iterable[Any], side: int) -> Iterator[tuple[bytes, int, Any]]:
    last = b""
    for each in listed:
        if (position := order(each.key)) <= last:
            before = last.decode("utf-8", "surrogatepass")
            raise RunbookError(f"a listing is not in the order of the keys: {each.key!r} after {before!r}")
        last = position
        yield position, side, each


def _folders(place: Place, key_prefix: str) -> list[str]:
    """Return the folders of the first page, further down if there is nothing but one folder."""
    folders: list[str] = []
    for _ in range(MAX_DEPTH):
        page = place.client.list_objects_v2(Bucket=place.bucket, Prefix=key_prefix, Delimiter="/")
        folders = [found["Prefix"] for found in page.get("CommonPrefixes", [])]
        if len(folders) != 1 or page.get("Contents"):
            break
        key_prefix = folders[0]
    return folders


def same_listed(one: Entry | None, other: Entry | None) -> bool:
    """Say whether a listing alone proves that two objects have the same bytes.

    Equal ETags of equal sizes do, of parts too. Different ones prove nothing: a listing does not say whether
    an ETag is made of the bytes at all, which KMS prevents.
    """
    return one is not None and other is not None and (one.size, one.etag) == (other.size, other.etag)
