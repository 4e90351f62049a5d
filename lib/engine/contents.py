"""What a store holds that the run which created it did not put there; in doubt, it is somebody's."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

from botocore.exceptions import BotoCoreError, ClientError

from lib.engine.inventory import Existing
from lib.engine.waiting import Waiting
from lib.parameters import Parameters
from lib.resources.base import Deletion, Resource
from lib.resources.dynamodb import ItemReader, Table
from lib.resources.glue import Database, tables_of
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.s3.objects import VERSION_TOLD, Place
from lib.target import Target

STORES = (Deletion.CATALOGUE, Deletion.STORE, Deletion.BUCKET)
COUNTED = {"id", "deletes", "expires"}  # what a brake counts of each minute


@dataclass
class Contents:
    """Looks into the stores that one run created.

    What a run put there is what it has written down: samples, and what it had AWS write. What the pipelines
    made of these is told by what is in it: a copy has the same key and bytes, a derived object and a row name
    the version that they are of. All else is somebody's, and so is what cannot be looked at.

    Attributes:
        target: The AWS to work on.
        parameters: A pipeline's section says where that is which is derived of an object.
        items: What the run created, and exists.
        puts: As `Ledger.puts` returns it.
        passed: Key and version id of all that is the run's, by the bucket's ARN, of those looked into.
    """

    target: Target
    parameters: Parameters
    items: list[Existing]
    puts: dict[str, list[tuple[str, str]]]
    passed: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def foreign(self, item: Existing) -> str:
        """Return what a store holds that the run did not put there; empty if that is nothing.

        Args:
            item: Anything; what is no store holds nothing.
        """
        look = _LOOKS.get(item.type)
        if look is None and item.type.deletion in STORES:
            return f"nobody can tell whether others put something into it: it is a {item.type.noun}"
        try:
            return next(look(self, item), "") if look else ""
        except (ClientError, BotoCoreError, ValueError, KeyError) as error:
            return f"it cannot be looked into: {error!r}"

    def _objects(self, item: Existing) -> Iterator[str]:
        place = Place(self.target.client("s3", item.region, item.account_id), item.found.identifier)
        passed = self.passed.setdefault(item.found.arn, set())
        for page in place.client.get_paginator("list_object_versions").paginate(Bucket=place.bucket):
            for version in page.get("Versions", []):
                which = (version["Key"], version["VersionId"])
                if which not in passed and not self._is_version_ours(item, place, version):
                    yield _holds(f"the object {version['Key']!r}")
                passed.add(which)
            for marker in page.get("DeleteMarkers", []):
                if not any(marker["Key"] == key for _, key, _ in self._puts_of(item)):
                    yield _holds(f"the delete marker of {marker['Key']!r}")
                passed.add((marker["Key"], marker["VersionId"]))
        for page in place.client.get_paginator("list_multipart_uploads").paginate(Bucket=place.bucket):
            for upload in page.get("Uploads", []):
                yield _holds(f"an unfinished upload of {upload['Key']!r}")

    def _puts_of(self, item: Existing) -> list[tuple[Existing, str, str]]:
        """Return what the run put into the buckets of an item's pipeline: bucket, key and version id."""
        return [
            (bucket, key, version)
            for bucket in self._buckets
            if self._pipeline(bucket) == self._pipeline(item)
            for key, version in self.puts.get(bucket.found.arn, [])
        ]

    def _pipeline(self, item: Existing) -> str:
        return self.parameters.scope().pipeline_of(item.found.name)

    @cached_property
    def _buckets(self) -> list[Existing]:
        return [item for item in self.items if item.type is Bucket]

    def _is_version_ours(self, item: Existing, place: Place, version: dict) -> bool:
        key, identifier = version["Key"], version["VersionId"]
        for put_key, put_version in self.puts.get(item.found.arn, []):
            if (key, identifier) == (put_key, put_version) or (not put_version and key.startswith(put_key)):
                return True
        others = [put for put in self._puts_of(item) if put[2]]
        copies = (put for put in others if put[1] == key and put[0] is not item)
        return any(self._is_copy(place, version, *put) for put in copies) or self._is_derived(
            item, place, version, others
        )

    def _is_copy(self, place: Place, version: dict, bucket: Existing, key: str, put: str) -> bool:
        source = Place(self.target.client("s3", bucket.region, bucket.account_id), bucket.found.identifier)
        head = source.client.head_object(Bucket=source.bucket, Key=key, VersionId=put)
        if head["ContentLength"] != version["Size"]:
            return False
        same_etag = head["ETag"] == version["ETag"]
        return same_etag or source.digest(key, put) == place.digest(key, version["VersionId"])

    def _is_derived(
        self, item: Existing, place: Place, version: dict, puts: list[tuple[Existing, str, str]]
    ) -> bool:
        """Return whether a function derived it of an object of the run: it says of which version."""
        pipeline, key = self._pipeline(item), version["Key"]
        of = {(of, put) for _, of, put in puts if key in self.parameters.keys_derived_in(pipeline, of)}
        if not of:
            return False
        which = {"Bucket": place.bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        answer = place.client.get_object(**which)
        with closing(answer["Body"]) as body:
            if told := answer["Metadata"].get(VERSION_TOLD):
                return told in {put for _, put in of}
            if answer["ContentType"] == "text/csv":  # rows that were rejected say of no version
                return False
            text = json.load(body)
        return (text["key"], text["version_id"]) in of

    def _rows(self, item: Existing) -> Iterator[str]:
        client = self.target.client("dynamodb", item.region)
        versions = {(key, version) for _, key, version in self._puts_of(item)}
        reader = ItemReader()
        for page in client.get_paginator("scan").paginate(
            TableName=item.found.identifier, ConsistentRead=True
        ):
            for found in page["Items"]:
                row = reader.item(found)
                if (row.get("file_key"), row.get("version_id")) in versions:
                    continue
                if not self._is_count(item, row):
                    yield _holds("an item")

    def _is_count(self, item: Existing, row: dict) -> bool:
        """Return whether it counts the deletes of a minute, all of which were the run's."""
        is_count = row.keys() == COUNTED and str(row["id"]).startswith("minute#")
        of_pipeline = (bucket for bucket in self._buckets if self._pipeline(bucket) == self._pipeline(item))
        return is_count and not any(self.foreign(bucket) for bucket in of_pipeline)

    def _tables(self, item: Existing) -> Iterator[str]:
        created = {each.found.arn for each in self.items}
        crawlers = {each.found.name for each in self.items}
        arn = item.found.arn.replace(":database/", ":table/")
        for table in tables_of(self.target.client("glue", item.region), item.found.identifier):
            is_crawled = table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") in crawlers
            if not is_crawled and f"{arn}/{table['Name']}" not in created:
                yield _holds(f"the table {table['Name']!r}")

    def messages(self, item: Existing) -> int:
        """Return about how many messages a queue holds; of anything else, 0.

        Args:
            item: Anything.
        """
        if item.type is not Queue:
            return 0
        return Waiting(self.target.client("sqs", item.region), item.found.identifier).depth()

    def locations(self, item: Existing) -> list[str]:
        """Return the ARNs of what a kept store needs: the rows of a database's tables are in buckets.

        Args:
            item: Anything; what is no database needs nothing of this kind.
        """
        if item.type is not Database:
            return []
        tables = tables_of(self.target.client("glue", item.region), item.found.identifier)
        found = [(table["Name"], table.get("StorageDescriptor", {}).get("Location", "")) for table in tables]
        table_arn = item.found.arn.replace(":database/", ":table/")
        buckets = [f"arn:aws:s3:::{where.removeprefix('s3://').partition('/')[0]}" for _, where in found]
        return [*buckets, *(f"{table_arn}/{name}" for name, _ in found)]


def _holds(what: str) -> str:
    return f"it holds {what}, which that run did not put there"


_LOOKS: dict[type[Resource], Callable[[Contents, Existing], Iterator[str]]] = {
    Bucket: Contents._objects,
    Table: Contents._rows,
    Database: Contents._tables,
}
