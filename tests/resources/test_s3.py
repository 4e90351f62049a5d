"""Buckets and notifications: what the other classes do not have."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import unquote_plus

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from support import cases
from support.calls import Recorder, watched
from support.case import HERE
from support.zips import a_zip

from lib.base.errors import RunbookError, WaitError
from lib.base.retry import WAIT_S, wait_until
from lib.engine.stack import Stack
from lib.resources.iam import Role
from lib.resources.lambda_ import Function
from lib.resources.policies import document, only_these_may
from lib.resources.s3 import (
    Bucket,
    BucketNotification,
    empty_bucket,
    notifications_of,
    with_filter,
    without_entry,
)
from lib.resources.sqs import Queue


def test_versions_delete_markers_and_unfinished_uploads_are_deleted_with_their_bucket(stack: Stack, somebody):
    bucket = cases.s3.bucket(stack)
    stack.apply()
    s3, name = somebody("s3", bucket.region), bucket.name
    for body in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="folder/Project Idea+ü 100%.csv", Body=body)
    s3.put_object(Bucket=name, Key="deleted", Body=b"1")
    s3.delete_object(Bucket=name, Key="deleted")
    s3.delete_object(Bucket=name, Key="never there")
    for key in ("parts", "parts", "more parts"):
        s3.create_multipart_upload(Bucket=name, Key=key)
    Bucket.delete(stack.client(bucket), name)
    assert bucket.read(stack.client(bucket)) is None


def test_more_keys_than_one_call_can_list_or_delete_are_deleted(stack: Stack, somebody):
    bucket = cases.s3.bucket(stack)
    stack.apply()
    s3, client = somebody("s3", bucket.region), stack.client(bucket)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=bucket.name, Key=f"{n % 700}", Body=b""), range(1100)))
        list(pool.map(lambda n: s3.delete_object(Bucket=bucket.name, Key=f"{n}"), range(100)))
    empty_bucket(client, bucket.name)
    left = client.list_object_versions(Bucket=bucket.name)
    assert "Versions" not in left
    assert "DeleteMarkers" not in left


def test_what_may_not_be_deleted_is_an_error_that_names_it(stack: Stack, somebody):
    bucket = stack.add(Bucket("locked", "us-east-1"))
    s3 = somebody("s3")
    s3.create_bucket(Bucket=bucket.name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=bucket.name, Key="kept", Body=b"1", ObjectLockLegalHoldStatus="ON")
    with pytest.raises(RunbookError, match="1 version that Object Lock holds without end"):
        Bucket.delete(stack.client(bucket), bucket.name)
    s3.put_object_legal_hold(Bucket=bucket.name, Key="kept", LegalHold={"Status": "OFF"})


PROTECTED = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"]


def protected(stack: Stack) -> tuple[Bucket, Role]:
    """A bucket in which only one role may write and delete, and that role."""
    bucket = stack.add(Bucket("dr", "us-east-1"))
    objects = {"Sid": "Objects", "Effect": "Allow", "Action": PROTECTED, "Resource": f"{bucket.arn}/*"}
    role = stack.add(Role("copy", "us-east-1", trusts="lambda.amazonaws.com", policy=document([objects])))
    bucket.statements = [only_these_may(PROTECTED, bucket.arn, role_arns=[role.arn], name="DrWriters")]
    stack.apply()
    return bucket, role


def as_role(role: Role, somebody):
    """An S3 client of a session of the role; the local AWS lets root take it on."""
    sts = somebody("sts")
    key = sts.assume_role(RoleArn=role.arn, RoleSessionName="test")["Credentials"]
    target = {"endpoint_url": sts.meta.endpoint_url, "verify": sts._endpoint.http_session._verify}
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    return session.client("s3", "us-east-1", **target)


def test_only_the_roles_of_a_protected_bucket_may_write_and_delete(stack: Stack, somebody):
    bucket, role = protected(stack)
    deployer, allowed = stack.client(bucket), as_role(role, somebody)
    where = {"Bucket": bucket.name, "Key": "a"}
    version = allowed.put_object(**where, Body=b"1")["VersionId"]
    for refused in (
        lambda: deployer.put_object(**where, Body=b"2"),
        lambda: deployer.delete_object(**where),
        lambda: deployer.delete_object(**where, VersionId=version),
        # AWS answers that key by key.
        lambda: deployer.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": "a"}]}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
    assert deployer.get_object(**where)["Body"].read() == b"1"
    allowed.delete_object(**where)
    allowed.delete_object(**where, VersionId=version)
    assert stack.plan().count("unchanged") == len(stack.resources)


WRITER = """
import boto3, os
def handler(event, context):
    boto3.client("s3").put_object(Bucket=os.environ["DR_BUCKET"], Key="from a function", Body=b"1")
"""


def test_a_function_with_the_role_may_write(stack: Stack):
    bucket, role = protected(stack)
    code, variables = a_zip(WRITER), {"DR_BUCKET": bucket.name}
    function = stack.add(Function("copy", "us-east-1", role=role, code=code, environment=variables))
    stack.apply()
    answer = stack.client(function).invoke(FunctionName=function.name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert stack.client(bucket).get_object(Bucket=bucket.name, Key="from a function")["ContentLength"] == 1


def test_a_protected_bucket_is_deleted_with_what_is_in_it(stack: Stack, somebody):
    bucket, role = protected(stack)
    as_role(role, somebody).put_object(Bucket=bucket.name, Key="a", Body=b"1")
    Bucket.delete(stack.client(bucket), bucket.name)
    assert bucket.read(stack.client(bucket)) is None


def test_only_our_protection_is_taken_off(stack: Stack, somebody, monkeypatch):
    """What somebody else denies, and that nobody comes without TLS, holds to the end."""
    monkeypatch.setattr("lib.resources.s3.PROPAGATION_S", 2 * WAIT_S)
    bucket, role = protected(stack)
    as_role(role, somebody).put_object(Bucket=bucket.name, Key="a", Body=b"1")
    s3 = somebody("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket.name)["Policy"])
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": PROTECTED}
    policy["Statement"].append({**theirs, "Resource": f"{bucket.arn}/*"})
    s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    with pytest.raises(ClientError, match="AccessDenied"):
        Bucket.delete(stack.client(bucket), bucket.name)
    left = json.loads(s3.get_bucket_policy(Bucket=bucket.name)["Policy"])["Statement"]
    assert {statement["Sid"] for statement in left} == {"Theirs", "RunbookDenyInsecureTransport"}
    s3.delete_bucket_policy(Bucket=bucket.name)


def test_a_protection_that_binds_a_little_longer_is_waited_for(stack: Stack, somebody):
    """As on AWS, where a policy that was changed is not changed everywhere at once."""
    bucket, role = protected(stack)
    as_role(role, somebody).put_object(Bucket=bucket.name, Key="a", Body=b"1")
    refusals, waits = [{"Key": "a", "Code": "AccessDenied", "Message": "Access Denied"}], []

    def refuse(parsed: dict, **_) -> None:
        if refusals:
            parsed["Errors"] = [refusals.pop()]

    client = watched(stack.target, "after-call.s3.DeleteObjects", refuse).client("s3", bucket.region)
    Bucket.delete(client, bucket.name, waits.append)
    assert waits == [WAIT_S]
    assert bucket.read(client) is None


def test_an_ordinary_bucket_costs_one_call_more(stack: Stack):
    bucket = cases.s3.bucket(stack)
    stack.apply()
    recorder = Recorder()
    client = watched(stack.target, "before-call", recorder).client("s3", bucket.region)
    Bucket.delete(client, bucket.name)
    assert recorder.writes == ["DeleteBucket"]
    assert sorted(recorder.made) == [
        "DeleteBucket",
        "GetBucketPolicy",
        "ListMultipartUploads",
        "ListObjectVersions",
    ]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_bucket_is_made_in_its_region(stack: Stack, somebody, region: str):
    bucket = stack.add(Bucket("files", region))
    stack.apply()
    location = somebody("s3").get_bucket_location(Bucket=bucket.name)["LocationConstraint"]
    assert location == (None if region == "us-east-1" else region)


def test_a_bucket_that_may_not_be_read_is_not_one_that_does_not_exist(stack: Stack, somebody):
    """To S3, a bucket of another account and one that we lack the rights for are alike: 403."""
    bucket = stack.add(Bucket("files", "us-east-1"))
    bucket.scope = replace(stack.scope, env="other")  # the deployer of `test` may not read these
    s3 = somebody("s3")
    s3.create_bucket(Bucket=bucket.name)
    try:
        with pytest.raises(RunbookError, match="S3 answers 403.*or the deployer may not read it"):
            bucket.read(stack.client(bucket))
    finally:
        s3.delete_bucket(Bucket=bucket.name)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"Prefix": "logs/"}, {"Prefix": "logs/"}),
        ({"Prefix": ""}, {"Prefix": ""}),
        ({"Filter": {}}, {"Prefix": ""}),
        ({}, {"Prefix": ""}),
        ({"Filter": {"And": {"Prefix": "a", "Tags": []}}}, {"And": {"Prefix": "a", "Tags": []}}),
        ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}}, {"Tag": {"Key": "a", "Value": "b"}}),
    ],
)
def test_a_rule_s_filter_has_one_spelling(told: dict, meant: dict):
    rule = {"ID": "x", "Status": "Enabled"}
    assert with_filter(rule | told) == rule | {"Filter": meant}


# --- notifications

ENTRIES = st.lists(st.sampled_from("abcd").map(lambda name: {"Id": name, "Events": ["s3:ObjectCreated:*"]}))
CONFIGURATIONS = st.fixed_dictionaries(
    {},
    optional={
        "TopicConfigurations": ENTRIES,
        "QueueConfigurations": ENTRIES,
        "LambdaFunctionConfigurations": ENTRIES,
        "EventBridgeConfiguration": st.just({}),
    },
)


@given(CONFIGURATIONS)
def test_without_one_entry_all_others_stay_as_they_are(configuration: dict):
    rest = without_entry(configuration, "a")
    assert rest.keys() == configuration.keys()
    for kind, entries in configuration.items():
        assert rest[kind] == (
            entries if isinstance(entries, dict) else [e for e in entries if e["Id"] != "a"]
        )
    assert without_entry(configuration, "not there") == configuration


def test_deleting_ours_leaves_everybody_else_s(stack: Stack, somebody):
    notification = cases.s3.notification(stack)
    stack.apply()
    s3, bucket = somebody("s3", notification.region), notification.bucket.name
    (ours,) = s3.get_bucket_notification_configuration(Bucket=bucket)["TopicConfigurations"]
    theirs = {**ours, "Id": "theirs", "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"TopicConfigurations": [theirs, ours], "EventBridgeConfiguration": {}},
    )
    BucketNotification.delete(stack.client(notification), f"{bucket}#{notification.name}")
    left = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert left["TopicConfigurations"] == [theirs]
    assert left["EventBridgeConfiguration"] == {}


def test_a_filter_is_the_same_however_its_names_are_written(stack: Stack, somebody):
    """S3 answers with "Prefix" where it was given "prefix"."""
    notification = cases.s3.notification(stack)
    stack.apply()
    s3, bucket = somebody("s3", notification.region), notification.bucket.name
    (ours,) = s3.get_bucket_notification_configuration(Bucket=bucket)["TopicConfigurations"]
    ours["Filter"] = {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [ours]}
    )
    assert stack.plan().count("unchanged") == len(stack.resources)


def test_the_notification_of_a_bucket_that_is_gone_is_gone(stack: Stack):
    notification = cases.s3.notification(stack)
    client = stack.client(notification)
    assert notification.read(client) is None
    BucketNotification.delete(client, f"{notification.bucket.name}#{notification.name}")


def telling_the_old(notification: BucketNotification, stack: Stack, times: int):
    """A client that S3 tells so many times of the entry as it is now, whatever is written meanwhile."""
    where = {"Bucket": notification.bucket.name}
    now = stack.client(notification).get_bucket_notification_configuration(**where)
    old = [now["TopicConfigurations"]] * times

    def tell(parsed: dict, **_) -> None:
        if old:
            parsed["TopicConfigurations"] = old.pop()

    event = "after-call.s3.GetBucketNotificationConfiguration"
    return watched(stack.target, event, tell).client("s3", notification.region)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_changed_notification_that_s3_does_not_tell_of_yet_is_waited_for(stack: Stack, times: int):
    """Its id was there before; whoever reads the old entry next, and writes, would bring it back."""
    notification = cases.s3.notification(stack)
    stack.apply()
    client, waits = telling_the_old(notification, stack, 1 + times), []
    notification.key_prefix = "elsewhere/"
    notification.update(client, {"filter": notification.desired()["filter"]}, waits.append)
    assert waits == [WAIT_S] * times


def test_a_deleted_notification_that_s3_still_tells_of_is_waited_for(stack: Stack):
    notification = cases.s3.notification(stack)
    stack.apply()
    client, waits = telling_the_old(notification, stack, 3), []
    BucketNotification.delete(client, f"{notification.bucket.name}#{notification.name}", waits.append)
    assert waits == [WAIT_S] * 2


def test_a_notification_that_s3_never_tells_of_is_an_error(stack: Stack, monkeypatch):
    monkeypatch.setattr("lib.resources.s3.PROPAGATION_S", 0)
    notification = cases.s3.notification(stack)
    stack.apply()
    client = telling_the_old(notification, stack, 9)
    notification.key_prefix = "elsewhere/"
    with pytest.raises(WaitError, match=f"does not tell of its changed notification {notification.name}"):
        notification.update(client, {}, lambda seconds: pytest.fail("waits"))


# Beginnings of keys, and how events and filters have them.
PREFIXES = {
    "dt=2026/": "dt%3D2026/",
    "my files/": "my+files/",
    "a+b/": "a%2Bb/",
    "é/": "%C3%A9/",
    "%41/": "%2541/",
    "what?/": "what%3F/",
    "(1)*~/": "%281%29%2A~/",
}


def test_a_filter_is_for_keys_of_any_characters(stack: Stack, somebody):
    bucket = stack.add(Bucket("files", HERE))
    queue = stack.add(Queue("files", HERE, senders={"s3.amazonaws.com": bucket.arn}))
    ours = [
        stack.add(BucketNotification(f"n{number}", HERE, bucket=bucket, destination=queue, key_prefix=prefix))
        for number, prefix in enumerate(PREFIXES)
    ]
    stack.apply()
    assert stack.plan().count("unchanged") == len(stack.resources)
    s3, sqs = somebody("s3", HERE), somebody("sqs", HERE)
    found = s3.get_bucket_notification_configuration(Bucket=bucket.name)["QueueConfigurations"]
    assert [one["Filter"]["Key"]["FilterRules"][0]["Value"] for one in found] == list(PREFIXES.values())
    told = notifications_of(stack.client(bucket), bucket)
    assert [one["filter"]["prefix"] for one in told] == list(PREFIXES)
    for prefix in (*PREFIXES, "dt-2026/", "my-files/", "a b/", "A/"):
        s3.put_object(Bucket=bucket.name, Key=f"{prefix}a", Body=b"")
    url, keys = sqs.get_queue_url(QueueName=queue.name)["QueueUrl"], {}

    def receive() -> dict:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            for record in json.loads(message["Body"]).get("Records", []):
                keys[unquote_plus(record["s3"]["object"]["key"])] = record["s3"]["configurationId"]
        return keys

    wait_until(receive, lambda keys: len(keys) >= len(PREFIXES), 60, 0.1, time.sleep)
    assert keys == {f"{one.key_prefix}a": one.name for one in ours}


def test_a_filter_that_was_written_as_it_is_never_fires_and_is_mended(stack: Stack, somebody):
    bucket = stack.add(Bucket("files", HERE))
    queue = stack.add(Queue("files", HERE, senders={"s3.amazonaws.com": bucket.arn}))
    handed = {"bucket": bucket, "destination": queue, "key_prefix": "dt=2026/", "key_suffix": " 1.csv"}
    one = stack.add(BucketNotification("files", HERE, **handed))
    stack.apply()
    s3 = somebody("s3", HERE)
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket.name)
    (entry,) = configuration["QueueConfigurations"]
    rules = [{"Name": "Prefix", "Value": one.key_prefix}, {"Name": "Suffix", "Value": one.key_suffix}]
    entry["Filter"] = {"Key": {"FilterRules": rules}}
    s3.put_bucket_notification_configuration(
        Bucket=bucket.name, NotificationConfiguration={"QueueConfigurations": [entry]}
    )
    (changed,) = [step for step in stack.plan() if step.action != "unchanged"]
    assert changed.changes["filter"] == {"prefix": "dt%3D2026/", "suffix": "+1.csv"}
    stack.apply()
    assert stack.plan().count("change") == 0
