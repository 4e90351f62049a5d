"""The two functions of *backup* in this process, each bound by its policy.json, with buckets and brake."""

import json
import uuid
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import unquote

from support.buckets import Bucket
from support.handler_user import lambda_context
from support.s3_messages import s3_event, s3_record

PRIMARY_REGION, DR_REGION = "us-east-1", "us-east-2"
ACCOUNT = "000000000000"
CLOUD = f"{PRIMARY_REGION}:{ACCOUNT}"


@dataclass
class Backup:
    """Events are delivered by hand; what one function hands over to the other one waits in `handed_over`."""

    primary: Bucket
    dr: Bucket
    dynamodb: object
    sqs: object
    table: str
    holding_queue: str
    replicate: object
    delete: object
    erases: bool
    handed_over: list = field(default_factory=list)

    @classmethod
    def make(cls, operator, as_handler, erases=False, brake_deletes=1000, brake_minutes=5):
        primary = Bucket.make(operator, PRIMARY_REGION, versioned=True)
        dr = Bucket.make(operator, DR_REGION, versioned=True)
        name = f"brake-{uuid.uuid4().hex[:8]}"
        dynamodb, sqs = (operator.client(service, PRIMARY_REGION) for service in ("dynamodb", "sqs"))
        make_table(dynamodb, name)
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        common = {
            "TARGET_BUCKET": dr.bucket,
            "TARGET_REGION": DR_REGION,
            "ERASE_VERSIONS": str(erases).lower(),
        }
        arns = {
            "source_bucket_arn": f"arn:aws:s3:::{primary.bucket}",
            "target_bucket_arn": f"arn:aws:s3:::{dr.bucket}",
            "failures_queue_arn": f"arn:aws:sqs:{CLOUD}:failures",
            "log_group_arn": f"arn:aws:logs:{CLOUD}:log-group:unused",
        }
        replicate = as_handler(
            "replicate",
            PRIMARY_REGION,
            common | {"DELETE_FUNCTION": "delete"},
            arns | {"queue_arn": "", "delete_function_arn": f"arn:aws:lambda:{CLOUD}:function:delete"},
        )
        # Made now, with the credentials of this function.
        replicate_lambda, _, _ = (
            replicate.client("lambda"),
            replicate.client("s3", PRIMARY_REGION),
            replicate.client("s3", DR_REGION),
        )
        delete = as_handler(
            "delete",
            PRIMARY_REGION,
            common
            | {"REPLICATE_FUNCTION": "replicate", "BRAKE_TABLE": name, "HOLDING_QUEUE": name}
            | {"BRAKE_DELETES": str(brake_deletes), "BRAKE_MINUTES": str(brake_minutes)},
            arns
            | {
                "erasable_objects_arn": f"arn:aws:s3:::{dr.bucket}/*" if erases else "",
                "brake_table_arn": f"arn:aws:dynamodb:{CLOUD}:table/{name}",
                "holding_queue_arn": f"arn:aws:sqs:{CLOUD}:{name}",
                "replicate_function_arn": f"arn:aws:lambda:{CLOUD}:function:replicate",
            },
        )
        for service, region in [("s3", PRIMARY_REGION), ("s3", DR_REGION), ("dynamodb", ""), ("sqs", "")]:
            delete.client(service, *[region] * bool(region))
        backup = cls(primary, dr, dynamodb, sqs, name, url, replicate, delete, erases)
        for client in (replicate_lambda, delete.client("lambda")):
            client.meta.events.register("before-call.lambda.Invoke", backup.note)
        return backup

    @property
    def functions(self):
        return {"replicate": self.replicate, "delete": self.delete}

    def note(self, params, **_):
        """Take the place of Lambda, which would invoke the function some time later."""
        function = unquote(params["url_path"]).split("/")[-2]
        assert params["headers"]["X-Amz-Invocation-Type"] == "Event"
        self.handed_over.append((function, json.loads(params["body"])))
        return SimpleNamespace(status_code=202), {"StatusCode": 202}

    def event(self, key, event_name, version=None):
        record = s3_record(self.primary.bucket, key, PRIMARY_REGION, event_name)
        if version:
            record["s3"]["object"]["versionId"] = version
        return s3_event(record)

    def put(self, key, body=b"body", **arguments):
        """Put an object into the primary bucket and return what S3 sends to *replicate*."""
        version = self.primary.put(key, body, **arguments)["VersionId"]
        return self.event(key, "ObjectCreated:Put", version)

    def remove(self, key, version=None):
        """Delete from the primary bucket, a version or by a marker; return what S3 sends to *delete*."""
        which = {"VersionId": version} if version else {}
        answer = self.primary.client.delete_object(Bucket=self.primary.bucket, Key=key, **which)
        name = "ObjectRemoved:Delete" if version else "ObjectRemoved:DeleteMarkerCreated"
        return self.event(key, name, version or answer["VersionId"])

    def invoke(self, function, event):
        self.functions[function].handler(event, lambda_context(function))

    def deliver(self, function, event):
        """Deliver an event, then all that is handed over, until nothing is; return to whom, in order."""
        self.invoke(function, event)
        to = []
        while self.handed_over:
            function, payload = self.handed_over.pop(0)
            to.append(function)
            assert len(to) < 20
            self.invoke(function, payload)
        return to

    def replicated(self, key, body=b"body", **arguments):
        """Put an object and replicate it."""
        self.deliver("replicate", self.put(key, body, **arguments))

    def held(self):
        """Take the held events off the queue."""
        messages = []
        while received := self.sqs.receive_message(QueueUrl=self.holding_queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            messages += received
            for message in received:
                self.sqs.delete_message(QueueUrl=self.holding_queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def items(self):
        """Return the brake's state, {id: item}."""
        items = self.dynamodb.scan(TableName=self.table, ConsistentRead=True)["Items"]
        return {item["id"]["S"]: item for item in items}

    def forget(self):
        """Release the brake and forget what was counted and held."""
        for identifier in self.items():
            self.dynamodb.delete_item(TableName=self.table, Key={"id": {"S": identifier}})
        self.held()

    def differs(self, key):
        """Return how the current object of the DR bucket is other than the primary's; empty if not."""
        there = {
            name: is_current(bucket, key) for name, bucket in (("primary", self.primary), ("DR", self.dr))
        }
        if not all(there.values()):
            return {} if not any(there.values()) else there
        ours, theirs = self.primary.read(key), self.dr.read(key)
        return {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}


def is_current(bucket, key):
    """Whether a bucket has an object of this key, and no delete marker on it."""
    objects = bucket.client.list_objects_v2(Bucket=bucket.bucket, Prefix=key).get("Contents", [])
    return any(found["Key"] == key for found in objects)


def markers(bucket, key):
    """Return the versions ids of the delete markers of a key."""
    listed = bucket.client.list_object_versions(Bucket=bucket.bucket, Prefix=key).get("DeleteMarkers", [])
    return [marker["VersionId"] for marker in listed if marker["Key"] == key]


def bodies(bucket, key):
    """Return the bytes of all versions of a key."""
    name = {"Bucket": bucket.bucket, "Key": key}
    versions = [version for _, version in bucket.versions(key)]
    return {bucket.client.get_object(**name, VersionId=version)["Body"].read() for version in versions}


def make_table(dynamodb, name):
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
