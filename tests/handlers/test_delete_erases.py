"""With ERASE_VERSIONS, what is deleted for good in the primary bucket is so in the DR bucket too."""

import pytest
from botocore.exceptions import ClientError
from support.backup_pipeline import Backup, bodies, is_current, markers


@pytest.fixture(scope="module")
def made(operator, as_handler):
    return Backup.make(operator, as_handler, erases=True)


@pytest.fixture
def backup(made):
    yield made
    made.handed_over.clear()
    made.forget()


def put_all(backup, key, *contents):
    """Put and replicate versions; return their ids, the oldest first."""
    for body in contents:
        backup.replicated(key, body)
    assert bodies(backup.dr, key) == set(contents)
    listed = backup.primary.client.list_object_versions(Bucket=backup.primary.bucket, Prefix=key)["Versions"]
    newest_first = [version["VersionId"] for version in listed if version["Key"] == key]
    return newest_first[::-1]


def test_a_version_that_is_deleted_for_good_is_erased_and_no_other(backup):
    key = "a b+ü"
    first, second, _ = put_all(backup, key, b"1st", b"2nd", b"third")
    put_all(backup, f"{key}/longer", b"1st", b"2nd")
    backup.deliver("delete", backup.remove(key, second))
    assert bodies(backup.dr, key) == {b"1st", b"third"}
    backup.deliver("delete", backup.remove(key, first))
    assert bodies(backup.dr, key) == {b"third"}
    assert backup.differs(key) == {}
    assert bodies(backup.dr, f"{key}/longer") == {b"1st", b"2nd"}


def test_a_delete_marker_erases_nothing(backup):
    put_all(backup, "marked", b"1st", b"2nd")
    backup.deliver("delete", backup.remove("marked"))
    assert not is_current(backup.dr, "marked")
    assert bodies(backup.dr, "marked") == {b"1st", b"2nd"}


def test_when_all_is_deleted_for_good_all_is_erased(backup):
    versions = put_all(backup, "forgotten", b"1st", b"2nd")
    backup.deliver("delete", backup.remove("forgotten"))
    (marker,) = markers(backup.primary, "forgotten")
    removals = [backup.remove("forgotten", version) for version in (*versions, marker)]
    backup.deliver("delete", removals[0])
    assert bodies(backup.dr, "forgotten") == set()


def test_the_current_version_goes_and_the_older_one_comes_back(backup):
    _, second = put_all(backup, "stepped back", b"1st", b"2nd")
    backup.deliver("delete", backup.remove("stepped back", second))
    assert backup.differs("stepped back") == {}
    assert bodies(backup.dr, "stepped back") == {b"1st"}


def test_bytes_that_another_version_has_stay(backup):
    first, _, _ = put_all(backup, "same bytes", b"same", b"same", b"else")
    backup.deliver("delete", backup.remove("same bytes", first))
    assert bodies(backup.dr, "same bytes") == {b"same", b"else"}


def test_what_cannot_be_compared_stays(backup, monkeypatch):
    first, _ = put_all(backup, "under a key", b"1st", b"2nd")
    monkeypatch.setitem(backup.delete.erase.__globals__, "same_bytes", lambda one, other: None)
    backup.deliver("delete", backup.remove("under a key", first))
    assert bodies(backup.dr, "under a key") == {b"1st", b"2nd"}


def test_a_listing_that_fails_erases_nothing(backup):
    first, _ = put_all(backup, "not listed", b"1st", b"2nd")
    removal = backup.remove("not listed", first)
    client = backup.delete.client("s3", "us-east-1")

    def fail(**_):
        raise ConnectionError("cut off")

    client.meta.events.register("before-call.s3.ListObjectVersions", fail)
    with pytest.raises(ExceptionGroup):
        backup.invoke("delete", removal)
    client.meta.events.unregister("before-call.s3.ListObjectVersions", fail)
    assert bodies(backup.dr, "not listed") == {b"1st", b"2nd"}


def test_erasures_count_and_are_held(backup, monkeypatch):
    first, second, _ = put_all(backup, "braked", b"1st", b"2nd", b"third")
    monkeypatch.setenv("BRAKE_DELETES", "1")
    backup.remove("braked", first)
    backup.deliver("delete", backup.remove("braked", second))
    assert bodies(backup.dr, "braked") == {b"1st", b"2nd", b"third"}
    assert backup.items()["brake"]["deletes"] == {"N": "2"}
    for held in backup.held():
        backup.deliver("delete", held | {"released": True})
    assert bodies(backup.dr, "braked") == {b"third"}


def test_a_version_deleted_while_the_target_is_behind_is_erased_later(backup):
    backup.replicated("behind", b"1st")
    ((_, first),) = backup.primary.versions("behind")
    put = backup.put("behind", b"2nd")
    removal = backup.remove("behind", first)
    backup.invoke("delete", removal)
    assert backup.dr.read("behind")["body"] == b"1st", "what is current in the DR bucket is not erased"
    handed_over, backup.handed_over[:] = list(backup.handed_over), []
    backup.deliver("replicate", put)
    for function, event in handed_over:
        backup.deliver(function, event)
    assert bodies(backup.dr, "behind") == {b"2nd"}


def test_it_may_erase_in_the_dr_bucket_only(backup):
    ((version),) = put_all(backup, "primary", b"1st")
    name = {"Bucket": backup.primary.bucket, "Key": "primary", "VersionId": version}
    with pytest.raises(ClientError, match="AccessDenied"):
        backup.delete.client("s3", "us-east-1").delete_object(**name)
