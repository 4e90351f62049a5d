"""The stand-in for DynamoDB's export writes what AWS documents, and fails as AWS does.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import base64
import gzip
import hashlib
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.resources import dynamodb, s3

HERE = "us-east-1"


class Exports:
    """A table and a bucket to export it to."""

    def __init__(self, stack):
        self.table = stack.add(dynamodb.Table("objects", HERE, partition_key="id"))
        self.bucket = stack.add(s3.Bucket("lake", HERE))
        stack.apply()
        self.s3, self.dynamodb = stack.target.client("s3", HERE), stack.target.client("dynamodb", HERE)

    def put(self, **item):
        self.dynamodb.put_item(TableName=self.table.name, Item=item)

    def start(self, **request):
        request = {"TableArn": self.table.arn, "S3Bucket": self.bucket.name} | request
        return self.dynamodb.export_table_to_point_in_time(**request)["ExportDescription"]

    def look(self, arn):
        return self.dynamodb.describe_export(ExportArn=arn)["ExportDescription"]

    def done(self, **request):
        retrying = Retrying(
            retry=retry_if_result(lambda found: found["ExportStatus"] == "IN_PROGRESS"),
            stop=stop_after_delay(600),
            wait=wait_fixed(0.1),
        )
        return retrying(self.look, self.start(**request)["ExportArn"])

    def body(self, key):
        return self.s3.get_object(Bucket=self.bucket.name, Key=key)["Body"].read()

    def written(self):
        found = self.s3.list_objects_v2(Bucket=self.bucket.name).get("Contents", [])
        return [item["Key"] for item in found]


@pytest.fixture
def exports(stack):
    return Exports(stack)


ITEM = {
    "id": {"S": "ü"},
    "n": {"N": "1.5"},
    "b": {"B": b"\x00\xff"},
    "bs": {"BS": [b"a"]},
    "m": {"M": {"l": {"L": [{"NULL": True}, {"BOOL": False}]}}},
}


@pytest.mark.parametrize("prefix", ["", "lake/export"])
def test_it_writes_what_aws_writes(exports, prefix):
    before = datetime.now(UTC)
    exports.put(**ITEM)
    asked = {"S3Prefix": prefix} if prefix else {}
    done = exports.done(S3SseAlgorithm="AES256", **asked)
    export_id = done["ExportArn"].rpartition("/")[2]
    folder = f"{prefix}/AWSDynamoDB/{export_id}/".lstrip("/")
    assert done["ExportStatus"] == "COMPLETED"
    assert done["ItemCount"] == 1
    assert before <= done["ExportTime"] <= datetime.now(UTC)
    assert done["ExportManifest"] == f"{folder}manifest-summary.json"
    summary = json.loads(exports.body(done["ExportManifest"]))
    assert summary["itemCount"] == 1
    assert summary["exportArn"] == done["ExportArn"]
    (line,) = exports.body(summary["manifestFilesS3Key"]).splitlines()
    entry = json.loads(line)
    data = exports.body(entry["dataFileS3Key"])
    assert entry["dataFileS3Key"].startswith(f"{folder}data/")
    assert base64.b64decode(entry["md5Checksum"]) == hashlib.md5(data).digest()
    encoded = {"b": {"B": "AP8="}, "bs": {"BS": ["YQ=="]}}
    assert [json.loads(text) for text in gzip.decompress(data).splitlines()] == [{"Item": ITEM | encoded}]
    assert len(exports.written()) == 3


def test_it_shows_the_table_as_it_was_when_called(exports):
    exports.put(id={"S": "before"})
    started = exports.start()
    exports.put(id={"S": "after"})
    assert started["ExportStatus"] == "IN_PROGRESS"
    (data,) = (key for key in exports.written() if "/data/" in key)
    assert gzip.decompress(exports.body(data)) == b'{"Item": {"id": {"S": "before"}}}\n'


def test_an_empty_table(exports):
    assert exports.done()["ItemCount"] == 0


def test_more_than_a_page_of_a_scan(exports):
    # A page of a scan is 1 MB at most.
    for number in range(4):
        exports.put(id={"S": str(number)}, text={"S": "x" * 390_000})
    assert exports.done()["ItemCount"] == 4


def test_refusals(exports):
    with pytest.raises(exports.dynamodb.exceptions.TableNotFoundException):
        exports.start(TableArn=exports.table.arn + "s")
    for request in (
        {"ExportFormat": "ION"},
        {"ExportType": "INCREMENTAL_EXPORT"},
        {"ExportTime": datetime(2024, 1, 1, tzinfo=UTC)},
    ):
        with pytest.raises(ClientError, match=f"NotImplemented.*{next(iter(request))}"):
            exports.start(**request)
    off = {"PointInTimeRecoveryEnabled": False}
    exports.dynamodb.update_continuous_backups(
        TableName=exports.table.name, PointInTimeRecoverySpecification=off
    )
    with pytest.raises(exports.dynamodb.exceptions.PointInTimeRecoveryUnavailableException):
        exports.start()
    assert exports.written() == []


def test_it_writes_with_the_rights_of_the_caller(exports, somebody):
    elsewhere = "not-of-this-runbook"
    somebody("s3").create_bucket(Bucket=elsewhere)
    failed = exports.done(S3Bucket=elsewhere)
    assert (failed["ExportStatus"], failed["FailureCode"]) == ("FAILED", "S3AccessDenied")
    somebody("s3").delete_bucket(Bucket=elsewhere)
