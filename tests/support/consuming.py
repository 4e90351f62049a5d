"""The handler *consume* with what it works on: buckets, a table of any shape, and its own queue."""

import csv
import io
import json
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import pytest
from boto3.dynamodb.types import TypeSerializer

from lib.parameters import Parameters
from lib.parameters.sections import Ingest
from lib.resources.dynamodb import ItemReader
from support.buckets import Bucket
from support.handler_support import TARGET_REGION
from support.handler_user import lambda_context
from support.s3_messages import raw, s3_event, s3_record, sqs_event

CONTEXT = lambda_context("consume")
LOG_GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:unused"


def described(**ingest) -> Ingest:
    """Return the parameters of a table; of stocks if nothing else is said."""
    return _checked(json.dumps({"time_to_live_days": 0, **ingest}))


@cache
def _checked(ingest: str) -> Ingest:
    """Return what was checked before: examples that are drawn have few tables."""
    return Parameters.check({"ingest": json.loads(ingest)}).ingest


@dataclass(frozen=True)
class Consume:
    """The handler, its buckets, its table and its queue."""

    module: object
    files: Bucket
    rejected: Bucket
    table: object
    queue_url: str
    sqs: object
    dynamodb: object
    settings: Ingest

    @classmethod
    def make(cls, operator, as_handler, **ingest) -> "Consume":
        """Make all of it, for a table that these parameters describe."""
        settings = described(**ingest)
        files, rejected = (Bucket.make(operator, TARGET_REGION, versioned=True) for _ in range(2))
        table, sqs = make_table(operator, settings), operator.client("sqs", region_name=TARGET_REGION)
        queue_url = sqs.create_queue(QueueName=table.name)["QueueUrl"]
        environment = {
            "ITEMS_TABLE": table.name,
            "TABLE_DESCRIPTION": settings.table_description,
            "PIECES_QUEUE": table.name,
            "REJECTED_BUCKET": rejected.bucket,
            "REJECTED_PREFIX": "rejected/",
            "TIME_TO_LIVE_DAYS": str(settings.time_to_live_days),
        }
        policy_values = {
            "bucket_arn": f"arn:aws:s3:::{files.bucket}",
            "key_prefix": settings.key_prefix,
            "rejected_bucket_arn": f"arn:aws:s3:::{rejected.bucket}",
            "rejected_prefix": "rejected/",
            "table_arn": table.table_arn,
            "queue_arn": "",
            "pieces_queue_arn": f"arn:aws:sqs:{TARGET_REGION}:000000000000:{table.name}",
            "log_group_arn": LOG_GROUP,
        }
        module = as_handler("consume", TARGET_REGION, environment, policy_values)
        dynamodb = operator.client("dynamodb", region_name=TARGET_REGION)
        return cls(module, files, rejected, table, queue_url, sqs, dynamodb, settings)

    def put(self, key, body):
        """Upload a file below the prefix; return what S3 says of it."""
        body = body.encode() if isinstance(body, str) else body
        self.files.put(f"{self.settings.key_prefix}{key}", body)
        return self.record(key)

    def record(self, key, **more):
        """Return what S3 says of a file."""
        return s3_record(self.files.bucket, f"{self.settings.key_prefix}{key}", region=TARGET_REGION, **more)

    def deliver(self, *records, wrap=raw, context=CONTEXT):
        """Invoke the handler as SQS does, with a message a record; return the numbers of the failed ones."""
        return self.deliver_bodies(*(wrap(s3_event(record)) for record in records), context=context)

    def deliver_bodies(self, *bodies, context=CONTEXT):
        """As `deliver`, with the messages' texts."""
        answer = self.module.handler(sqs_event(*bodies), context)
        return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    def handed_on(self):
        """Take what the handler has sent to its own queue."""
        bodies = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                bodies.append(message["Body"])
        return bodies

    def items(self, hash_key):
        """Return the items of a hash key, by their range keys."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table.name,
            KeyConditionExpression="PK = :key",
            ExpressionAttributeValues={":key": TypeSerializer().serialize(hash_key)},
            ConsistentRead=True,
        )
        return [ItemReader().item(item) for page in pages for item in page["Items"]]

    def all_items(self):
        """Return all items."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table.name, ConsistentRead=True)
        return [ItemReader().item(item) for page in pages for item in page["Items"]]

    def rejections(self, key):
        """Return (line, reason, row) of a file's bad rows, or None if there is no object for them."""
        return self.rejected_rows(f"rejected/{self.settings.key_prefix}{key}")

    def rejected_rows(self, name):
        """Return (line, reason, row) of an object, or None if there is none."""
        if name not in all_keys(self.rejected):
            return None
        limit = csv.field_size_limit(2**21)
        header, *rows = csv.reader(io.StringIO(self.rejected.read(name)["body"].decode(), newline=""))
        csv.field_size_limit(limit)
        assert header == ["line", "reason", "row"]
        return [(int(line), reason, row) for line, reason, row in rows]

    def rejections_of_pieces(self, key):
        """Return (line, reason, row) of the bad rows of a file in pieces, piece by piece."""
        folder = f"rejected/pieces/{self.settings.key_prefix}{key}/"
        found = (name for name in all_keys(self.rejected) if name.startswith(folder))
        names = sorted(name for name in found if "/" not in name.removeprefix(folder))
        return [row for name in names for row in self.rejected_rows(name)]

    @property
    def clients(self):
        """The handler's own."""
        return [self.module.client("s3", TARGET_REGION), self.module.table(self.table.name).meta.client]


def all_keys(bucket):
    """Return the keys in a bucket."""
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=bucket.bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", [])}


def make_table(operator, settings):
    """Make a table with the keys that parameters describe."""
    resource = operator.resource("dynamodb", region_name=TARGET_REGION)
    keys = {"PK": "HASH", **({"SK": "RANGE"} if settings.range_key else {})}
    kinds = {name: "N" if name in settings.number_keys else "S" for name in keys}
    return resource.create_table(
        TableName=f"test-{uuid.uuid4().hex[:16]}",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kinds[name]} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )


@contextmanager
def small_pieces(rows=10, size=512):
    """Have the handler that was loaded last cut files into small pieces."""
    pieces, table_file = sys.modules["pieces"], sys.modules["table_file"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_ROWS", rows)
        patch.setattr(pieces, "PIECE_BYTES", size)
        patch.setattr(table_file, "PIECE_BYTES", size)
        patch.setattr(table_file, "COMPRESSED_BYTES", 64)
        yield


def named_part(body):
    """Return the name of the event in a message."""
    return json.loads(body)["Records"][0]["eventName"]
