"""A backup, and a target of a migration, in another account: two accounts of the local AWS."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.audited import audited
from support.other_account import ACCOUNT, EXTERNAL_ID, OTHER, as_owner, make_role
from support.running import Running, eventually, refused, settled

from lib.base.errors import ParameterError
from lib.engine.inventory import Inventory
from lib.engine.lock import locked
from lib.engine.stack import Stack
from lib.operate.audits import audit as audits
from lib.operate.audits import inventory_configurations
from lib.operate.pipelines import deployed, survey
from lib.operate.recovery.restore import from_parameters
from lib.parameters import Parameters
from lib.resources.policies import ours
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.target import connect

ENV = "elsewhere"
BUCKETS = {"backup": "dr", "migrate": "target"}
PARTS = [bytes(5 * 1024 * 1024), b"the end"]


@pytest.fixture(scope="module")
def role_arn(local_aws) -> str:
    return make_role(local_aws, ENV)


@pytest.fixture(scope="module")
def running(local_aws, role_arn):
    """Both pipelines, each with a bucket in the other account."""
    sections = {
        name: {f"{what}_account_id": OTHER, f"{what}_role_arn": role_arn, f"{what}_external_id": EXTERNAL_ID}
        for name, what in BUCKETS.items()
    }
    running = Running(ENV, tuple(BUCKETS), sections)
    yield running
    running.destroy()


def bucket_of(running: Running, name: str) -> Bucket:
    return running.made(name, Bucket, BUCKETS[name])


def statements_of(running: Running, local_aws, name: str) -> dict[str, dict]:
    """What the bucket's policy says, as its owner sees it."""
    policy = as_owner(local_aws, "s3").get_bucket_policy(Bucket=bucket_of(running, name).name)["Policy"]
    return ours(policy)


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", BUCKETS)
def test_what_is_put_arrives_in_the_other_account_and_the_audit_is_clean(running, local_aws, name):
    bucket, there = bucket_of(running, name), running.destination(name)
    running.source(name).put("a b/ü+%.csv", b"1", Metadata={"kind": "m"}, Tagging="kind=t")
    running.source(name).put_in_parts("large", PARTS)
    assert eventually(lambda: there.keys() >= {"a b/ü+%.csv", "large"})
    settled(lambda: audited(running.target, running.parameters, name).differences.empty is False)
    assert audited(running.target, running.parameters, name).is_clean
    assert not running.stuck(name)
    assert f"-2222-{ACCOUNT}-" in bucket.name
    theirs = as_owner(local_aws, "s3")
    assert bucket.name in [each["Name"] for each in theirs.list_buckets()["Buckets"]]
    rules = theirs.get_bucket_ownership_controls(Bucket=bucket.name)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_a_delete_is_followed_there(running):
    running.source("backup").put("to be deleted", b"1")
    assert eventually(lambda: running.destination("backup").read("to be deleted") == b"1")
    running.source("backup").client.delete_object(Bucket=running.source("backup").bucket, Key="to be deleted")
    assert eventually(lambda: running.destination("backup").read("to be deleted") is None)


@pytest.mark.parametrize(
    ("name", "roles"),
    [("backup", {"replicate", "delete", "restore"}), ("migrate", {"replicate", "crawler", "restore"})],
)
def test_the_bucket_lets_in_each_role_for_what_its_own_policy_says(running, local_aws, name, roles):
    bucket, stack = bucket_of(running, name), next(s for s in running._stacks if s.scope.pipeline == name)
    letting_in = [one for one in statements_of(running, local_aws, name).values() if one["Effect"] == "Allow"]
    assert {one["Condition"]["ArnEquals"]["aws:PrincipalArn"] for one in letting_in} == {
        f"arn:aws:iam::{ACCOUNT}:role/{stack.scope.name(role)}" for role in roles
    }
    for one in letting_in:
        assert one["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        assert one["Condition"]["StringEquals"]["aws:PrincipalAccount"] == ACCOUNT
        assert all(arn in (bucket.arn, f"{bucket.arn}/*") for arn in listed(one["Resource"]))
        assert "*" not in "".join(listed(one["Action"]))
    removing = [one for one in letting_in if "s3:DeleteObjectVersion" in listed(one["Action"])]
    assert not removing  # nobody erases there unless the parameters say so


def test_nobody_else_of_either_account_writes_there(running, local_aws, somebody):
    bucket = bucket_of(running, "backup")
    one = {"Bucket": bucket.name, "Key": "one"}
    for account_id in (ACCOUNT, OTHER):
        iam, name = as_owner(local_aws, "iam", account_id), f"all-rights-{account_id}"
        iam.create_user(UserName=name)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        theirs = as_owner_of_key(local_aws, key)
        assert refused(theirs.put_object, **one) == "AccessDenied"
        assert refused(theirs.delete_object, **one) == "AccessDenied"
    assert refused(running.target.client("s3", bucket.region).get_object, **one) == "AccessDenied"
    assert refused(running.destination("backup").client.put_object, **one) == "AccessDenied"


def as_owner_of_key(local_aws, key: dict):
    from lib.local.deployer import client

    return client(local_aws, "s3", key["AccessKeyId"], key["SecretAccessKey"])


@pytest.mark.parametrize("name", BUCKETS)
def test_a_second_plan_changes_nothing(running, name):
    (stack,) = [stack for stack in running._stacks if stack.scope.pipeline == name]
    # Of the queue the test itself has changed how long messages are hidden.
    changed = [step.resource for step in stack.plan() if step.action != "unchanged"]
    assert [one for one in changed if not isinstance(one, Queue)] == []


def test_what_is_missing_there_is_repaired(running):
    there = running.destination("migrate")
    running.source("migrate").put("lost", b"1")
    assert eventually(lambda: there.read("lost") == b"1")
    for version in there.client.list_object_versions(Bucket=there.bucket, Prefix="lost")["Versions"]:
        there.client.delete_object(Bucket=there.bucket, Key="lost", VersionId=version["VersionId"])
    found = audited(running.target, running.parameters, "migrate")
    assert [one.key for one in found.findings] == ["lost"]
    audits.repair(running.target, running.parameters, "migrate", audit_of_it=found)
    assert eventually(lambda: there.read("lost") == b"1")


def test_what_the_primary_has_lost_is_restored_from_there(running):
    here, there = running.source("backup"), running.destination("backup")
    bodies = {"kept/whole": b"whole", "kept/parts": b"".join(PARTS), "kept/changed": b"as it was"}
    here.put("kept/changed", bodies["kept/changed"])
    here.put("kept/whole", bodies["kept/whole"], Metadata={"kind": "m"}, Tagging="kind=t")
    here.put_in_parts("kept/parts", PARTS)
    assert eventually(lambda: there.keys() >= bodies.keys())
    before = {key: here.state(key) for key in bodies}
    at = datetime.now(UTC)
    lost = bodies.keys() - {"kept/changed"}
    for key in lost:
        for version in here.client.list_object_versions(Bucket=here.bucket, Prefix=key)["Versions"]:
            here.client.delete_object(Bucket=here.bucket, Key=key, VersionId=version["VersionId"])
    assert eventually(lambda: not there.keys() & lost)
    # S3 has whole seconds: what is written in the same one counts as written before.
    assert eventually(lambda: datetime.now(UTC) > at + timedelta(seconds=1))
    here.put("kept/changed", b"by mistake")
    settings = {"at": at.isoformat(), "key_prefix": "kept/", "into": here.bucket, "overwrite_newer": True}
    parameters = Parameters.check(running.parameters.model_dump() | {"restore": settings})
    with locked(running.target, parameters):
        restored = from_parameters(running.target, parameters).run()
    assert restored.problems.empty
    assert {key: here.state(key) for key in bodies} == before


def test_reports_of_both_ends_come_into_a_bucket_of_the_first_account(running):
    wanted = {"inventory": "Daily", "inventory_of": ["backup"]}
    parameters = Parameters.check(running.parameters.model_dump() | {"audit": wanted})
    stack = Stack(running.target, parameters, "audit")
    inventory_configurations.describe(stack)
    stack.apply()
    assert {step.action for step in stack.plan()} == {"unchanged"}
    (there,) = [one for one in stack.resources.values() if one.account_id == OTHER]
    assert there.noun == "S3 inventory configuration"
    sources = [
        (one["Condition"]["StringEquals"]["aws:SourceAccount"], one["Condition"]["ArnLike"]["aws:SourceArn"])
        for bucket in stack.resources.values()
        if isinstance(bucket, Bucket)
        for one in bucket.statements
    ]
    assert sources == [
        (ACCOUNT, [running.made("backup", Bucket, "primary").arn]),
        (OTHER, [bucket_of(running, "backup").arn]),
    ]


def test_it_is_known_without_parameters(running, capsys):
    """By what the roles of the pipeline say; the external id is in the parameters only."""
    plain = Parameters.check({"env": ENV})
    found = deployed(running.target, plain, "backup")
    assert (found.destination.account_id, found.destination.name) == (
        OTHER,
        bucket_of(running, "backup").name,
    )
    assert not survey(running.target, running.parameters).left_out
    assert [each for each in found.at_odds if "account" in each] == [
        f"{found.destination} is not in account {ACCOUNT}"
    ]
    inventory, said = Inventory(connect(plain), plain), r"cannot be taken on .*the parameters must say it"
    with pytest.raises(ParameterError, match=said):
        inventory.destroy()
    listed = inventory.table()["name"]
    assert f"account {OTHER} is not looked at" in capsys.readouterr().out
    assert running.made("backup", Bucket, "primary").name in set(listed)
    assert bucket_of(running, "backup").name not in set(listed)


def test_what_cannot_be_taken_on_is_one_line_before_the_first_write(running, role_arn):
    values = running.parameters.model_dump()
    for changed, said in (
        ({"dr_external_id": "another"}, "its trust policy lets us in"),
        ({"dr_role_arn": f"arn:aws:iam::{OTHER}:role/nobody"}, "whether the role exists"),
    ):
        backup = values["backup"] | changed
        migrate = values["migrate"] | {
            "target_account_id": "",
            "target_role_arn": "",
            "target_external_id": "",
        }
        parameters = Parameters.check(values | {"backup": backup, "migrate": migrate})
        with pytest.raises(ParameterError, match=said) as error:
            connect(parameters).client("s3", "us-east-2", OTHER)
        assert "\n" not in str(error.value)
        assert "arn:aws:iam::000000000000:user/runbook-elsewhere-deployer" in str(error.value)
        assert "backup.dr_role_arn" in str(error.value)
        assert "Nothing was written" in str(error.value)


def test_destroy_leaves_nothing_in_either_account_without_a_ledger(running, local_aws):
    inventory = Inventory(running.target, running.parameters)
    inventory.ledger.path.unlink()
    names = [bucket_of(running, name).name for name in BUCKETS]
    table = inventory.table()
    assert set(table[table["name"].isin(names)]["region"]) == {
        f"us-east-2 of {OTHER}",
        f"us-east-1 of {OTHER}",
    }
    deleted = inventory.destroy()
    assert {item.found.name for item in deleted} >= set(names)
    proof = Inventory(running.target, running.parameters).prove_empty(sleep=lambda _: None)
    assert "S3 bucket" in set(proof["type"])
    for account_id in (ACCOUNT, OTHER):
        theirs = as_owner(local_aws, "s3", account_id).list_buckets()["Buckets"]
        assert not [each for each in theirs if each["Name"].startswith(f"runbook-{ENV}-")]
