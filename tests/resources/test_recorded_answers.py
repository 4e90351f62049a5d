"""What AWS really answered, as others recorded it: whatever we want and it tells is no drift.

recorded_answers.json has what LocalStack's developers saw on AWS, with the day and the test that saw it
(https://github.com/localstack/localstack, tests/aws/services); times and random names are taken out.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from support.nobody import empty_stack
from support.zips import a_zip

from lib.base.paths import ROOT
from lib.engine.stack import Stack
from lib.resources import cloudwatch, dynamodb, eventbridge, iam, lambda_, s3, sns, sqs
from lib.resources.base import Resource, differences

RECORDED = json.loads((ROOT / "tests/resources/recorded_answers.json").read_text("utf-8"))
HERE = "us-east-1"


def recorded(name: str, **changed: Any) -> dict[str, Any]:
    """An answer, with some of it otherwise."""
    answer = json.loads(json.dumps(RECORDED[name]["answer"]))
    return _merged(answer, changed)


def _merged(answer: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    for key, value in changed.items():
        old = answer.get(key)
        answer[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return answer


def answering(service: str, **answers: dict[str, Any]) -> BaseClient:
    """A client whose operations answer so; one without an answer is an error of the test."""
    client = boto3.client(service, HERE, aws_access_key_id="nobody", aws_secret_access_key="nobody")

    def answer(model, **_: object) -> tuple[object, dict[str, Any]]:
        found = answers[model.name]
        status = 400 if "Error" in found else 200
        return type("Answer", (), {"status_code": status, "headers": {}})(), {**found, "ResponseMetadata": {}}

    client.meta.events.register("before-call", answer)
    return client


def tags(resource: Resource) -> dict[str, str]:
    return resource.desired()["tags"]


def pairs(resource: Resource) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags(resource).items()]


Case = Callable[[Stack], tuple[Resource, BaseClient, set[str]]]


def queue(stack: Stack):
    ours = stack.add(sqs.Queue("q", HERE, visibility_timeout_s=69, retention_s=604800))
    attributes = {
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": [*ours.desired()["policy"].values()]})
    }
    answers = {
        "GetQueueUrl": {"QueueUrl": "https://q"},
        "GetQueueAttributes": recorded("queue", Attributes=attributes),
        "ListQueueTags": {"Tags": tags(ours)},
    }
    return ours, answering("sqs", **answers), set()


def topic(stack: Stack):
    ours = stack.add(sns.Topic("t", HERE))
    policy = {"Version": "2008-10-17", "Statement": [*ours.desired()["policy"].values()]}
    answers = {
        "GetTopicAttributes": recorded("topic", Attributes={"Policy": json.dumps(policy)}),
        "ListTagsForResource": {"Tags": pairs(ours)},
    }
    return ours, answering("sns", **answers), set()


def subscription(stack: Stack):
    of, to = stack.add(sns.Topic("t", HERE)), stack.add(sqs.Queue("q", HERE))
    ours = stack.add(sns.Subscription("q", HERE, topic=of, protocol="sqs", endpoint=to.arn))
    listed = {"SubscriptionArn": f"{of.arn}:1", "Endpoint": to.arn, "Protocol": "sqs", "TopicArn": of.arn}
    answers = {
        "ListSubscriptionsByTopic": {"Subscriptions": [listed]},
        "GetSubscriptionAttributes": recorded("subscription"),
    }
    # It was recorded as false, which ours is not: just that must be seen.
    return ours, answering("sns", **answers), {"RawMessageDelivery"}


def notification(stack: Stack):
    bucket, to = stack.add(s3.Bucket("b", HERE)), stack.add(sqs.Queue("q", HERE))
    ours = stack.add(
        s3.BucketNotification(
            "n",
            HERE,
            bucket=bucket,
            destination=to,
            events=("s3:ObjectRemoved:Delete", "s3:ObjectCreated:*"),
            key_prefix="testupload/",
            key_suffix="testfile.txt",
        )
    )
    answer = recorded("notification")
    answer["QueueConfigurations"][0] |= {"Id": ours.name, "QueueArn": to.arn}
    return ours, answering("s3", GetBucketNotificationConfiguration=answer), set()


def notification_without_filter(stack: Stack):
    bucket, to = stack.add(s3.Bucket("b", HERE)), stack.add(sqs.Queue("q", HERE))
    ours = stack.add(s3.BucketNotification("n", HERE, bucket=bucket, destination=to))
    answer = recorded("notification without filter")
    answer["QueueConfigurations"][0] |= {"Id": ours.name, "QueueArn": to.arn}
    return ours, answering("s3", GetBucketNotificationConfiguration=answer), set()


def role(stack: Stack):
    policy = RECORDED["role's policy"]["answer"]["PolicyDocument"]
    ours = stack.add(iam.Role("r", HERE, trusts="ec2.amazonaws.com", policy=policy))
    trust = RECORDED["role"]["answer"]["Role"]["AssumeRolePolicyDocument"]
    answers = {  # IAM gives documents as quoted text, which boto3 reads
        "GetRole": recorded("role", Role={"AssumeRolePolicyDocument": quote(json.dumps(trust))}),
        "GetRolePolicy": recorded("role's policy", PolicyDocument=quote(json.dumps(policy))),
        "ListRoleTags": {"Tags": pairs(ours)},
    }
    return ours, answering("iam", **answers), set()


def a_function(stack: Stack) -> lambda_.Function:
    trusted = stack.add(iam.Role("r", HERE, trusts="lambda.amazonaws.com", policy={}))
    code = a_zip("def handler(event, context): pass")
    return stack.add(lambda_.Function("f", HERE, role=trusted, code=code, timeout_s=30, memory_mb=128))


def function(stack: Stack):
    ours = a_function(stack)
    (_, told) = ours.code_tag()[lambda_.TAG_CODE].split()
    found = {"CodeSha256": told, "Role": ours.role.arn}
    answer = recorded("function", Configuration=found, Tags={**tags(ours), **ours.code_tag()})
    # It was recorded with Python 3.12: just that must be seen.
    return ours, answering("lambda", GetFunction=answer), {"Runtime"}


def permission(stack: Stack):
    source = "arn:aws:s3:::resource"
    ours = stack.add(
        lambda_.Permission(
            "p", HERE, function=a_function(stack), principal="s3.amazonaws.com", source_arn=source
        )
    )
    policy = RECORDED["function's policy"]["answer"]["Policy"]
    policy["Statement"][0]["Sid"] = ours.name
    # It was recorded without the account, which ours names: just that must be seen.
    return ours, answering("lambda", GetPolicy={"Policy": json.dumps(policy)}), {"Condition"}


def event_invoke_config(stack: Stack):
    to = stack.add(sqs.Queue("q", HERE))
    ours = stack.add(
        lambda_.EventInvokeConfig(
            "c", HERE, function=a_function(stack), on_failure=to, retries=1, maximum_event_age_s=60
        )
    )
    destinations = {"OnFailure": {"Destination": to.arn}}
    answer = recorded("event invoke config", DestinationConfig=destinations)
    return ours, answering("lambda", GetFunctionEventInvokeConfig=answer), set()


def mapping(stack: Stack):
    of = stack.add(sqs.Queue("q", HERE))
    ours = stack.add(lambda_.EventSourceMapping("m", HERE, queue=of, function=a_function(stack)))
    answer = recorded("mapping", ScalingConfig={"MaximumConcurrency": 10})
    return ours, answering("lambda", ListEventSourceMappings={"EventSourceMappings": [answer]}), set()


def rule(stack: Stack):
    runs = a_function(stack)
    ours = stack.add(eventbridge.Rule("e", HERE, schedule="rate(1 minute)", state="ENABLED", function=runs))
    answers = {
        "DescribeRule": RECORDED["rules"]["answer"]["Rules"][0],  # described as it is listed
        "ListTargetsByRule": {"Targets": [{"Id": "runbook", "Arn": runs.arn}]},
        "ListTagsForResource": {"Tags": pairs(ours)},
    }
    return ours, answering("events", **answers), set()


def alarm(stack: Stack):
    tells = stack.add(sns.Topic("t", HERE))
    found = RECORDED["alarm"]["answer"]["MetricAlarms"][0]
    ours = stack.add(
        cloudwatch.Alarm(
            "a",
            HERE,
            topic=tells,
            namespace=found["Namespace"],
            metric=found["MetricName"],
            dimensions={},
            description=found["AlarmDescription"],
            statistic=found["Statistic"],
            threshold=int(found["Threshold"]),
            period_s=found["Period"],
        )
    )
    answer = {"MetricAlarms": [{**found, "AlarmActions": [tells.arn], "TreatMissingData": "notBreaching"}]}
    answers = {"DescribeAlarms": answer, "ListTagsForResource": {"Tags": pairs(ours)}}
    return ours, answering("cloudwatch", **answers), set()


def table(stack: Stack):
    ours = stack.add(dynamodb.Table("d", HERE, partition_key="TID"))
    answers = {
        "DescribeTable": recorded("table", Table={"TableStatus": "ACTIVE"}),
        "DescribeContinuousBackups": recorded("backups"),
        "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
        "ListTagsOfResource": {"Tags": pairs(ours)},
    }
    return ours, answering("dynamodb", **answers), set()


@pytest.mark.parametrize(
    "case",
    [
        queue,
        topic,
        subscription,
        notification,
        notification_without_filter,
        role,
        function,
        permission,
        event_invoke_config,
        mapping,
        rule,
        alarm,
        table,
    ],
)
def test_what_aws_tells_of_what_we_want_is_no_drift(case: Case):
    resource, client, otherwise = case(empty_stack())
    found = resource.read(client)
    assert found is not None
    assert differences(found, resource.desired()).keys() == otherwise


def test_a_topic_that_is_not_there():
    ours = empty_stack().add(sns.Topic("t", HERE))
    assert ours.read(answering("sns", GetTopicAttributes=recorded("no topic"))) is None


@pytest.mark.parametrize(("name", "key"), [("encryption", ""), ("encryption with a key", "12345678")])
def test_how_a_bucket_is_encrypted(name: str, key: str):
    found = s3.encryption_key(answering("s3", GetBucketEncryption=recorded(name)), "b")
    assert found.startswith(key) if key else found == ""


def test_a_client_without_an_answer_is_noticed():
    with pytest.raises((KeyError, ClientError)):
        answering("sqs").list_queues()
