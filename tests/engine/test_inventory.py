"""The inventory: finds what is ours, deletes that and nothing else, and proves it."""

import json
import secrets

import pytest
from support import cases
from support.calls import Recorder, watched
from support.case import HERE
from support.cleanup import remove

from lib.base.errors import ParameterError, ProtectedError, RunbookError, UnfinishedError
from lib.engine import lock
from lib.engine.inventory import TYPES, Inventory
from lib.engine.lock import PIPELINE
from lib.engine.stack import Stack
from lib.local import deployer
from lib.parameters import Parameters
from lib.resources import s3, sns
from lib.target import Target, connect

EVERYTHING = [case.describe for case in cases.EVERY.values()]


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "inventory"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture
def make(target, parameters):
    """Makes stacks, `make("migrate", cases.sqs.queue)`, which are deleted after the test."""
    made = []

    def apply(pipeline: str, *describe) -> Stack:
        stack = Stack(target, parameters, pipeline)
        made.append(stack)
        for one in describe:
            one(stack)
        stack.apply()
        return stack

    yield apply
    for stack in made:
        remove(stack)


def names(inventory: Inventory) -> set[str]:
    return {item.found.arn for item in inventory.existing()}


def make_it_somebody_else_s(stack: Stack, somebody) -> None:
    """Take our tags away, and what the ledger knows of it."""
    for resource in stack.resources.values():
        if "tags" in cases.of(resource).drift:
            cases.drifting(resource, "tags", somebody(resource.service, resource.region))
    stack.ledger.forget(stack.scope.pipeline)


def test_everything_is_found_deleted_and_proven_to_be_gone(make, target, parameters):
    stack = make("migrate", *EVERYTHING)
    inventory = Inventory(target, parameters, "migrate")
    assert names(inventory) == set(stack.resources)
    table = inventory.table()
    assert set(table["made by"]) == {"this runbook"}
    assert set(table["pipeline"]) == {"migrate"}
    waits = []
    with pytest.raises(RunbookError, match=rf"^{len(stack.resources)} of ours are left: .*run 90_destroy"):
        inventory.prove_empty(sleep=waits.append)
    assert sum(waits) == 90
    destroyed = inventory.destroy()
    assert {item.type for item in destroyed} == set(TYPES)
    assert destroyed.summary.startswith(f"{len(stack.resources)} deleted")
    proof = inventory.prove_empty().set_index("type")
    assert set(proof.loc[:, proof.columns != "not ours"].to_numpy().ravel()) <= {"0", ""}
    assert inventory.ledger.pipelines() == [PIPELINE]  # whose bucket stays until all of it is destroyed
    assert inventory.destroy() == []


def test_what_another_run_made_until_the_lock_was_ours_is_deleted_too(make, target, parameters):
    make("migrate", cases.sns.topic)
    others: list[Stack] = []

    def make_more(**_) -> None:  # another run, whole, before this one takes the lock
        if not others:
            others.append(make("backup", cases.sqs.queue))

    late = watched(target, "before-call.s3.PutObject", make_more)
    destroyed = Inventory(late, parameters).destroy()
    assert set(others[0].resources) <= {item.found.arn for item in destroyed}
    assert names(Inventory(target, parameters)) == set()


def test_in_plan_mode_nothing_is_deleted(make, target, parameters, capsys):
    stack = make("migrate", cases.lambda_.mapping, cases.s3.notification)
    recorder = Recorder()
    planning = parameters.model_copy(update={"mode": "plan"})
    inventory = Inventory(watched(target, "before-call", recorder), planning, "migrate")
    assert len(inventory.table()) == len(stack.resources)
    would = inventory.destroy()
    assert {item.found.arn for item in would} == set(stack.resources)
    assert would.summary == f"{len(stack.resources)} to delete"
    assert recorder.made
    assert recorder.writes == []
    assert "nothing was deleted" in capsys.readouterr().out
    assert stack.plan().count("unchanged") == len(stack.resources)


def test_another_pipeline_of_the_environment_survives(make, target, parameters):
    other, ours = make("backup", *EVERYTHING), make("migrate", cases.sqs.queue)
    Inventory(target, parameters, "migrate").destroy()
    Inventory(target, parameters, "migrate").prove_empty()
    assert ours.plan().count("create") == len(ours.resources)
    assert other.plan().count("unchanged") == len(other.resources)
    assert other.ledger.pipelines() == ["backup", lock.PIPELINE]


def test_another_environment_survives(make, target, parameters):
    """One whose name begins like ours, too."""
    longer = Parameters.check({"env": "inventory2"})
    other = Stack(connect(longer), longer, "migrate")
    for describe in (cases.sqs.queue, cases.glue.database, cases.iam.role):
        describe(other)
    other.apply()
    try:
        make("migrate", cases.sqs.queue)
        Inventory(target, parameters).destroy()
        assert other.plan().count("unchanged") == len(other.resources)
    finally:
        remove(other)


def test_without_a_pipeline_all_of_the_environment_goes(make, target, parameters):
    make("migrate", cases.sqs.queue)
    make("backup", cases.lambda_.function)
    inventory = Inventory(target, parameters)
    inventory.destroy()
    inventory.prove_empty()
    assert (inventory.existing(), inventory.ledger.entries()) == ([], {})


def test_what_is_not_ours_is_left_alone_and_counted(make, target, parameters, somebody):
    """Neither the thing itself nor its parts: a topic's subscriptions, a bucket's notifications, mappings."""
    stack = make("migrate", *EVERYTHING)
    remove_what_has_no_tags(stack)
    make_it_somebody_else_s(stack, somebody)
    recorder = Recorder()
    inventory = Inventory(watched(target, "before-call", recorder), parameters, "migrate")
    before = names(inventory)
    assert set(inventory.table()["made by"]) == {"somebody else"}
    assert inventory.destroy() == []
    assert recorder.writes == []
    proof = inventory.prove_empty()
    # A table of Glue's without our tags is a part of its database.
    assert proof["not ours"].sum() == len(before) == len(stack.resources) - 1
    assert names(inventory) == before


def remove_what_has_no_tags(stack: Stack) -> None:
    """Two types can have none, nor are they a part of what has some, so that their name must do."""
    without = {"Glue classifier", "CloudWatch dashboard"}
    for arn, resource in list(stack.resources.items()):
        if resource.noun in without:
            type(resource).delete(stack.client(resource), resource.name)
            del stack.resources[arn]


def test_what_lost_its_tags_is_ours_if_the_ledger_knows_it(make, target, parameters, somebody):
    stack = make("migrate", cases.lambda_.mapping, cases.s3.notification, cases.sns.subscription)
    for resource in stack.resources.values():
        if "tags" in cases.of(resource).drift:
            cases.drifting(resource, "tags", somebody(resource.service, resource.region))
    Inventory(target, parameters, "migrate").destroy()
    assert names(Inventory(target, parameters, "migrate")) == set()


def test_what_may_not_be_counted_is_said_and_goes(make, target, parameters, local_aws, somebody):
    make("index", cases.dynamodb.table)
    user = deployer.credentials(local_aws, "runbook", parameters.env).user_name
    iam, which = somebody("iam"), {"UserName": user, "PolicyName": "counts-nothing"}
    statement = {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"}
    iam.put_user_policy(
        **which, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    try:
        for found in (
            f(Inventory(target, parameters, "index")) for f in (Inventory.going, Inventory.destroy)
        ):
            said = "what could not be counted (AccessDeniedException)"
            assert found.summary.endswith(f", with {said}")
            assert list(found.holding()["holds"]) == [said]
    finally:
        iam.delete_user_policy(**which)
    assert names(Inventory(target, parameters, "index")) == set()


def test_the_ledger_tells_types_apart(make, target, parameters, somebody):
    """A queue of somebody else's that has the name of our topic is still somebody else's."""
    stack = make("migrate", cases.sns.topic)
    name = stack.scope.name("files")
    sqs = somebody("sqs", HERE)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        Inventory(target, parameters, "migrate").destroy()
        assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    finally:
        sqs.delete_queue(QueueUrl=url)


def test_regions_that_are_no_longer_used_are_still_looked_at(make, target, parameters):
    """The ledger remembers them: the parameters may have changed since."""
    moved = parameters.model_copy(
        update={"migrate": parameters.migrate.model_copy(update={"source_region": "eu-west-1"})}
    )
    make("migrate", cases.sns.topic)
    inventory = Inventory(target, moved, "migrate")
    assert HERE in inventory.regions()
    inventory.destroy()
    assert inventory.existing() == []


def test_what_aws_is_still_deleting_is_waited_for(make, target, parameters):
    stack, waits = make("migrate", cases.sqs.queue), []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        Inventory(target, parameters, "migrate").destroy()

    Inventory(target, parameters, "migrate").prove_empty(sleep)
    assert waits == [5]
    assert stack.plan().count("create") == len(stack.resources)


def test_a_pipeline_that_there_is_not():
    name = f"x{secrets.token_hex(3)}"
    with pytest.raises(ParameterError, match=f"'{name}' is none of migrate"):
        Inventory(None, Parameters(), name)


def test_what_lies_in_a_region_that_nobody_remembers_is_found_by_its_bucket(make, target, parameters):
    stack = make("migrate", cases.s3.bucket)
    elsewhere = stack.add(s3.Bucket("source", "eu-west-1"))
    topic = stack.add(sns.Topic("uploads", "eu-west-1"))
    stack.apply()
    stack.ledger.forget("migrate")
    inventory = Inventory(target, parameters, "migrate")
    assert {elsewhere.arn, topic.arn} <= names(inventory)
    inventory.destroy()
    inventory.prove_empty(sleep=lambda seconds: None)
    assert names(inventory) == set()


def test_what_is_described_no_more_is_named(make, target, parameters):
    stack = make("migrate", cases.s3.bucket, cases.sqs.queue)
    inventory = Inventory(target, parameters, "migrate")
    assert inventory.left_behind(stack.resources) == []
    queue = next(resource for resource in stack.resources.values() if resource.noun == "SQS queue")
    described = set(stack.resources) - {queue.arn}
    assert [item.found.arn for item in inventory.left_behind(described)] == [queue.arn]


PROTECTED = {"deletion_protection": "ENABLED"}


@pytest.fixture
def with_data(target, parameters):
    """A protected pipeline with an object in its bucket and an item in its table; unprotected at the end."""
    stacks = []

    def make(**changed) -> Stack:
        stack = Stack(target, parameters.model_copy(update=changed), "migrate")
        stacks.append(stack)
        bucket, table = cases.s3.bucket(stack), cases.dynamodb.table(stack)
        stack.add(sns.Topic("alone", HERE))
        stack.apply()
        stack.client(bucket).put_object(Bucket=bucket.name, Key="a", Body=b"12345")
        item = {"file_key": {"S": "a"}, "timestamp": {"S": "b"}}
        stack.client(table).put_item(TableName=table.name, Item=item)
        return stack

    yield make
    make(deletion_protection="DISABLED")
    remove(stacks[-1])


def test_what_the_parameter_protects_stops_a_destruction_before_its_first_delete(
    with_data, target, parameters
):
    stack = with_data(**PROTECTED)
    assert stack.plan().count("unchanged") == len(stack.resources)
    recorder = Recorder()
    watching = watched(target, "before-call", recorder)
    with pytest.raises(ProtectedError, match="^2 are protected .*nothing was deleted: .*=DISABLED"):
        Inventory(watching, parameters.model_copy(update=PROTECTED), "migrate").destroy()
    assert not [call for call in recorder.writes if call.startswith("Delete") and call != "DeleteObject"]
    inventory = Inventory(target, parameters, "migrate")
    assert names(inventory) == set(stack.resources)
    stack = with_data(deletion_protection="DISABLED")  # which takes it off
    assert not any(one.found.is_protected_by_us for one in inventory.existing())
    assert stack.plan().count("unchanged") == len(stack.resources)
    held = "with 2 versions of objects (10 B), 1 item"
    assert inventory.going().summary == f"3 to delete, {held}"
    assert inventory.destroy().summary == f"3 deleted, {held}"
    assert names(inventory) == set()


def test_our_own_protection_goes_with_the_parameter_though_no_run_describes_it_any_more(
    with_data, target, parameters
):
    with_data(**PROTECTED)
    freeing = parameters.model_copy(update={"deletion_protection": "DISABLED"})
    inventory = Inventory(target, freeing, "migrate")
    assert inventory.protected(inventory.existing()) == {}
    assert inventory.destroy().summary.startswith("3 deleted")
    assert names(inventory) == set()


def test_a_store_that_is_not_wanted_any_more_goes_with_the_parameter(with_data, target, parameters):
    stack = with_data(**PROTECTED)
    stack.replace(cases.dynamodb.table(stack), wanted=False)
    with pytest.raises(UnfinishedError, match="is protected from deletion: .*=DISABLED"):
        stack.apply()
    stack = Stack(target, parameters.model_copy(update={"deletion_protection": "DISABLED"}), "migrate")
    for one in (cases.s3.bucket(stack), cases.dynamodb.table(stack)):
        stack.replace(one, wanted=False)
    stack.is_whole = False
    assert stack.apply().count("delete") == 2
    assert [one.type.noun for one in Inventory(target, parameters, "migrate").existing()] == ["SNS topic"]


def _protect_table(stack: Stack, client) -> None:
    client.update_table(TableName=cases.dynamodb.table(stack).name, DeletionProtectionEnabled=True)


def _free_table(stack: Stack, client) -> None:
    client.update_table(TableName=cases.dynamodb.table(stack).name, DeletionProtectionEnabled=False)


def _deny(stack: Stack, client) -> None:
    bucket = cases.s3.bucket(stack)
    policy = json.loads(client.get_bucket_policy(Bucket=bucket.name)["Policy"])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:Delete*", "Resource": f"{bucket.arn}/*"}
    policy["Statement"].append({"Sid": "KeepIt", **deny})
    client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))


def _allow(stack: Stack, client) -> None:
    bucket = cases.s3.bucket(stack)
    policy = json.loads(client.get_bucket_policy(Bucket=bucket.name)["Policy"])
    policy["Statement"] = [one for one in policy["Statement"] if one.get("Sid") != "KeepIt"]
    client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))


@pytest.mark.parametrize(
    ("service", "protect", "free", "said"),
    [
        ("dynamodb", _protect_table, _free_table, "set by hand.*--no-deletion-protection-enabled"),
        ("s3", _deny, _allow, "its policy denies s3:DeleteBucket, s3:DeleteObject"),
    ],
)
def test_what_is_protected_by_hand_stops_it_too_and_no_run_takes_that_off(
    with_data, target, parameters, somebody, service, protect, free, said
):
    stack = with_data()
    client = somebody(service, HERE)
    protect(stack, client)
    for changed in ({}, PROTECTED, {"deletion_protection": "DISABLED"}):  # ours comes and goes beside it
        assert with_data(**changed).plan().count("unchanged") == len(stack.resources)
    inventory = Inventory(target, parameters, "migrate")
    with pytest.raises(ProtectedError, match=f"^1 are protected .*{said}"):
        inventory.destroy()
    assert names(inventory) == set(stack.resources)
    free(stack, client)
    inventory.destroy()
    assert names(inventory) == set()


def test_data_can_be_kept_and_is_found_again(with_data, target, parameters):
    stack = with_data()
    inventory = Inventory(target, parameters, "migrate")
    assert {item.type.noun for item in inventory.destroy(keep_data=True)} == {"SNS topic"}
    proof = inventory.prove_empty(keep_data=True, sleep=lambda seconds: None).set_index("type")
    assert proof.loc["S3 bucket", HERE] == "1"
    plan = stack.plan()
    assert (plan.count("create"), plan.count("unchanged")) == (1, len(stack.resources) - 1)
    assert stack.ledger.pipelines() == ["migrate", PIPELINE]
    Inventory(target, parameters, "migrate").destroy()
