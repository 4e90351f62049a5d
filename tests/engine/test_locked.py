"""What Object Lock holds: nobody deletes it, and a destruction says so and goes on."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from support.servers import eventually

from lib.base.errors import LockedError, ParameterError, RunbookError
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.policies import only_these_may, ours
from lib.resources.s3 import Bucket, empty_bucket, has_object_lock, what_is_locked
from lib.target import connect

HERE, DAYS = "us-east-1", 3


@pytest.fixture
def parameters(local_aws) -> Parameters:
    """Of an environment of the test's own, which is destroyed as a whole."""
    return Parameters.check({"env": f"l{secrets.token_hex(3)}"})


@pytest.fixture
def stack(parameters) -> Stack:
    return Stack(connect(parameters), parameters, "backup")


def locked_bucket(stack: Stack) -> tuple[Bucket, dict[str, str]]:
    """A bucket with three versions that are locked, one of them below a delete marker; and their ids."""
    bucket = Bucket("dr", HERE, object_lock_days=DAYS, role="destination")
    bucket = stack.add(bucket)
    bucket.statements = [
        only_these_may(["s3:PutObjectAcl"], bucket.arn, role_arns=["arn:aws:iam::1:role/x"], name="Writers")
    ]
    stack.add(Bucket("primary", HERE))
    stack.apply()
    s3, name = stack.client(bucket), bucket.name
    versions = {key: s3.put_object(Bucket=name, Key=key, Body=b"1")["VersionId"] for key in ("a", "b", "c")}
    s3.delete_object(Bucket=name, Key="b")
    s3.delete_object(Bucket=name, Key="never was")
    return bucket, versions


def release(client, name: str, versions: dict[str, str]) -> None:
    """Let the days be over, as only somebody with a right that the runbook has not can."""
    soon = datetime.now(UTC) + timedelta(seconds=2)
    for key, version in versions.items():
        client.put_object_retention(
            Bucket=name,
            Key=key,
            VersionId=version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon},
            BypassGovernanceRetention=True,
        )
    eventually(lambda: datetime.now(UTC) > soon)


def test_a_destruction_leaves_what_is_locked_says_until_when_and_a_later_one_takes_it(
    stack, parameters, somebody, capsys
):
    bucket, versions = locked_bucket(stack)
    theirs = somebody("s3", HERE)
    head = theirs.head_object(Bucket=bucket.name, Key="c")
    until = f"{head['ObjectLockRetainUntilDate'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    inventory = Inventory(stack.target, parameters)
    destroyed = inventory.destroy()
    expected = (
        f"bucket {bucket.name} stays, with 3 versions that Object Lock holds until {until} (GOVERNANCE)"
    )
    assert destroyed.locked == [expected]
    assert [item.type for item in destroyed] == [Bucket]
    assert expected in repr(destroyed)
    assert "1 deleted, 1 left, which Object Lock holds" in repr(destroyed)
    proof = Inventory(stack.target, parameters).prove_empty(sleep=lambda _: None)
    assert expected in capsys.readouterr().out
    assert proof.set_index("type").loc["S3 bucket", HERE] == "2"  # with the lock of the environment
    found = theirs.list_object_versions(Bucket=bucket.name)
    assert {one["Key"]: one["VersionId"] for one in found["Versions"]} == versions
    # What was deleted does not come back; what hid nothing is gone.
    assert [one["Key"] for one in found["DeleteMarkers"]] == ["b"]
    policy = ours(theirs.get_bucket_policy(Bucket=bucket.name)["Policy"])
    assert policy.keys() == {"RunbookDenyInsecureTransport", "RunbookDenyWriters"}
    release(theirs, bucket.name, versions)
    again = Inventory(stack.target, parameters)
    assert {item.found.name for item in again.destroy()} == {bucket.name}
    again.prove_empty(sleep=lambda _: None)
    assert not [
        one for one in theirs.list_buckets()["Buckets"] if one["Name"].startswith(again.scope.beginning)
    ]


def test_what_is_under_a_legal_hold_has_no_end(stack, parameters, somebody):
    bucket, versions = locked_bucket(stack)
    theirs = somebody("s3", HERE)
    hold = {"Bucket": bucket.name, "Key": "a", "VersionId": versions["a"]}
    theirs.put_object_legal_hold(**hold, LegalHold={"Status": "ON"})
    with pytest.raises(LockedError, match="1 is under a legal hold, until somebody takes it off"):
        empty_bucket(stack.client(bucket), bucket.name)
    theirs.put_object_legal_hold(**hold, LegalHold={"Status": "OFF"})
    release(theirs, bucket.name, versions)
    Inventory(stack.target, parameters).destroy()


def test_a_legal_hold_of_the_newest_version_is_counted_once(stack, parameters, somebody):
    bucket = stack.add(Bucket("held", HERE, object_lock_days=DAYS))
    stack.apply()
    theirs = somebody("s3", HERE)
    hold = {"Bucket": bucket.name, "Key": "a"}
    version = theirs.put_object(**hold, Body=b"1", ObjectLockLegalHoldStatus="ON")["VersionId"]
    assert "; 1 is under a legal hold" in what_is_locked(theirs, bucket.name)
    theirs.put_object_legal_hold(**hold, LegalHold={"Status": "OFF"})
    release(theirs, bucket.name, {"a": version})
    Inventory(stack.target, parameters).destroy()


def test_what_is_kept_for_another_reason_is_an_error(stack, parameters, somebody):
    bucket, versions = locked_bucket(stack)
    theirs = somebody("s3", HERE)
    release(theirs, bucket.name, {"a": versions["a"]})
    with pytest.raises(RunbookError, match="Object Lock does not hold them all") as error:
        what_is_locked(stack.client(bucket), bucket.name)
    assert not isinstance(error.value, LockedError)
    with pytest.raises(LockedError, match="with 1 version that Object Lock holds"):
        empty_bucket(stack.client(bucket), bucket.name, only={("c", versions["c"])})
    release(theirs, bucket.name, versions)
    Inventory(stack.target, parameters).destroy()


def test_a_lock_is_switched_on_later_and_off_for_what_comes_then(stack, parameters):
    bucket = stack.add(Bucket("dr", HERE, object_lock_days=0))
    stack.apply()
    s3 = stack.client(bucket)
    assert not has_object_lock(s3, bucket.name)
    bucket.object_lock_days, bucket.object_lock_mode = DAYS, "COMPLIANCE"
    assert [step.changes for step in stack.plan() if step.changes] == [
        {"object_lock": {"Mode": "COMPLIANCE", "Days": DAYS}}
    ]
    stack.apply()
    assert {step.action for step in stack.plan()} == {"unchanged"}
    bucket.object_lock_days = 0
    stack.apply()
    assert {step.action for step in stack.plan()} == {"unchanged"}
    assert has_object_lock(s3, bucket.name)
    Inventory(stack.target, parameters).destroy()


def test_versions_that_are_locked_are_not_to_be_erased():
    with pytest.raises(ParameterError, match="S3 refuses to erase a version of the backup"):
        Parameters.check({"backup": {"dr_object_lock_days": 1, "erase_versions": True}})
