"""S3 Inventory: for buckets so large that listing them takes too long, their reports are compared by Athena.

S3 writes a report a day, or a week, of a bucket's keys, sizes and ETags, as Parquet. The newest report of
either bucket is copied to where Athena's results are: its files lie among those of older ones, and only the
manifest tells them apart. Then one join finds what is not provably the same, and each such key is looked at,
so that what has changed since the reports is judged as it is now. What came after the reports, and metadata
and tags, which they do not have, are not compared. That S3 writes reports at all is ordered by 70_audit, as
lib/operate/audits/inventory_configurations.py describes it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lib.base.errors import NotDeployedError, RunbookError
from lib.lake.query import Athena
from lib.operate.audits.findings import SAME, Findings
from lib.operate.audits.inventory_configurations import FIELDS, configurations
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.athena import WorkGroup
from lib.resources.base import Scope
from lib.resources.glue import Database
from lib.resources.s3 import Bucket
from lib.resources.s3_inventory import InventoryConfiguration
from lib.s3.selection import KeyFilter
from lib.target import Target

# `{prefix}/{source bucket}/{id}/2026-11-20T01-00Z/manifest.json`:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
DATED = re.compile(r"/(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z)/$")
PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
COLUMNS = {"key": "string", **dict(FIELDS.values())}
OF_VERSIONS = {"is_latest": "boolean", "is_delete_marker": "boolean"}
QUERY_TIMEOUT_S = 1800  # Athena's own limit is 30 minutes
# The metric is written once a day: https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
METRIC_DAYS = 3


def daily_count(target: Target, bucket: Bucket) -> int:
    """Return about how many objects a bucket has, by CloudWatch's daily count, without listing it.

    Args:
        target: The AWS to ask.
        bucket: Which.

    Returns:
        The number, older versions included; 0 if it is too new for CloudWatch to know.
    """
    now = datetime.now(UTC)
    answer = target.client("cloudwatch", bucket.region).get_metric_statistics(
        Namespace="AWS/S3",
        MetricName="NumberOfObjects",
        Dimensions=[
            {"Name": "BucketName", "Value": bucket.name},
            {"Name": "StorageType", "Value": "AllStorageTypes"},
        ],
        StartTime=now - timedelta(days=METRIC_DAYS),
        EndTime=now,
        Period=86_400,
        Statistics=["Average"],
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return int(points[-1]["Average"]) if points else 0


@dataclass(frozen=True)
class Reports:
    """The newest reports of two buckets, as two tables.

    Attributes:
        analyst: Queries them.
        source: SQL that gives the source's objects: key, size, e_tag.
        destination: The same of the destination's.
        keys: SQL condition on the column `key`: which objects the pipeline follows.
        values: The values in it.
    """

    analyst: Athena
    source: str
    destination: str
    keys: str
    values: dict[str, str | int]

    @classmethod
    def of(cls, target: Target, parameters: Parameters, pipeline: Pipeline) -> "Reports":
        """Find the newest reports and make them tables.

        Args:
            target: The AWS to work on.
            parameters: `env` and `prefix` say under which names the reports are.
            pipeline: Whose buckets.

        Raises:
            NotDeployedError: If the audit's own resources do not exist.
            RunbookError: If a bucket has no report, or one that cannot be compared.
        """
        place = _Workplace.of(target, parameters)
        source, destination = map(place.table, configurations(pipeline, place.scope))
        analyst = Athena(target, place.region, workgroup=place.workgroup, database=place.database, quiet=True)
        keys, values = _keys(pipeline.filters)
        return cls(analyst, source, destination, keys, values)

    def count_same(self, findings: Findings) -> None:
        """Count the objects that are provably the same."""
        sql = f"SELECT count(*) {self._joined()} WHERE same"
        ((count,),) = self.analyst.stream(sql, QUERY_TIMEOUT_S, **self.values)
        findings.counts[SAME] += count

    def unlike(self) -> Iterator[str]:
        """Yield the keys that are not provably the same, by one query, whose result is read page by page."""
        sql = f"SELECT key {self._joined()} WHERE NOT same"
        for (key,) in self.analyst.stream(sql, QUERY_TIMEOUT_S, **self.values):
            yield key

    def _joined(self) -> str:
        source, destination = (f"({side} WHERE {self.keys})" for side in (self.source, self.destination))
        same = "coalesce(s.size = d.size AND s.e_tag = d.e_tag, false) AS same"
        joined = f"{source} s FULL OUTER JOIN {destination} d ON s.key = d.key"
        return f"FROM (SELECT coalesce(s.key, d.key) AS key, {same} FROM {joined}) AS both_sides"


def newest(target: Target, parameters: Parameters, pipeline: Pipeline) -> datetime:
    """Return when S3 began the reports that are compared: the older of the newest of both buckets.

    Args:
        target: The AWS to look at.
        parameters: `env` and `prefix` say under which names the reports are.
        pipeline: Whose buckets.

    Raises:
        RunbookError: If a bucket has no report.
    """
    place = _Workplace.of(target, parameters)
    return min(map(place.begun, configurations(pipeline, place.scope)))


def _keys(filters: Iterable[KeyFilter]) -> tuple[str, dict[str, str | int]]:
    """Return the condition that one of the filters takes a key, and its values."""
    conditions: list[str] = []
    values: dict[str, str | int] = {}
    for number, each in enumerate(filters):
        condition = f"starts_with(key, %(prefix{number})s)"
        values[f"prefix{number}"] = each.prefix
        if each.suffix:
            condition += f" AND substr(key, length(key) - %(skipped{number})s) = %(suffix{number})s"
            values |= {f"suffix{number}": each.suffix, f"skipped{number}": len(each.suffix) - 1}
        conditions.append(f"({condition})")
    return " OR ".join(conditions), values


@dataclass(frozen=True)
class _Workplace:
    """Where reports lie, and where they become tables."""

    target: Target
    scope: Scope
    region: str

    @classmethod
    def of(cls, target: Target, parameters: Parameters) -> "_Workplace":
        scope = parameters.scope("audit")
        place = cls(target, scope, parameters.audit.region)
        for resource in (place._results, place._named(Database("results", place.region))):
            if resource.read(target.client(resource.service, resource.region)) is None:
                raise NotDeployedError(f"{resource} does not exist: run 70_audit first, `runbook run audit`")
        return place

    @property
    def workgroup(self) -> str:
        return self._named(WorkGroup("queries", self.region, results=self._results)).name

    @property
    def database(self) -> str:
        return self._named(Database("results", self.region)).name

    @property
    def _results(self) -> Bucket:
        return self._named(Bucket("results", self.region))

    def _named(self, resource):
        resource.scope = self.scope
        return resource

    def table(self, configuration: InventoryConfiguration) -> str:
        """Make the newest report of a bucket a table; returns SQL that gives its current objects."""
        bucket, reports = configuration.source, configuration.destination
        name = configuration.what.replace("-", "_")
        client = self.target.client("s3", configuration.region)
        manifest, dated = self._newest(configuration)
        columns = _columns(manifest, bucket)
        folder = f"inventory/{name}/{dated}/"
        here = self.target.client("s3", self.region)
        for number, file in enumerate(manifest["files"]):
            copied = {"Bucket": reports.name, "Key": file["key"]}
            here.copy(copied, self._results.name, f"{folder}{number:05}.parquet", SourceClient=client)
        self._put_table(name, f"s3://{self._results.name}/{folder}", columns)
        current = " WHERE is_latest AND NOT is_delete_marker" if "is_latest" in columns else ""
        return f"SELECT * FROM (SELECT key, size, e_tag FROM {name}{current}) AS {name}_objects"

    def begun(self, configuration: InventoryConfiguration) -> datetime:
        """Return when the newest report of a bucket was begun."""
        _, dated = self._newest(configuration)
        return datetime.strptime(dated, "%Y-%m-%dT%H-%MZ").replace(tzinfo=UTC)

    def _newest(self, configuration: InventoryConfiguration) -> tuple[dict, str]:
        client = self.target.client("s3", configuration.region)
        folder = f"{configuration.source.name}/{configuration.name}/"
        return _newest(client, configuration.destination.name, folder)

    def _put_table(self, name: str, location: str, columns: dict[str, str]) -> None:
        client = self.target.client("glue", self.region)
        listed = [{"Name": column, "Type": kind} for column, kind in columns.items()]
        table = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet", **self.scope.tags},
            "StorageDescriptor": {"Columns": listed, "Location": location, **PARQUET},
        }
        try:
            client.create_table(DatabaseName=self.database, TableInput=table)
        except client.exceptions.AlreadyExistsException:
            client.update_table(DatabaseName=self.database, TableInput=table)


def _newest(client, bucket: str, folder: str) -> tuple[dict, str]:
    """Return the manifest of the newest report that is whole, and its date."""
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
        found = [prefix["Prefix"] for page in pages for prefix in page.get("CommonPrefixes", [])]
    except client.exceptions.NoSuchBucket:
        found = []
    dates = sorted((match[1] for match in map(DATED.search, found) if match), reverse=True)
    for dated in dates:
        if (manifest := _manifest(client, bucket, f"{folder}{dated}/")) is not None:
            return manifest, dated
    raise RunbookError(
        f"no S3 Inventory report under s3://{bucket}/{folder}, and above audit.inventory_above nothing is "
        "listed. Let S3 write reports: set audit.inventory to Daily in the environment's parameters and run "
        "70_audit; the first comes within 48 hours. The local AWS writes none: set audit.inventory_above "
        "higher there"
    )


def _manifest(client, bucket: str, folder: str) -> dict | None:
    """Return a report's manifest; None if the report is not whole yet, which its checksum's file tells."""
    try:
        checksum = client.get_object(Bucket=bucket, Key=f"{folder}manifest.checksum")["Body"].read()
    except client.exceptions.NoSuchKey:
        return None
    body = client.get_object(Bucket=bucket, Key=f"{folder}manifest.json")["Body"].read()
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != checksum.decode().strip():
        raise RunbookError(f"s3://{bucket}/{folder}manifest.json is not what its checksum says")
    return json.loads(body)


def _columns(manifest: dict, bucket: Bucket) -> dict[str, str]:
    """Return the columns of a report that are compared."""
    schema = manifest["fileSchema"]
    if manifest["fileFormat"] != "Parquet" or manifest["sourceBucket"] != bucket.name:
        raise RunbookError(
            f"the report is of {manifest['sourceBucket']} in {manifest['fileFormat']}, not "
            f"of {bucket.name} in Parquet"
        )
    missing = [name for name in COLUMNS if not re.search(rf"\b{name}\b", schema)]
    if missing:
        raise RunbookError(f"the report of {bucket.name} lacks {', '.join(missing)}: let S3 add these fields")
    return COLUMNS | {name: kind for name, kind in OF_VERSIONS.items() if re.search(rf"\b{name}\b", schema)}
