"""Who reads and writes a source, and who was denied, as log files tell it: S3's own, and those of a trail."""

import gzip
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from support.somebodys import Somebodys

from lib.engine.stack import Stack
from lib.operate.cutover.requesters import requesters
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import Target, connect

HERE = "us-east-1"
SINCE = datetime.now(UTC) - timedelta(hours=1)
ROLE = "arn:aws:sts::000000000000:assumed-role/shop/i-1"
# As AWS documents it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
LINE = (
    '79a5 {bucket} [{time}] 192.0.2.3 {who} 3E57 {operation} {key} "{verb} /{key} HTTP/1.1" {status} {error}'
    ' 113 - 7 - "-" "S3Console/0.4" - s9lz SigV4 ECDHE AuthHeader b.s3.us-west-1.amazonaws.com TLSv1.2 - -\n'
)


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return Parameters.check({"env": "trequest", "observe": {"region": HERE}})


@pytest.fixture(scope="module")
def aws(local_aws, parameters) -> Target:
    return connect(parameters)


@pytest.fixture
def source(aws, parameters):
    """A source bucket of ours, without a pipeline."""
    stack = Stack(aws, parameters, f"s{secrets.token_hex(3)}")
    bucket = stack.add(Bucket("source", HERE, role="source"))
    stack.apply()
    yield bucket
    Bucket.delete(stack.client(bucket), bucket.name)


def pipeline(source: Bucket) -> Pipeline:
    return Pipeline("migrate", source, None, None, None, (), ())


def line(bucket: str, who: str, operation: str, status: int, minutes: int = 5) -> str:
    time = datetime.now(UTC) - timedelta(minutes=minutes)
    error = "AccessDenied" if status == 403 else "-"
    verb = operation.split(".")[1]
    said = {"bucket": bucket, "who": who, "operation": operation, "status": status, "error": error}
    return LINE.format(time=f"{time:%d/%b/%Y:%H:%M:%S} +0000", key="a+b%2525", verb=verb, **said)


def test_where_nothing_is_recorded_it_says_so(aws, parameters, source):
    found = requesters(aws, parameters, pipeline(source), SINCE)
    assert found.frame().empty
    assert "nothing tells who reads and writes the source" in repr(found)


def test_server_access_logs_tell(aws, parameters, source, somebody):
    logs = Somebodys(somebody, f"runbook-trequest-logs-{secrets.token_hex(4)}", HERE).create()
    target = {"LoggingEnabled": {"TargetBucket": logs.name, "TargetPrefix": "s3/"}}
    somebody("s3").put_bucket_logging(Bucket=source.name, BucketLoggingStatus=target)
    lines = [
        line(source.name, ROLE, "REST.PUT.OBJECT", 200),
        line(source.name, ROLE.replace("i-1", "i-2"), "REST.GET.OBJECT", 200),
        line(source.name, "arn:aws:iam::000000000000:user/writer", "REST.PUT.OBJECT", 403),
        line(source.name, "arn:aws:iam::000000000000:user/writer", "REST.DELETE.OBJECT", 403, minutes=2),
        line("another", "arn:aws:iam::000000000000:user/other", "REST.PUT.OBJECT", 200),
        line(source.name, "arn:aws:iam::000000000000:user/early", "REST.PUT.OBJECT", 200, minutes=90),
        line(source.name, "-", "S3.EXPIRE.OBJECT", 200),
        "what is no line of a log\n",
    ]
    logs.s3.put_object(Bucket=logs.name, Key="s3/2026-1", Body="".join(lines).encode())
    logs.s3.put_object(Bucket=logs.name, Key="other/2026-1", Body=lines[0].encode())
    found = requesters(aws, parameters, pipeline(source), SINCE)
    rows = {who: counts for who, *counts, _ in found.frame().itertuples(index=False)}
    assert rows == {
        "arn:aws:iam::000000000000:role/shop": [1, 1, 0],
        "arn:aws:iam::000000000000:user/writer": [0, 0, 2],
    }
    assert f"told by server access logs in s3://{logs.name}/s3/: 1 file" in repr(found)


def test_logs_that_cannot_be_read_are_named(aws, parameters, source, somebody):
    logs = Somebodys(somebody, f"theirs-{secrets.token_hex(4)}", HERE).create()
    target = {"LoggingEnabled": {"TargetBucket": logs.name, "TargetPrefix": ""}}
    somebody("s3").put_bucket_logging(Bucket=source.name, BucketLoggingStatus=target)
    found = requesters(aws, parameters, pipeline(source), SINCE)
    assert "server access logs cannot be read: AccessDenied" in repr(found)
    assert "nothing tells who reads and writes the source" in repr(found)


def test_a_trail_s_log_files_tell(aws, parameters, source, somebody):
    stack = Stack(aws, parameters, "observe")
    files = stack.add(Bucket("log-files", HERE))
    stack.apply()
    now = datetime.now(UTC)
    common = {"eventTime": f"{now:%Y-%m-%dT%H:%M:%SZ}", "userIdentity": {"arn": ROLE}}
    asked = {"bucketName": source.name, "key": "a"}
    records = [
        {**common, "eventName": "PutObject", "readOnly": False, "requestParameters": asked},
        {**common, "eventName": "GetObject", "readOnly": True, "requestParameters": asked},
        {**common, "eventName": "DeleteObjects", "errorCode": "AccessDenied", "requestParameters": asked},
        {**common, "eventName": "PutObject", "requestParameters": {**asked, "bucketName": "another"}},
        {**common, "eventName": "Other", "requestParameters": None},
    ]
    folder = f"AWSLogs/{parameters.account_id}/CloudTrail/{HERE}/{now:%Y/%m/%d}/"
    s3 = stack.client(files)
    body = gzip.compress(json.dumps({"Records": records}).encode())
    s3.put_object(Bucket=files.name, Key=f"{folder}1.json.gz", Body=body)
    s3.put_object(Bucket=files.name, Key=f"{folder}2.json.gz", Body=b"no gzip")
    try:
        found = requesters(aws, parameters, pipeline(source), SINCE)
        ((who, *counts, _),) = found.frame().itertuples(index=False)
        assert (who, counts) == ("arn:aws:iam::000000000000:role/shop", [1, 1, 1])
        assert f"'{folder}2.json.gz' cannot be read" in repr(found)
    finally:
        Bucket.delete(s3, files.name)
        stack.ledger.forget("observe")
