"""A bucket that somebody made without the runbook, with all that a bucket can have, and how it is."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from lib.local import deployer, ministack
from lib.parameters import Parameters
from lib.parameters.sections import Adopting

# Every configuration of a bucket that can be read, and with what. (The local AWS answers
# GetBucketRequestPayment with a listing of objects.)
READ = {
    "get_bucket_accelerate_configuration": {},
    "get_bucket_acl": {},
    "get_bucket_cors": {},
    "get_bucket_encryption": {},
    "get_bucket_lifecycle_configuration": {},
    "get_bucket_location": {},
    "get_bucket_logging": {},
    "get_bucket_notification_configuration": {},
    "get_bucket_ownership_controls": {},
    "get_bucket_policy": {},
    "get_bucket_replication": {},
    "get_bucket_tagging": {},
    "get_bucket_versioning": {},
    "get_bucket_website": {},
    "get_object_lock_configuration": {},
    "get_public_access_block": {},
    "list_bucket_inventory_configurations": {},
}


@dataclass
class Somebodys:
    """A bucket of somebody else's.

    Attributes:
        make: Makes that one's clients: `make("s3", "us-west-1")`.
        name: The bucket's.
        region: Where it is.
    """

    make: Callable
    name: str
    region: str

    @property
    def s3(self):
        return self.make("s3", self.region)

    def create(self) -> "Somebodys":
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self.s3.create_bucket(Bucket=self.name, **({} if self.region == "us-east-1" else where))
        return self

    def furnish(self, key: str = "", event: str = "s3:ObjectCreated:Put") -> "Somebodys":
        """Set all that can be set, and let others be told of what has keys below `others/`.

        Args:
            key: ARN of the KMS key to encrypt with; empty for S3's own.
            event: Of what they are told.
        """
        s3, name = self.s3, {"Bucket": self.name}
        s3.put_bucket_versioning(**name, VersioningConfiguration={"Status": "Enabled"})
        like = re.sub("[^a-z0-9]+", "-", self.name.lower())[:40].strip("-")
        logs = Somebodys(self.make, f"{like}-logs", self.region).create()
        logs.s3.put_bucket_versioning(Bucket=logs.name, VersioningConfiguration={"Status": "Enabled"})
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
        s3.put_bucket_encryption(**name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        tags = [{"Key": "team", "Value": "photos"}, {"Key": "cost:centre", "Value": "42"}]
        s3.put_bucket_tagging(**name, Tagging={"TagSet": tags})
        cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"], "MaxAgeSeconds": 3}]
        s3.put_bucket_cors(**name, CORSConfiguration={"CORSRules": cors})
        target = {"TargetBucket": logs.name, "TargetPrefix": "logs/"}
        s3.put_bucket_logging(**name, BucketLoggingStatus={"LoggingEnabled": target})
        old = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "attic/"}}
        old["Transitions"] = [{"Days": 30, "StorageClass": "GLACIER"}]
        s3.put_bucket_lifecycle_configuration(**name, LifecycleConfiguration={"Rules": [old]})
        copy = {"ID": "own", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": "own/"}}
        copy |= {"Destination": {"Bucket": f"arn:aws:s3:::{logs.name}"}}
        copy |= {"DeleteMarkerReplication": {"Status": "Disabled"}}
        role = "arn:aws:iam::000000000000:role/replication"
        s3.put_bucket_replication(**name, ReplicationConfiguration={"Role": role, "Rules": [copy]})
        s3.put_bucket_policy(**name, Policy=self.policy("TheirOwn"))
        self.notify({"Id": "theirs", "Events": [event]}, "others/")
        return self

    def policy(self, sid: str) -> str:
        """A policy with one statement."""
        deny = {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectAcl"}
        deny["Resource"] = f"arn:aws:s3:::{self.name}/*"
        return json.dumps({"Version": "2012-10-17", "Statement": [deny]}, indent=3)

    def notify(self, entry: dict, prefix: str) -> None:
        """Add an entry to the bucket's notifications, and switch EventBridge on."""
        sqs = self.make("sqs", self.region)
        queue = f"theirs-{self.region}"
        url = sqs.create_queue(QueueName=queue)["QueueUrl"]
        arn = f"arn:aws:sqs:{self.region}:000000000000:{queue}"
        allow = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        entry |= {"QueueArn": arn, "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}}
        found = self.s3.get_bucket_notification_configuration(Bucket=self.name)
        entries = [*found.get("QueueConfigurations", []), entry]
        others = {
            kind: value
            for kind, value in found.items()
            if kind.endswith("Configurations") and "Queue" not in kind
        }
        configuration = {**others, "QueueConfigurations": entries, "EventBridgeConfiguration": {}}
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration=configuration
        )

    def configuration(self) -> dict[str, bytes]:
        """Every configuration, as S3 writes it, byte for byte; an error if none is set."""
        client, bodies = self.s3, {}

        def keep(response_dict: dict, **_: object) -> None:
            bodies["last"] = response_dict["body"]

        client.meta.events.register_first("before-parse.s3.*", keep, unique_id="keep")
        try:
            return {call: self._body(client, call, more, bodies) for call, more in READ.items()}
        finally:
            client.meta.events.unregister("before-parse.s3.*", unique_id="keep")

    def _body(self, client, call: str, more: dict, bodies: dict) -> bytes:
        try:
            getattr(client, call)(Bucket=self.name, **more)
        except ClientError as error:
            return error.response["Error"]["Code"].encode()
        return bodies["last"]

    def objects(self) -> list[tuple]:
        """Every version and marker: key, id, ETag or None, and whether it is the current one."""
        found = []
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.name):
            for each in page.get("Versions", []) + page.get("DeleteMarkers", []):
                found.append((each["Key"], each["VersionId"], each.get("ETag"), each["IsLatest"]))
        return sorted(found)


def clients_of_root(
    local_aws: ministack.LocalAws, account: str = deployer.ROOT_KEY
) -> Callable[..., BaseClient]:
    """Return what makes clients with all rights: `make("s3", "us-west-1")`; of another account by its id."""
    session = deployer.new_session(account, account)

    @cache
    def make(service: str, region: str = "us-east-1") -> BaseClient:
        target = {"endpoint_url": local_aws.endpoint_url, "verify": local_aws.ca_bundle}
        return session.client(service, region_name=region, config=Config(proxies={}), **target)

    return make


def ends_of(pipeline: str) -> list[tuple]:
    """What may be adopted by a pipeline with the default parameters; nothing by what is none."""
    section = getattr(Parameters.check({}), pipeline, None)
    return [*section._ends()] if isinstance(section, Adopting) else []


def every_end_of(pipeline: str, make: Callable[..., BaseClient]) -> dict[str, Somebodys]:
    """Make a bucket of somebody's for each that a pipeline may adopt, with all that a bucket can have.

    Args:
        pipeline: Such as `migrate`.
        make: Makes that one's clients.

    Returns:
        The parameter that is to name it, to the bucket.
    """
    made = {
        parameter: Somebodys(make, f"{what}.{secrets.token_hex(4)}", region).create()
        for parameter, what, region, *_ in ends_of(pipeline)
    }
    for bucket in made.values():
        bucket.furnish(event="s3:ObjectRestore:Completed")  # of which no pipeline wants to be told
        for _ in range(2):
            bucket.s3.put_object(Bucket=bucket.name, Key="theirs/ü+%.csv", Body=b"a,b\n1,2\n")
        bucket.s3.delete_object(Bucket=bucket.name, Key="theirs/gone")
    return made
