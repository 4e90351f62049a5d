"""Listings are merged in the order of the keys' bytes, in bounded memory, every key exactly once."""

import secrets
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import RunbookError
from lib.resources.s3 import Bucket
from lib.s3 import listing as module
from lib.s3.listing import Entry, Range, listing, merge, order, ranges, streams
from lib.s3.objects import Place

TIME = datetime(2026, 1, 2, tzinfo=UTC)
MEGABYTE = 1024 * 1024
# In the order of UTF-16, in which some systems sort, the last two are the other way round.
KEYS = ["", "a", "a b", "a+b", "a/", "a/b", "a/b/c", "a0", "b/%2F", "b/ü", "b/\uffee", "b/\U0001f680", "z"][
    1:
]


def entry(key: str, size: int = 1) -> Entry:
    return Entry(key, size, "e", TIME)


def entries(keys) -> list[Entry]:
    return [entry(key) for key in sorted(keys, key=order)]


keys = st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), max_size=20)


@given(one=keys, other=keys)
def test_every_key_comes_once_with_what_each_side_has(one, other):
    pairs = list(merge(entries(one), entries(other)))

    found = [(left or right).key for left, right in pairs]
    assert found == sorted(one | other, key=order)
    assert {left.key for left, _ in pairs if left} == one
    assert {right.key for _, right in pairs if right} == other
    assert all(left.key == right.key for left, right in pairs if left and right)


@pytest.mark.parametrize("wrong", [["b", "a"], ["a", "a"], ["\U0001f680", "\uffee"]])
def test_a_listing_out_of_order_is_an_error_and_no_difference(wrong):
    with pytest.raises(RunbookError, match="not in the order"):
        list(merge(map(entry, wrong), entries(["a"])))


def test_200_000_entries_take_no_memory():
    count = 200_000
    left = (entry(f"folder/{number:08}") for number in range(count))
    right = (entry(f"folder/{number:08}") for number in range(count) if number % 1000)
    tracemalloc.start()
    missing = sum(1 for _, there in merge(left, right) if there is None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert missing == count // 1000
    assert peak < MEGABYTE


@pytest.fixture(scope="module")
def place(target, local_aws) -> Place:
    client = target.client("s3", "us-east-1")
    bucket = f"runbook-test-listing{secrets.token_hex(4)}"
    client.create_bucket(Bucket=bucket)
    for key in KEYS:
        client.put_object(Bucket=bucket, Key=key, Body=b"body")
    yield Place(client, bucket)
    Bucket.delete(client, bucket)


@pytest.mark.parametrize("at_most", [1, 2, 3, 100])
def test_ranges_are_all_keys_each_once(place, at_most):
    divided = ranges([place], at_most=at_most)
    listed = [found.key for within in divided for found in listing(place, "", within)]
    assert listed == sorted(KEYS, key=order)
    assert len(divided) <= at_most


@pytest.fixture
def asked(place):
    """What is asked of S3 meanwhile: operations, each with its arguments."""
    made, events = [], place.client.meta.events

    def note(params, model, **_):
        made.append((model.name, params))

    events.register("before-parameter-build.s3", note, unique_id="asked")
    yield made
    events.unregister("before-parameter-build.s3", note, unique_id="asked")


def read(place):
    return streams([place], "", lambda within: listing(place, "", within), lambda entry: entry.key)


def test_a_small_bucket_is_one_stream_and_one_call_a_page(place, asked):
    (only,) = map(list, read(place))
    assert [found.key for found in only] == sorted(KEYS, key=order)
    assert len(asked) == 1


def test_a_single_range_asks_for_nothing(place, asked):
    assert ranges([place], at_most=1, after="a") == [Range("a")]
    assert not asked


@pytest.mark.parametrize("first", [1, 2, 7, len(KEYS) - 1, len(KEYS)])
def test_the_rest_of_a_large_one_is_divided_and_every_key_comes_once(place, monkeypatch, first):
    monkeypatch.setattr(module, "FIRST_KEYS", first)
    listed = [list(stream) for stream in read(place)]
    assert [found.key for stream in listed for found in stream] == sorted(KEYS, key=order)
    assert len(listed[0]) == first


def test_a_first_stream_that_is_closed_ends_it(place):
    divided = read(place)
    stream = next(divided)
    next(stream)
    stream.close()
    assert list(divided) == []


def test_of_a_range_no_page_is_asked_for_beyond_its_end(place, asked):
    small = Place(place.client, place.bucket)
    pages = place.client.get_paginator("list_objects_v2").paginate
    keys = sorted(KEYS, key=order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place.client, "get_paginator", lambda _: Paged(pages))
        asked.clear()
        found = [entry.key for entry in listing(small, "", Range("", keys[3]))]
    assert found == keys[:4]
    assert len(asked) == 3  # of two keys each: the last one tells that the end is passed


class Paged:
    """A paginator whose pages have two keys."""

    def __init__(self, paginate):
        self._paginate = paginate

    def paginate(self, **asked):
        return self._paginate(**asked, PaginationConfig={"PageSize": 2})


def test_ranges_lie_below_a_prefix(place):
    divided = ranges([place], "a/")
    assert [found.key for within in divided for found in listing(place, "a/", within)] == [
        "a/",
        "a/b",
        "a/b/c",
    ]


def test_a_folder_in_a_folder_is_divided_further(place):
    client = place.client
    for name in ("x", "y"):
        client.put_object(Bucket=place.bucket, Key=f"deep/er/{name}/1", Body=b"")
    found = ranges([place], "deep/")
    assert found == [Range("", "deep/er/x/"), Range("deep/er/x/", "deep/er/y/"), Range("deep/er/y/", None)]
    client.delete_objects(
        Bucket=place.bucket, Delete={"Objects": [{"Key": f"deep/er/{name}/1"} for name in "xy"]}
    )
