"""What is described keeps the rules together with what others and other pipelines have in the account."""

import json

import pytest
from botocore.exceptions import ClientError
from support import cases
from support.breaking import many_statements
from support.calls import Recorder, watched
from support.case import HERE
from support.described import describe

from lib.base.errors import PreflightError
from lib.engine import preflight
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import s3, sns, sqs
from lib.resources.base import GLOBAL_REGION
from lib.resources.policies import allow_services, document
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
    policy = json.dumps(document(theirs))
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
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


def test_a_key_that_aws_manages_stops_the_run(stack: Stack, somebody, monkeypatch):
    key_arn = somebody("kms", HERE).create_key()["KeyMetadata"]["Arn"]
    keyed = with_key(stack, key_arn)
    kms = keyed.target.client("kms", HERE)
    answer = kms.describe_key(KeyId=key_arn)
    answer["KeyMetadata"]["KeyManager"] = "AWS"  # the local AWS has none of AWS's own
    monkeypatch.setattr(kms, "describe_key", lambda **_: answer)
    (violation,) = preflight.check(keyed)
    assert (violation.rule, "is managed by AWS" in violation.what) == ("kms-key-usable", True)


# --- What the pipeline goes by, and somebody else has


def with_boundary(stack: Stack, arn: str) -> Stack:
    """A stack of a role under this boundary."""
    parameters = stack.parameters.model_copy(update={"permissions_boundary_arn": arn})
    bounded = Stack(stack.target, parameters, stack.scope.pipeline)
    cases.iam.role(bounded)
    return bounded


def test_a_boundary_that_is_not_there_stops_the_run(stack: Stack, somebody):
    name = f"boundary-{stack.scope.pipeline}"
    bounded = with_boundary(stack, f"arn:aws:iam::{stack.scope.account_id}:policy/{name}")
    (violation,) = preflight.check(bounded)
    assert (violation.rule, "is not there" in violation.what) == ("role-boundary", True)
    iam = somebody("iam")
    everything = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps(document([everything]))
    arn = iam.create_policy(PolicyName=name, PolicyDocument=policy)["Policy"]["Arn"]
    try:
        assert preflight.look(bounded) == []
    finally:
        iam.delete_policy(PolicyArn=arn)
    assert preflight.look(with_boundary(stack, "arn:aws:iam::aws:policy/PowerUserAccess")) == []


def refused(stack: Stack, monkeypatch, service: str, call: str, region: str = GLOBAL_REGION) -> None:
    """Have AWS deny a call to the deployer."""
    client = stack.target.client(service, region)

    def deny(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, call)

    monkeypatch.setattr(client, call, deny)


def rules(found) -> list[str]:
    return [one.rule for one in found]


def test_a_boundary_that_may_not_be_looked_at_is_a_warning(stack: Stack, monkeypatch):
    bounded = with_boundary(stack, f"arn:aws:iam::{stack.scope.account_id}:policy/theirs")
    refused(bounded, monkeypatch, "iam", "get_policy")
    assert (rules(preflight.look(bounded)), preflight.check(bounded)) == (["boundary-unseen"], [])
    assert bounded.plan().warned[0].action == "warning"


def bucket_for(stack: Stack, role_arn: str) -> s3.Bucket:
    bucket = stack.add(s3.Bucket("files", HERE))
    allow = {"Effect": "Allow", "Principal": {"AWS": role_arn}, "Action": "s3:GetObject"}
    bucket.statements = [{"Sid": "RunbookRead", **allow, "Resource": f"{bucket.arn}/*"}]
    return bucket


def test_a_role_that_a_policy_names_must_be_there(stack: Stack, monkeypatch):
    name = (
        f"runbook-preflight-{stack.scope.pipeline}x-reader"  # another pipeline's, which the deployer may see
    )
    bucket_for(stack, f"arn:aws:iam::{stack.scope.account_id}:role/{name}")
    assert rules(preflight.look(stack)) == ["policy-principal"]
    (violation,) = preflight.check(stack)
    assert f"the role {name}, which is not there" in violation.what
    refused(stack, monkeypatch, "iam", "get_role")
    assert (rules(preflight.look(stack)), preflight.check(stack)) == (["principal-unseen"], [])


def test_a_role_of_another_account_is_not_looked_for(stack: Stack):
    bucket_for(stack, "arn:aws:iam::999999999999:role/reader")
    assert preflight.look(stack) == []


def test_a_queue_of_another_pipeline_may_be_subscribed(stack: Stack, somebody, monkeypatch):
    topic = stack.add(sns.Topic("news", HERE))
    other = f"runbook-preflight-{stack.scope.pipeline}x-work"
    endpoint = f"arn:aws:sqs:{HERE}:{stack.scope.account_id}:{other}"
    stack.add(sns.Subscription("news", HERE, topic=topic, endpoint=endpoint))
    assert rules(preflight.look(stack)) == ["subscription-queue"]
    assert "does not exist" in preflight.check(stack)[0].what
    client = somebody("sqs", HERE)
    url = client.create_queue(QueueName=other)["QueueUrl"]
    try:
        (violation,) = preflight.check(stack)
        assert (violation.rule, "does not let" in violation.what) == ("subscription-queue", True)
        everything = f"arn:aws:sns:{HERE}:{stack.scope.account_id}:runbook-preflight-*"
        allow = allow_services({"sns.amazonaws.com": everything}, "sqs:SendMessage", endpoint, "000000000000")
        client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document(allow))})
        assert preflight.look(stack) == []
        refused(stack, monkeypatch, "sqs", "get_queue_url", HERE)
        assert (rules(preflight.look(stack)), preflight.check(stack)) == (["subscription-unseen"], [])
    finally:
        client.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("name", "found"), [("primary", []), ("", []), ("theirs-{}", ["workgroup-missing"]), ("made-{}", [])]
)
def test_a_function_may_query_in_a_workgroup_that_is_there(stack: Stack, somebody, name: str, found: list):
    function = cases.lambda_.function(stack)
    function.environment = {"QUERY_WORKGROUP": name.format(stack.scope.pipeline)}
    athena = somebody("athena", function.region)
    made = function.environment["QUERY_WORKGROUP"] if name.startswith("made") else ""
    if made:
        athena.create_work_group(Name=made)
    try:
        assert rules(preflight.look(stack)) == found
    finally:
        if made:
            athena.delete_work_group(WorkGroup=made)


def test_what_others_may_invoke_counts_in_the_size_of_a_functions_policy(stack: Stack, somebody):
    permission = cases.lambda_.permission(stack)
    stack.apply()
    client, function = somebody("lambda", permission.region), permission.function.name
    for number in range(70):
        client.add_permission(
            FunctionName=function,
            StatementId=f"theirs-{number}",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::somebodys-{number}",
            SourceAccount=stack.scope.account_id,
        )
    (violation,) = preflight.check(stack)
    assert violation.rule == "function-policy-size"
