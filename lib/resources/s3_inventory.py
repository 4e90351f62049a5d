"""S3 Inventory: reports of all that is in a bucket, which S3 writes into another one every day or week."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from botocore.exceptions import ClientError

from lib.resources.base import Deletion, Found, Link, Resource, Scope, Settings
from lib.resources.s3 import Bucket, carriers, note_of

GONE = ("NoSuchConfiguration", "NoSuchBucket")


@dataclass(repr=False, kw_only=True)
class InventoryConfiguration(Resource):
    """One of a bucket's inventory configurations: reports in Parquet, of all versions.

    Of all, since only then a report tells which version is the current one, and which a delete marker:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html#storage-inventory-contents

    Attributes:
        source: The bucket that is reported on; it may be another pipeline's.
        destination: Where the reports go; in the same region, and its policy lets S3 write them.
        frequency: `Daily`, or `Weekly`, which is on Sundays.
        optional_fields: What the reports tell of an object besides key and version, such as `Size`.
    """

    source: Bucket
    destination: Bucket
    frequency: str = "Daily"
    optional_fields: tuple[str, ...] = ()

    service: ClassVar[str] = "s3"
    noun: ClassVar[str] = "S3 inventory configuration"
    taggable: ClassVar[bool] = False
    may_be_elsewhere: ClassVar[bool] = True
    deletion: ClassVar[Deletion] = Deletion.READER
    acts: ClassVar[bool] = True

    @property
    def arn(self) -> str:
        """The bucket's ARN and the configuration's id; configurations have no ARN of their own."""
        return _arn(self.source.arn, self.name)

    @property
    def account_id(self) -> str:
        return self.source.account_id

    @property
    def note(self) -> str:
        return note_of(self.source)

    def desired(self) -> Settings:
        # With the account, S3 makes sure that the destination is still its. A report is encrypted as is said
        # here, whatever the bucket's default:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_InventoryS3BucketDestination.html
        key_arn = self.destination.kms_key_arn
        place = {
            "AccountId": self.scope.account_id,
            "Bucket": self.destination.arn,
            "Format": "Parquet",
            "Encryption": {"SSEKMS": {"KeyId": key_arn}} if key_arn else {"SSES3": {}},
        }
        return {
            "Destination": {"S3BucketDestination": place},
            "IsEnabled": True,
            "Filter": None,
            "IncludedObjectVersions": "All",
            "OptionalFields": sorted(self.optional_fields),
            "Schedule": {"Frequency": self.frequency},
        }

    def read(self, client) -> Settings | None:
        try:
            answer = client.get_bucket_inventory_configuration(Bucket=self.source.name, Id=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise
        found = {"OptionalFields": [], **answer["InventoryConfiguration"]}
        return {name: found.get(name) for name in self.desired()}

    def create(self, client) -> None:
        client.put_bucket_inventory_configuration(**self._request())

    def update(self, client, settings: Settings) -> None:
        self.create(client)  # S3 replaces the whole configuration

    def links(self, settings: Settings) -> Iterable[Link]:
        place = settings["Destination"]["S3BucketDestination"]
        yield Link(self.source.arn, place["Bucket"], f"{settings['Schedule']['Frequency'].lower()} inventory")

    def _request(self) -> dict:
        settings = {name: value for name, value in self.desired().items() if value not in (None, [])}
        configuration = {"Id": self.name, **settings}
        return {"Bucket": self.source.name, "Id": self.name, "InventoryConfiguration": configuration}

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        """List ours on the buckets of all pipelines: the audit's are on those that it audits."""
        for bucket in carriers(client, replace(scope, pipeline="")):
            for name in _ids(client, bucket.name):
                if name.startswith(scope.beginning):
                    yield Found(f"{bucket.name}#{name}", name, _arn(bucket.arn, name), bucket.tags)

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete one configuration and leave the bucket's others, and all reports, as they are."""
        bucket, configuration_id = identifier.split("#")
        try:
            client.delete_bucket_inventory_configuration(Bucket=bucket, Id=configuration_id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise


def _arn(bucket_arn: str, name: str) -> str:
    return f"{bucket_arn}#inventory/{name}"


def _ids(client, bucket: str) -> Iterator[str]:
    """Yield the ids of a bucket's inventory configurations, which S3 lists a hundred at a time."""
    token: dict[str, str] = {}
    with suppress(client.exceptions.NoSuchBucket):
        while True:
            page = client.list_bucket_inventory_configurations(Bucket=bucket, **token)
            yield from (one["Id"] for one in page.get("InventoryConfigurationList", []))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}
