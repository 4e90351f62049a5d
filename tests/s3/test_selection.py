"""Which of a bucket's objects: by prefix, suffix and time; each once, however the keys are cut."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import cases
from support.cleanup import remove

from lib.engine.stack import Stack
from lib.s3.selection import KeyFilter, Selection

KEYS = sorted(f"in/{number % 3}/{number:02} +ü%.{'csv' if number % 2 else 'txt'}" for number in range(24))


@given(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3))
def test_a_filter_takes_what_begins_and_ends_so(prefix, between, suffix):
    assert KeyFilter(prefix, suffix).takes(prefix + between + suffix)
    assert KeyFilter().takes(between)
    assert not KeyFilter(f"{prefix}x", suffix).takes(f"{prefix}y{suffix}")


@pytest.fixture(scope="module")
def filled(local_aws, target, parameters, somebody):
    """A bucket with objects in it, and when each was written."""
    stack = Stack(target, parameters, "selection")
    bucket = cases.s3.bucket(stack)
    stack.apply()
    client = somebody("s3", bucket.region)
    for key in KEYS:
        client.put_object(Bucket=bucket.name, Key=key, Body=key.encode())
    listed = client.list_objects_v2(Bucket=bucket.name)["Contents"]
    yield bucket, {each["Key"]: each["LastModified"] for each in listed}
    remove(stack)


def selected(target, selection: Selection) -> list[str]:
    return sorted(
        entry.key for within in selection.ranges(target) for entry in selection.objects(target, within)
    )


def test_each_object_is_listed_once_and_counted_once(filled, target):
    bucket, _ = filled
    everything = Selection(bucket)
    assert selected(target, everything) == KEYS
    counted = everything.count(target)
    assert counted["objects"].sum() == len(KEYS)
    assert counted["bytes"].sum() == sum(len(key.encode()) for key in KEYS)
    assert counted["archive"].sum() == 0


def test_prefix_and_filters_all_have_to_take_it(filled, target):
    bucket, _ = filled
    filters = (KeyFilter("in/0", ".csv"), KeyFilter("in/1", ".txt"))
    expected = [key for key in KEYS if any(each.takes(key) for each in filters)]
    assert selected(target, Selection(bucket, "in/", filters)) == expected
    assert selected(target, Selection(bucket, "in/0", filters)) == [k for k in expected if k < "in/1"]
    assert selected(target, Selection(bucket, "out/", filters)) == []


def test_a_time_span_has_its_beginning_and_not_its_end(filled, target):
    bucket, written = filled
    moments = sorted(set(written.values()))
    first, last = moments[0], moments[-1]
    after = [key for key in KEYS if written[key] >= last]
    assert selected(target, Selection(bucket, modified_after=last)) == after
    assert selected(target, Selection(bucket, modified_before=first)) == []
    assert selected(target, Selection(bucket, modified_after=first)) == KEYS


def test_few_that_are_chosen_of_many_are_listed_in_ranges_nonetheless(filled, target):
    bucket, written = filled
    first = min(written.values())
    assert len(Selection(bucket, "in/").ranges(target, 3)) == 1
    chosen = [
        Selection(bucket, "in/", modified_after=first),
        Selection(bucket, "in/", modified_before=first),
        Selection(bucket, "in/", (KeyFilter("in/", ".csv"),)),
        Selection(bucket, "in/", (KeyFilter("in/0/"),)),
    ]
    assert all(len(each.ranges(target, 3)) > 1 for each in chosen)


def test_it_says_what_it_is(filled):
    bucket, _ = filled
    where = f"objects s3://{bucket.name}/in/*"
    assert str(Selection(bucket, "in/")) == where
    several = (KeyFilter(suffix=".csv"), KeyFilter(suffix=".txt"))
    assert str(Selection(bucket, "in/", several)) == f"{where} that end in '.csv' or '.txt'"
    assert str(Selection(bucket, "in/", (*several, KeyFilter()))) == where
    begin, end = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    assert str(Selection(bucket, "in/", modified_after=begin, modified_before=end)) == (
        f"{where} since {begin} before {end}"
    )
