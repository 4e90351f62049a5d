"""Which version was current when: by a model of a bucket, and on a bucket that keeps its order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.resources.s3 import Bucket
from lib.s3.objects import Place
from lib.s3.versions import Version, current_at, erase, histories

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# What is done to one key, and how many seconds after the step before; S3's clock has whole seconds.
steps = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "put null", "delete null", "erase"]), st.integers(0, 2)),
    max_size=12,
)


def replay(done: list[tuple[str, int]]) -> list[tuple[datetime, list[Version]]]:
    """What a bucket lists of a key after each step, newest first."""
    history, now, states = [], EPOCH, []
    for number, (what, seconds) in enumerate(done):
        now += timedelta(seconds=seconds)
        if what == "erase":  # an operator deletes the newest version by its id
            history = history[1:]
        else:
            suspended = what.endswith("null")  # there is one null version; a new one replaces it
            kept = [version for version in history if version.id != "null"] if suspended else history
            version = Version("k", "null" if suspended else str(number), now, what.startswith("delete"))
            history = [version, *kept]
        states.append((now, history))
    return states


@given(steps, st.integers(-1, 30))
def test_it_is_what_the_bucket_had_then_as_far_as_it_still_has_it(done, second):
    at = EPOCH + timedelta(seconds=second)
    states = replay(done)
    final = states[-1][1] if states else []
    found = current_at(final, at)
    if "erase" not in {what for what, _ in done} and not any(what.endswith("null") for what, _ in done):
        then = [history for time, history in states if time <= at]
        assert found == (then[-1][0] if then else None)
    survivors = [version for version in reversed(final) if version.time <= at]
    assert found == (survivors[-1] if survivors else None)


@given(steps)
def test_in_the_end_it_is_the_latest_and_before_the_first_it_is_nothing(done):
    states = replay(done)
    final = states[-1][1] if states else []
    assert current_at(final, datetime.max.replace(tzinfo=UTC)) == (final[0] if final else None)
    assert current_at(final, EPOCH - timedelta(seconds=1)) is None


def test_of_equal_times_the_order_decides():
    put = Version("k", "1", EPOCH)
    marker = replace(put, id="2", is_marker=True)
    assert current_at([marker, put], EPOCH) == marker
    assert current_at([put, marker], EPOCH) == put


@pytest.fixture
def place(stack, target) -> Place:
    bucket = stack.add(Bucket("history", "us-east-1"))
    stack.apply()
    return Place(target.client("s3", "us-east-1"), bucket.name)


def test_versions_and_markers_come_in_the_order_in_which_they_were_written(place):
    client, bucket = place.client, place.bucket
    written = {"a/b": [], "a": [], "ü 100%+": [], "z": []}
    for _ in range(3):
        for key, ids in written.items():
            ids.append((client.put_object(Bucket=bucket, Key=key, Body=b"x" * len(ids))["VersionId"], False))
            ids.append((client.delete_object(Bucket=bucket, Key=key)["VersionId"], True))
    found = {key: [(v.id, v.is_marker) for v in history] for key, history in histories(place)}
    assert list(found) == sorted(written)
    assert found == {key: ids[::-1] for key, ids in written.items()}
    assert list(dict(histories(place, "a"))) == ["a", "a/b"]


def test_a_history_longer_than_a_page_is_whole(place):
    client, bucket = place.client, place.bucket
    ids = [client.put_object(Bucket=bucket, Key=f"k{n % 2}", Body=b"")["VersionId"] for n in range(14)]
    event, small = "provide-client-params.s3.ListObjectVersions", lambda params, **_: params | {"MaxKeys": 3}
    client.meta.events.register(event, small)
    try:
        found = dict(histories(place))
    finally:
        client.meta.events.unregister(event, small)
    assert [v.id for v in found["k0"]] == ids[::2][::-1]
    assert [v.id for v in found["k1"]] == ids[1::2][::-1]


def test_null_versions_and_an_empty_bucket(place, somebody):
    assert list(histories(place)) == []
    client, bucket, root = place.client, place.bucket, somebody("s3")
    root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    client.put_object(Bucket=bucket, Key="k", Body=b"null")
    root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    ((_, history),) = histories(place)
    assert [v.id for v in history] == [version, "null"]


def test_erasing_takes_all_below_a_prefix_and_never_all_of_a_bucket(stack, somebody):
    bucket = stack.add(Bucket("shared", "us-east-1"))
    stack.apply()
    s3 = somebody("s3", bucket.region)
    for key in ("theirs", "ours/a", "ours/a", "ours/b"):
        s3.put_object(Bucket=bucket.name, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket.name, Key="ours/b")
    s3.create_multipart_upload(Bucket=bucket.name, Key="ours/c")
    place = Place(s3, bucket.name)
    with pytest.raises(ValueError, match="what the keys begin with"):
        erase(place, "")
    assert [erase(place, "ours/"), erase(place, "ours/")] == [4, 0]
    left = s3.list_object_versions(Bucket=bucket.name)
    assert [each["Key"] for each in left["Versions"]] == ["theirs"]
    assert not left.get("DeleteMarkers") and not s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads")
