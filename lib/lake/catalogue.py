"""The Glue Data Catalog at a glance: which tables there are, how large, and how fresh."""

from collections.abc import Iterator

import pandas as pd

from lib.base.errors import NotDeployedError
from lib.base.waits import progress
from lib.parameters import Parameters
from lib.resources.glue import Database
from lib.target import Target

_COLUMNS = {
    **dict.fromkeys(("database", "table"), "str"),
    **dict.fromkeys(("columns", "partitions", "objects", "bytes"), "int64"),
}


def tables(target: Target, region: str, databases: list[str]) -> pd.DataFrame:
    """Return the tables of databases, and the objects in S3 that they read.

    Args:
        target: The AWS to work on.
        region: Of the databases.
        databases: Their names.

    Returns:
        One row a table, sorted: database, table, how many columns (partition keys included), registered
        partitions and objects, their bytes, and `newest`, when the newest object was written (UTC). A table
        whose bucket is gone has no objects; a view has none either.

    Raises:
        NotDeployedError: If there is no such database.
    """
    glue, s3 = target.client("glue", region), target.client("s3", region)
    found = [(database, table) for database in databases for table in _tables(glue, database)]
    rows = []
    for database, table in progress("Tables", found, unit="table"):
        columns = len(table.get("StorageDescriptor", {}).get("Columns", []))
        keys = len(table.get("PartitionKeys", []))
        partitions = sum(1 for _ in _partitions(glue, database, table["Name"])) if keys else 0
        location = table.get("StorageDescriptor", {}).get("Location", "")
        rows.append((database, table["Name"], columns + keys, partitions, *_contents(s3, location)))
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "newest"]).astype(_COLUMNS)
    frame["newest"] = pd.to_datetime(frame["newest"], utc=True).astype("datetime64[us, UTC]")
    return frame.sort_values(["database", "table"], ignore_index=True)


def databases(target: Target, parameters: Parameters, region: str, *pipelines: str) -> list[str]:
    """Return the names of the databases that pipelines have in a region.

    Args:
        target: The AWS to work on.
        parameters: Whose databases: `prefix`, `env` and account are in their names.
        region: Where to look.
        pipelines: Their names; each has one database there.

    Returns:
        One name a pipeline, in the same order.

    Raises:
        NotDeployedError: If one is missing; it says which notebook makes it.
    """
    glue, names = target.client("glue", region), []
    for pipeline in pipelines:
        scope = parameters.scope(pipeline)
        found = next(Database.find(glue, scope), None)
        if found is None:
            raise NotDeployedError(
                f"{pipeline} has no database in {region}: run its notebook first, `runbook run {pipeline}`"
            )
        names.append(found.name)
    return names


def _tables(glue, database: str) -> Iterator[dict]:
    try:
        glue.get_database(Name=database)
    except glue.exceptions.EntityNotFoundException as error:
        raise NotDeployedError(f"no database {database}: run the notebook that makes it first") from error
    for page in glue.get_paginator("get_tables").paginate(DatabaseName=database):
        yield from page["TableList"]


def _partitions(glue, database: str, table: str) -> Iterator[dict]:
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=table, ExcludeColumnSchema=True
    )
    return (partition for page in pages for partition in page["Partitions"])


def _contents(s3, location: str) -> tuple[int, int, pd.Timestamp]:
    """Return how many objects a location has, their bytes, and when the newest was written."""
    bucket, _, prefix = location.partition("://")[2].partition("/")
    count, size, newest = 0, 0, pd.NaT
    try:
        for item in _objects(s3, bucket, prefix) if bucket else ():
            count, size = count + 1, size + item["Size"]
            newest = max(item["LastModified"], newest) if count > 1 else item["LastModified"]
    except s3.exceptions.NoSuchBucket:
        pass  # the table outlived its bucket: it has no objects
    return count, size, pd.Timestamp(newest)


def _objects(s3, bucket: str, prefix: str) -> Iterator[dict]:
    """Yield what Athena reads: no folder markers, and nothing hidden.

    https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            parts = item["Key"].removeprefix(prefix).split("/")
            if parts[-1] and not any(part.startswith(("_", ".")) for part in parts):
                yield item
