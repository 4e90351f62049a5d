"""Buckets to replicate between, and what a person sees in them."""

import json
import uuid
from dataclasses import dataclass
from urllib.parse import urlencode

from lib.base.s3_client import faithful
from lib.resources.policies import from_template

CONTENT_HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType")
OTHERS = ("ExpiresString", "StorageClass", "WebsiteRedirectLocation")


@dataclass(frozen=True)
class Bucket:
    client: object
    bucket: str

    @classmethod
    def make(cls, session, region, versioned):
        client = faithful(session.client("s3", region_name=region))
        bucket = f"test-{uuid.uuid4().hex[:16]}"
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client.create_bucket(Bucket=bucket, **where)
        if versioned:
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return cls(client, bucket)

    def put(self, key, body=b"body", **arguments):
        return self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **arguments)

    def put_parts(self, key, bodies, tags=(), **arguments):
        """Upload in these very parts."""
        name = {"Bucket": self.bucket, "Key": key}
        tagging = urlencode({tag["Key"]: tag["Value"] for tag in tags})
        upload = self.client.create_multipart_upload(**name, Tagging=tagging, **arguments)["UploadId"]
        parts = []
        for number, body in enumerate(bodies, start=1):
            answer = self.client.upload_part(**name, UploadId=upload, PartNumber=number, Body=body)
            digests = {k: v for k, v in answer.items() if k == "ETag" or k.startswith("Checksum")}
            parts.append({"PartNumber": number, **digests})
        self.client.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": parts})

    def delete(self, key):
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def exists(self, key):
        return any(found == key for found, _ in self.versions(key))

    def versions(self, key):
        """Return (key, version) of every version of exactly this key."""
        answer = self.client.list_object_versions(Bucket=self.bucket, Prefix=key)
        return [(each["Key"], each["VersionId"]) for each in answer.get("Versions", []) if each["Key"] == key]

    def uploads(self):
        return self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def read(self, key):
        """Return everything that a copy must keep."""
        name = {"Bucket": self.bucket, "Key": key}
        answer = self.client.get_object(**name, ChecksumMode="ENABLED")
        tags = self.client.get_object_tagging(**name)["TagSet"]
        return {
            "body": answer["Body"].read(),
            "metadata": answer["Metadata"],
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
            "checksums": {k: v for k, v in answer.items() if k.startswith("Checksum")},
            **{name: answer.get(name) for name in (*CONTENT_HEADERS, *OTHERS)},
        }

    def etag(self, key):
        return self.client.head_object(Bucket=self.bucket, Key=key)["ETag"]


@dataclass(frozen=True)
class Pair:
    source: Bucket
    target: Bucket

    @classmethod
    def make(cls, session, versioned):
        """Make two buckets in two regions, and let user `replicate` do what policy.json says with them.

        The source is versioned or not; the target is what the pipelines deploy, versioned.
        """
        pair = cls(
            Bucket.make(session, "us-west-1", versioned),
            Bucket.make(session, "us-east-1", versioned=True),
        )
        policy = from_template(
            "handlers/replicate/policy.json",
            source_bucket_arn=f"arn:aws:s3:::{pair.source.bucket}",
            target_bucket_arn=f"arn:aws:s3:::{pair.target.bucket}",
            queue_arn="arn:aws:sqs:us-east-1:000000000000:unused",
            failures_queue_arn="",
            delete_function_arn="",
            log_group_arn="arn:aws:logs:us-east-1:000000000000:log-group:unused",
        )
        session.client("iam").put_user_policy(
            UserName="replicate", PolicyName=pair.source.bucket, PolicyDocument=json.dumps(policy)
        )
        return pair

    def differences(self, key):
        """Return what the target has other than the source has, as {name: (in source, in target)}."""
        source, target = self.source.read(key), self.target.read(key)
        return {name: (source[name], target[name]) for name in source if source[name] != target[name]}
