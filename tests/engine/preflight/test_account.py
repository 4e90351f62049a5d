"""What is described keeps the rules together with what others and other pipelines have in the account."""

import json

import pytest
from support import cases
from support.breaking import many_statements
from support.calls import Recorder, watched
from support.case import HERE
from support.described import describe

from lib.base.errors import PreflightError
from lib.engine import preflight
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import s3, sqs
from lib.target import Target, connect


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "preflight"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


def a_bucket_with_a_queue(stack: Stack, **keys: str) -> s3.BucketNotification:
    bucket = stack.add(s3.Bucket("files", HERE))
    queue = stack.add(sqs.Queue("files", HERE, senders={"s3.amazonaws.com": bucket.arn}))
    return stack.add(s3.BucketNotification("files", HERE, bucket=bucket, destination=queue, **keys))


def put_others(somebody, ours: s3.BucketNotification, *prefixes: str) -> None:
    """Put somebody else's notifications into a bucket, beside what is there."""
    client = somebody("s3", HERE)
    found = client.get_bucket_notification_configuration(Bucket=ours.bucket.name)
    entries = [
        {
            "Id": f"theirs-{prefix}",
            "QueueArn": ours.destination.arn,
            "Events": ["s3:ObjectCreated:Put"],
            "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": prefix}]}},
        }
        for prefix in prefixes
    ]
    client.put_bucket_notification_configuration(
        Bucket=ours.bucket.name,
        NotificationConfiguration={"QueueConfigurations": found.get("QueueConfigurations", []) + entries},
    )


def test_entries_of_others_overlap_too(stack: Stack, somebody):
    ours = a_bucket_with_a_queue(stack, key_prefix="in/")
    stack.apply()
    put_others(somebody, ours, "theirs/")
    assert preflight.check(stack) == []
    put_others(somebody, ours, "in/new/")
    (violation,) = preflight.check(stack)
    assert violation.rule == "notification-overlap"
    assert "theirs-in/new/" in violation.what
    with pytest.raises(PreflightError):
        stack.apply()


def test_what_is_going_to_be_deleted_does_not_overlap(stack: Stack):
    ours = a_bucket_with_a_queue(stack)
    stack.apply()
    stack.replace(ours, wanted=False)
    stack.add(s3.BucketNotification("other", HERE, bucket=ours.bucket, destination=ours.destination))
    assert preflight.check(stack) == []


def test_a_bucket_has_a_hundred_notifications_at_most(stack: Stack, somebody):
    ours = a_bucket_with_a_queue(stack, key_prefix="in/")
    stack.apply()
    put_others(somebody, ours, *(f"{number:03d}/" for number in range(99)))
    assert preflight.check(stack) == []
    put_others(somebody, ours, "100/")
    (violation,) = preflight.check(stack)
    assert violation.rule == "notification-quota"
    assert "101 notifications" in violation.what


def test_statements_of_others_count_too(stack: Stack, somebody):
    ours = a_bucket_with_a_queue(stack)
    stack.apply()
    policy = ours.destination.desired()["policy"]
    many_statements(policy)
    theirs = [one | {"Sid": one["Sid"].replace("Runbook", "Theirs")} for one in list(policy.values())[:19]]
    client = somebody("sqs", HERE)
    url = client.get_queue_url(QueueName=ours.destination.name)["QueueUrl"]
    document = {"Version": "2012-10-17", "Statement": theirs}
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})
    (violation,) = [one for one in preflight.check(stack) if "statements" in one.what]
    assert (violation.rule, "21 statements" in violation.what) == ("queue-policy-quota", True)


@pytest.fixture
def make_trails(somebody):
    """Makes trails of somebody else, which are gone after the test."""
    made = []

    def make(region: str, *names: str, **settings: bool) -> None:
        for name in names:
            somebody("cloudtrail", region).create_trail(Name=name, S3BucketName="theirs", **settings)
            made.append((region, name))

    yield make
    for region, name in made:
        somebody("cloudtrail", region).delete_trail(Name=name)


def test_a_region_has_five_trails_at_most(stack: Stack, make_trails):
    ours = cases.cloudtrail.trail(stack)
    make_trails(ours.region, "theirs1", "theirs2", "theirs3")
    make_trails("eu-west-1", "theirs4", IsMultiRegionTrail=True)
    make_trails("eu-west-1", "elsewhere1", "elsewhere2")
    make_trails(ours.region, "organization", IsOrganizationTrail=True)
    assert preflight.check(stack) == []
    stack.apply()
    make_trails(ours.region, "theirs5")
    (violation,) = preflight.check(stack)
    assert violation.rule == "trail-quota"
    assert "us-east-1 has 5 trails already: theirs" in violation.what


# --- What other pipelines have, or have not


def test_reports_of_a_bucket_that_does_not_exist_or_is_not_ours_stop_before_the_first_write(
    target, parameters, somebody
):
    recorder = Recorder()
    aws = watched(target, "before-call", recorder)
    stack = describe("audit", aws, parameters, inventory="Daily", inventory_of=["backup"])
    with pytest.raises(PreflightError) as error:
        stack.apply()
    assert recorder.writes == []
    assert str(error.value).count("[inventory-source]") == 2
    assert "backup is not deployed" in str(error.value)
    assert "runbook run backup" in str(error.value)

    (source,) = [one.source for one in stack.resources.values() if one.what == "backup-source"]
    client = somebody("s3", source.region)
    client.create_bucket(Bucket=source.name)
    try:
        theirs = [one for one in preflight.check(stack) if "did not make it" in one.what]
        assert [one.rule for one in theirs] == ["inventory-source"]
        assert source.name in theirs[0].what
    finally:
        client.delete_bucket(Bucket=source.name)


def with_key(stack: Stack, key_arn: str) -> Stack:
    """A stack of two stores in one region, with this key."""
    parameters = stack.parameters.model_copy(update={"kms_key_arns": [key_arn]})
    keyed = Stack(stack.target, parameters, stack.scope.pipeline)
    keyed.add(s3.Bucket("files", HERE))
    keyed.add(sqs.Queue("files", HERE))
    return keyed


def test_a_key_that_can_encrypt_is_well(stack: Stack, somebody):
    key = somebody("kms", HERE).create_key()["KeyMetadata"]
    assert preflight.check(with_key(stack, key["Arn"])) == []


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        ({}, "KeyState Disabled"),
        ({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, "KeySpec RSA_2048"),
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "KeyUsage SIGN_VERIFY"),
    ],
)
def test_a_key_that_cannot_encrypt_stops_the_run(stack: Stack, somebody, made: dict, wrong: str):
    kms = somebody("kms", HERE)
    key_arn = kms.create_key(**made)["KeyMetadata"]["Arn"]
    if not made:
        kms.disable_key(KeyId=key_arn)
    keyed = with_key(stack, key_arn)
    (violation,) = preflight.check(keyed)
    assert (violation.rule, wrong in violation.what) == ("kms-key-usable", True)
    assert violation.resource.startswith("S3 bucket")  # the first store that is to have it
    with pytest.raises(PreflightError, match="nothing was written"):
        keyed.apply()


def test_a_key_that_is_not_there_stops_the_run(stack: Stack):
    key_arn = f"arn:aws:kms:{HERE}:{stack.scope.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    (violation,) = preflight.check(with_key(stack, key_arn))
    assert (violation.rule, "NotFoundException" in violation.what) == ("kms-key-usable", True)
