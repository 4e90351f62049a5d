"""A bucket, the index of it, and events as S3 sends them about it."""

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field

from boto3.dynamodb.conditions import Key

from support.buckets import Bucket
from support.handler_user import lambda_context
from support.s3_messages import s3_event, s3_record

REGION, BUCKET_REGION = "us-east-1", "us-west-1"
TIME = "2026-01-02T15:04:05.123Z"
KEYS = [{"AttributeName": "file_key", "KeyType": "HASH"}, {"AttributeName": "timestamp", "KeyType": "RANGE"}]
sequencers = (f"{number:018X}" for number in itertools.count(1))


@dataclass
class Index:
    """Module handlers/index/handler.py, the table it writes, and the bucket that it is the index of."""

    bucket: Bucket
    table: object
    module: object = field(default=None)

    @classmethod
    def make(cls, operator, as_handler, versioned):
        bucket = Bucket.make(operator, BUCKET_REGION, versioned)
        table = operator.resource("dynamodb", region_name=REGION).create_table(
            TableName=bucket.bucket,
            KeySchema=KEYS,
            AttributeDefinitions=[
                {"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in KEYS
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        table.wait_until_exists()
        environment = {"INDEX_TABLE": table.name, "TIME_TO_LIVE_DAYS": "0"}
        arns = {
            "bucket_arn": f"arn:aws:s3:::{bucket.bucket}",
            "table_arn": table.table_arn,
            "failures_queue_arn": "",
            "log_group_arn": "arn:aws:logs:us-east-1:000000000000:log-group:unused",
        }
        return cls(bucket, table, as_handler("index", REGION, environment, arns))

    def put(self, key, body=b"body", time=TIME, **arguments):
        """Put an object; return S3's record of that."""
        answer = self.bucket.put(key, body, **arguments)
        return self.record(
            key, time=time, size=len(body), etag=answer["ETag"].strip('"'), version=answer.get("VersionId")
        )

    def record(self, key, name="ObjectCreated:Put", time=TIME, sequencer=None, **details):
        """Return a record about this key; details are size, etag and version."""
        record = s3_record(self.bucket.bucket, key, BUCKET_REGION, name) | {"eventTime": time}
        names = {"size": "size", "etag": "eTag", "version": "versionId"}
        found = {names[detail]: value for detail, value in details.items() if value is not None}
        key = record["s3"]["object"]["key"]
        record["s3"]["object"] = {"key": key, "sequencer": sequencer or next(sequencers)} | found
        return record

    def deliver(self, *records):
        """Invoke the handler as S3 does."""
        return self.module.handler(s3_event(*records), lambda_context("index"))

    def rows(self, key):
        """Return the rows of a key in the order of time."""
        return self.table.query(KeyConditionExpression=Key("file_key").eq(key), ConsistentRead=True)["Items"]

    def row(self, key):
        """Return the only row of a key."""
        (row,) = self.rows(key)
        return row

    def index(self, key, body, **arguments):
        """Put an object, deliver its event, return its row."""
        self.deliver(self.put(key, body, **arguments))
        return self.row(key)

    @contextmanager
    def calls(self):
        """Yield what the handler calls S3 for meanwhile: (operation, range asked for, bytes answered)."""
        asked, seen = [], []

        def ask(model, params, **_):
            asked.append(params["headers"].get("Range"))

        def answer(model, parsed, **_):
            seen.append((model.name, asked.pop(), parsed.get("ContentLength")))

        events = self.module.client("s3", BUCKET_REGION).meta.events
        events.register("before-call.s3", ask)
        events.register("after-call.s3", answer)
        yield seen
        events.unregister("before-call.s3", ask)
        events.unregister("after-call.s3", answer)
