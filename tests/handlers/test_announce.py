"""*announce* tells a pipeline of the objects that S3 Batch Operations names, and says what became of each."""

import json
from urllib.parse import quote, unquote_plus

import pytest
from support.handler_user import lambda_context

from lib.operate.backfills.manifest import line
from lib.s3.listing import Entry

KEYS = [
    "plain.csv",
    "folder/Project Idea+ü 100%.csv",
    "a%2Fb",
    ' leading, "quoted" ',
    "🚀/💾.bin",
]
REGION = "us-east-1"


def request(key: str, bucket: str) -> dict:
    """As S3 sends it under schema 2.0; the key as it stands in the manifest."""
    task = {"taskId": "t1", "s3Key": key, "s3VersionId": None, "s3Bucket": bucket}
    job = {"id": "j1", "userArguments": {}}
    return {"invocationSchemaVersion": "2.0", "invocationId": "i1", "job": job, "tasks": [task]}


FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:pipeline"


@pytest.fixture(scope="module")
def bucket(operator):
    operator.client("s3").create_bucket(Bucket="announced")
    return "announced"


@pytest.fixture(scope="module")
def queue(operator):
    """A queue in another region than the bucket: its URL, ARN and a client."""
    sqs = operator.client("sqs", region_name="us-west-1")
    url = sqs.create_queue(QueueName="announced")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn, sqs


@pytest.fixture(scope="module")
def announce(as_handler, bucket, queue):
    url, arn, _ = queue
    arns = {"source_bucket_arn": f"arn:aws:s3:::{bucket}", "queue_arn": arn, "function_arn": FUNCTION}
    policy = {**arns, "key_prefix": "", "log_group_arn": "arn:aws:logs:us-east-1:000000000000:log-group:x"}
    environment = {"QUEUE_URL": url, "QUEUE_REGION": "us-west-1"}
    return as_handler("announce", REGION, environment, policy)


@pytest.mark.parametrize("key", KEYS)
def test_what_stands_in_the_manifest_arrives_as_the_object_s_event(announce, operator, bucket, queue, key):
    s3, (url, _, sqs) = operator.client("s3"), queue
    s3.put_object(Bucket=bucket, Key=key, Body=b"12345")
    manifest = line(bucket, Entry(key, 5, "e", None))
    named, encoded = manifest.removesuffix("\n").split(",")

    answer = announce.handler(request(encoded, named), lambda_context("announce"))

    assert answer["results"] == [{"taskId": "t1", "resultCode": "Succeeded", "resultString": "announced"}]
    assert (answer["invocationSchemaVersion"], answer["invocationId"]) == ("2.0", "i1")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    (record,) = json.loads(message["Body"])["Records"]
    written = s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    assert unquote_plus(record["s3"]["object"]["key"]) == key
    assert (record["s3"]["bucket"]["name"], record["awsRegion"]) == (bucket, REGION)
    assert record["eventName"] == "ObjectCreated:Backfill"
    assert record["eventTime"].startswith(f"{written:%Y-%m-%dT%H:%M:%S}")
    assert record["sentTime"] > record["eventTime"]


def test_an_object_that_is_gone_stands_in_the_report(announce, bucket):
    answer = announce.handler(request(quote("gone"), bucket), lambda_context("announce"))

    (result,) = answer["results"]
    assert result["resultCode"] == "PermanentFailure"
    assert result["resultString"] == "There is no such object any more."


def test_what_it_may_not_read_is_tried_no_more(announce, operator):
    operator.client("s3").create_bucket(Bucket="announced-elsewhere")

    answer = announce.handler(request("x", "announced-elsewhere"), lambda_context("announce"))

    (result,) = answer["results"]
    assert result["resultCode"] == "PermanentFailure"
    assert "403" in result["resultString"]


def test_what_will_pass_is_tried_again(announce, operator, bucket, monkeypatch):
    operator.client("s3").put_object(Bucket=bucket, Key="throttled", Body=b"1")
    busy = {"Error": {"Code": "Throttling.RequestThrottled", "Message": "slow down"}}
    busy["ResponseMetadata"] = {"HTTPStatusCode": 400}

    def refuse(**_):
        raise announce.ClientError(busy, "SendMessage")

    events = announce.client("sqs", "us-west-1").meta.events
    events.register("before-call.sqs.SendMessage", refuse)
    try:
        answer = announce.handler(request("throttled", bucket), lambda_context("announce"))
    finally:
        events.unregister("before-call.sqs.SendMessage", refuse)
    assert answer["results"][0]["resultCode"] == "TemporaryFailure"


def test_it_may_invoke_the_pipeline_s_function_only(announce):
    client = announce.client("lambda", REGION)
    with pytest.raises(client.exceptions.ResourceNotFoundException):  # allowed, but there is none here
        client.invoke(FunctionName="pipeline", InvocationType="Event")
    with pytest.raises(announce.ClientError, match="AccessDenied"):
        client.invoke(FunctionName="another", InvocationType="Event")
