"""Freezing a bucket and thawing it: its policy is as it was, wherever a run stops, whatever others do."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count

import pytest
from botocore.exceptions import ClientError
from support.calls import Killed, is_write
from support.interruptions import AFTER, BEFORE, Death, mortal
from support.somebodys import Somebodys

from lib.base.errors import UnfinishedError
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import s3_freeze
from lib.resources.s3 import MOST_POLICY_BYTES, Bucket
from lib.target import Target, connect

HERE = "us-east-1"
# Policies as people write them; of `none` the bucket has none.
POLICIES = ["in a list", "one alone", "none"]


@dataclass
class Subject:
    """Somebody's bucket that can be frozen, as *index* would that has adopted it."""

    bucket: Somebodys
    target: Target
    parameters: Parameters

    def freeze(self, target: Target | None = None, wanted: bool = True, filters=(("", ""),)):
        stack = Stack(target or self.target, self.parameters, "index")
        stack.is_whole = False
        name = self.bucket.name
        freeze = s3_freeze.Freeze("freeze", HERE, bucket_name=name, filters=filters)
        stack.add(freeze, wanted)
        return stack, freeze

    def apply(self, target: Target | None = None, wanted: bool = True, filters=(("", ""),)) -> None:
        stack, _ = self.freeze(target, wanted, filters)
        stack.apply()

    def write(self, kind: str) -> None:
        """Give the bucket a policy of this kind."""
        if kind == "none":
            self.bucket.s3.delete_bucket_policy(Bucket=self.bucket.name)
            return
        policy = json.loads(self.bucket.policy("TheirOwn"))
        if kind == "one alone":
            policy["Statement"] = policy["Statement"][0]
        self.bucket.s3.put_bucket_policy(Bucket=self.bucket.name, Policy=json.dumps(policy, indent=3))

    def policy(self) -> str:
        try:
            return self.bucket.s3.get_bucket_policy(Bucket=self.bucket.name)["Policy"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    def can_write(self, key: str = "a") -> bool:
        try:
            self.bucket.s3.put_object(Bucket=self.bucket.name, Key=key, Body=b"1")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
            return False
        return True


@pytest.fixture(scope="module")
def subject(local_aws, somebody) -> Subject:
    bucket = Somebodys(somebody, f"freezing.{secrets.token_hex(4)}", HERE).create()
    parameters = Parameters.check({"env": "tfreeze", "index": {"bucket": bucket.name}})
    yield Subject(bucket, connect(parameters), parameters)
    Inventory(connect(parameters), parameters).destroy()


@pytest.fixture(autouse=True)
def thawed(subject) -> None:
    subject.apply(wanted=False)


@pytest.mark.parametrize("kind", POLICIES)
def test_who_writes_is_denied_and_after_the_thaw_all_is_as_it_was(subject, kind):
    subject.write(kind)
    before = subject.policy()
    subject.apply()
    assert not subject.can_write()
    stack, _ = subject.freeze()
    assert stack.plan().count("unchanged") == 1
    subject.apply(wanted=False)
    assert subject.policy() == before
    assert subject.can_write()


def stopped(subject: Subject, wanted: bool) -> Iterator[tuple[int, str]]:
    """Freeze, or thaw, again and again, each run stopped one call later, from the first write on.

    Whoever is told of a stop brings the bucket back to where the next run shall begin.
    """
    death = Death()
    target = mortal(subject.target, death)
    subject.apply(target, wanted)  # of which nothing is stopped: so many calls it makes
    first = next(number for number, name in enumerate(death.made, 1) if is_write(name))
    yield 0, ""
    for number, event in chain([(first, BEFORE)], ((number, AFTER) for number in count(first))):
        death.set(number, event)
        try:
            subject.apply(target, wanted)
        except Killed:
            yield number, event
        else:
            return
        finally:
            death.set()


@pytest.mark.parametrize(("kind", "wanted"), [("one alone", True), ("none", False)], ids=["freeze", "thaw"])
def test_wherever_a_run_is_stopped_a_thaw_or_the_next_run_mends_it(subject, kind, wanted):
    subject.write(kind)
    before = subject.policy()
    subject.apply()
    frozen = subject.policy()
    subject.apply(wanted=not wanted)
    for number, event in stopped(subject, wanted):
        assert subject.policy() in (before, frozen), (number, event)
        if wanted and number % 2:
            subject.apply()
            assert not subject.can_write(), (number, event)
        subject.apply(wanted=False)
        assert subject.policy() == before, (number, event)
        subject.apply(wanted=not wanted)
    assert number > 5
    subject.apply(wanted=False)
    assert subject.can_write()


@pytest.mark.parametrize("is_first", [True, False])
def test_what_somebody_changes_meanwhile_stays(subject, is_first):
    subject.write("in a list")
    subject.apply()
    policy = json.loads(subject.policy())
    more = json.loads(subject.bucket.policy("Later"))["Statement"]
    statements = [*more, *policy["Statement"]] if is_first else [*policy["Statement"], *more]
    changed = json.dumps({**policy, "Statement": statements})
    subject.bucket.s3.put_bucket_policy(Bucket=subject.bucket.name, Policy=changed)
    subject.apply(wanted=False)
    left = [one["Sid"] for one in json.loads(subject.policy())["Statement"]]
    assert left == (["Later", "TheirOwn"] if is_first else ["TheirOwn", "Later"])


def test_a_policy_that_somebody_deleted_meanwhile_stays_deleted(subject):
    subject.write("in a list")
    subject.apply()
    subject.bucket.s3.delete_bucket_policy(Bucket=subject.bucket.name)
    stack, _ = subject.freeze()
    assert stack.plan().count("create") == 1, "the plan says that it is not frozen any more"
    subject.apply(wanted=False)
    assert subject.policy() == "NoSuchBucketPolicy"


def test_only_the_keys_that_are_followed_are_frozen(subject):
    subject.write("none")
    subject.apply(filters=(("in/", ".csv"), ("a*b$/", "")))
    assert not subject.can_write("in/1.csv")
    assert not subject.can_write("a*b$/1")
    assert subject.can_write("in/1.txt")
    assert subject.can_write("out/1.csv")


def test_two_environments_freeze_and_thaw_one_bucket_side_by_side(subject):
    subject.write("in a list")
    before = subject.policy()
    parameters = Parameters.check({"env": "tfreezeb", "index": {"bucket": subject.bucket.name}})
    other = Subject(subject.bucket, connect(parameters), parameters)
    subject.apply(filters=(("a/", ""),))
    other.apply(filters=(("b/", ""),))
    client = subject.bucket.s3
    names = s3_freeze.freezes_of(client, subject.bucket.name)
    assert names == ["runbook-tfreeze-index-freeze", "runbook-tfreezeb-index-freeze"]
    subject.apply(wanted=False)
    assert subject.can_write("a/1")
    assert not subject.can_write("b/1")
    other.apply(wanted=False)
    assert subject.policy() == before
    Inventory(other.target, parameters).destroy()


def test_destroy_thaws_what_is_frozen(subject):
    subject.write("in a list")
    before = subject.policy()
    subject.apply()
    inventory = Inventory(subject.target, subject.parameters)
    (row,) = inventory.table().query("type == @s3_freeze.Freeze.noun").itertuples()
    assert row.name == "runbook-tfreeze-index-freeze"
    inventory.destroy()
    assert subject.policy() == before


def test_a_policy_without_room_is_left_as_it_is(subject):
    long = json.loads(subject.bucket.policy("Long"))
    arn = long["Statement"][0]["Resource"]
    long["Statement"][0]["Resource"] = [f"{arn}{'x' * 1020}{number}" for number in range(19)]
    before = json.dumps(long)
    assert MOST_POLICY_BYTES - 400 < len(before) < MOST_POLICY_BYTES
    subject.bucket.s3.put_bucket_policy(Bucket=subject.bucket.name, Policy=before)
    with pytest.raises(UnfinishedError, match=r"its policy would have 20,\d+ bytes.* it is as it was"):
        subject.apply()
    assert subject.policy() == before
    subject.write("none")


def test_a_bucket_of_ours_that_is_frozen_is_deployed_anew_as_it_is(stack):
    bucket = stack.add(Bucket("files", HERE, role="source"))
    stack.apply()
    client = stack.client(bucket)
    before = client.get_bucket_policy(Bucket=bucket.name)["Policy"]
    freezing = Stack(stack.target, stack.parameters, stack.scope.pipeline)
    freezing.is_whole = False
    freeze = freezing.add(s3_freeze.Freeze("freeze", HERE, bucket_name=bucket.name))
    freezing.apply()
    client.put_public_access_block(
        Bucket=bucket.name, PublicAccessBlockConfiguration={"BlockPublicAcls": False}
    )
    client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(only_ours(client, bucket.name, freeze)))
    plan = stack.plan()
    (kept,) = plan.left
    assert (kept.action, kept.name) == ("kept", freeze.name)
    assert set(plan[0].changes) == {"policy", "public_access_block"}
    stack.apply()
    assert not stack.exercises
    assert freeze.is_in_force(client)
    assert stack.plan().count("unchanged") == 1
    freeze.delete(client, f"{bucket.name}#{freeze.name}")
    after = client.get_bucket_policy(Bucket=bucket.name)["Policy"]
    assert json.loads(after) == json.loads(before)
    assert not stack.plan().left


def only_ours(client, name: str, freeze: s3_freeze.Freeze) -> dict:
    """The policy of a bucket from which somebody has taken all but the freeze."""
    policy = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])
    kept = [one for one in policy["Statement"] if one["Sid"] == freeze.statement["Sid"]]
    return {**policy, "Statement": kept}
