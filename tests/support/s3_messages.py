"""Events as AWS sends them, for tests."""

import json
from urllib.parse import quote_plus

TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-01T00:00:00.000Z",
    "Bucket": "source",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}


def s3_record(bucket, key, region="us-west-1", event_name="ObjectCreated:Put", version=None):
    known = {"versionId": version} if version else {}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": event_name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            # S3 leaves the slash as it is
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": 1,
                "sequencer": "0055AED6DCD90281E5",
                **known,
            },
        },
    }


def s3_event(*records):
    return {"Records": list(records)}


def raw(content):
    return json.dumps(content)


def in_sns_envelope(content):
    topic = "arn:aws:sns:us-west-1:000000000000:uploads"
    return json.dumps({"Type": "Notification", "TopicArn": topic, "Message": json.dumps(content)})


def sqs_event(*bodies):
    return {
        "Records": [
            {"messageId": str(number), "eventSource": "aws:sqs", "body": body, "receiptHandle": "handle"}
            for number, body in enumerate(bodies)
        ]
    }


def sns_event(*contents):
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": raw(content)}} for content in contents]}


def event_of(*keys: str, **changed) -> dict:
    """An event with no more in it than what is told of objects by their keys."""
    common = {"awsRegion": "us-west-1", "eventTime": "2026-01-02T00:00:00Z", "eventName": "ObjectCreated:Put"}
    records = [
        common | {"s3": {"bucket": {"name": "b"}, "object": {"key": quote_plus(key)}}} | changed
        for key in keys
    ]
    return {"Records": records}
