"""What Athena checks before it runs a query, and its SQL: MiniStack does neither."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.client import BaseClient

from lib.local.in_server import partitions_read
from lib.local.in_server.athena_sql import AthenaSqlError, bind, parse, tables
from lib.local.in_server.athena_translate import translate
from lib.local.in_server.clients import MakeClient
from lib.local.in_server.glue_classify import LAZY_SIMPLE
from lib.local.in_server.glue_grouping import ARCHIVE_CLASSES, split
from lib.local.in_server.not_here import NotOnLocalAwsError


@dataclass(frozen=True)
class Query:
    """A query that may run.

    Attributes:
        sql: In DuckDB's words.
        scanned_bytes: How much of its tables Athena would read.
        location: The folder for its result, which ends with a slash.
    """

    sql: str
    scanned_bytes: int
    location: str


def checked(
    asked: dict[str, Any], configuration: dict[str, Any], client: MakeClient, is_translated: bool = True
) -> Query:
    """Check a query and translate it.

    Args:
        asked: As given to StartQueryExecution.
        configuration: Of its workgroup.
        client: Makes the caller's clients, with whose rights Athena reads.
        is_translated: Whether to.

    Raises:
        NotOnLocalAwsError: The local AWS would only pretend to run it.
        AthenaSqlError: AWS would refuse it too: no such table, column, or no valid SQL.
        ClientError: The caller may not read the catalogue or list a table's objects.
    """
    location = location_of(asked, configuration)
    sql, scanned_bytes = _translated(asked, client, is_translated)
    cutoff = configuration.get("BytesScannedCutoffPerQuery")
    if cutoff and scanned_bytes > cutoff:
        raise AthenaSqlError(f"Bytes scanned limit was exceeded: {scanned_bytes:,} of {cutoff:,} bytes")
    return Query(sql, scanned_bytes, location)


def _translated(asked: dict[str, Any], client: MakeClient, is_translated: bool) -> tuple[str, int]:
    """Return a query in DuckDB's words, and how much it scans."""
    sql = bind(asked["QueryString"], asked.get("ExecutionParameters", []))
    tree = parse(sql)
    if tree is None:
        return sql, 0
    glue, s3 = client("glue"), client("s3")
    database = asked.get("QueryExecutionContext", {}).get("Database", "default").lower()
    schema: dict[str, dict[str, dict[str, str]]] = {}
    texts: dict[tuple[str, str], str | None] = {}
    scanned_bytes = 0
    for db, name in dict.fromkeys(tables(tree, database)):
        table = _table(glue, db, name)
        objects = _check_objects(glue, s3, db, table)
        scanned_bytes += sum(found["Size"] for found in partitions_read.kept(objects, tree, db, table))
        columns = table["StorageDescriptor"]["Columns"] + table.get("PartitionKeys", [])
        schema.setdefault(db, {})[name] = {column["Name"]: column["Type"] for column in columns}
        if table.get("Parameters", {}).get("classification") == "csv":
            serde = table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
            texts[db, name] = r"\N" if serde == LAZY_SIMPLE else None
    return translate(tree, schema, database, texts) if is_translated else sql, scanned_bytes


def _table(glue: BaseClient, database: str, name: str) -> dict[str, Any]:
    """The catalogue's table, if the local AWS reads it as Athena does."""
    try:
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException as error:
        raise AthenaSqlError(
            f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{database}.{name}' does not exist"
        ) from error
    if table.get("TableType") == "VIRTUAL_VIEW":
        raise NotOnLocalAwsError(
            f"{database}.{name} is a view, which the local AWS cannot read. Use a WITH clause."
        )
    if table.get("Parameters", {}).get("projection.enabled", "").lower() == "true":
        raise NotOnLocalAwsError(
            f"{database}.{name} has partition projection, with which the local AWS finds no rows. "
            "Register the partitions: start a crawler."
        )
    return table


def _check_objects(glue: BaseClient, s3: BaseClient, database: str, table: dict) -> list[dict]:
    """What a query of the table reads, once it is sure that both read the same.

    Athena reads the partitions that are registered, MiniStack the folders that it finds.
    """
    bucket, prefix = split(table["StorageDescriptor"]["Location"])
    keys = [key["Name"] for key in table.get("PartitionKeys", [])]
    registered = {tuple(p["Values"]) for p in _partitions(glue, database, table)} if keys else set()
    objects = list(_objects(s3, bucket, prefix))
    for found in objects:
        folders = [part.partition("=") for part in found["Key"].removeprefix(prefix).split("/")[:-1]]
        if keys and [name for name, _, _ in folders] != keys:
            raise NotOnLocalAwsError(
                f"{table['Name']} has the partition keys {keys}, but s3://{bucket}/{found['Key']} does not "
                "say name=value, so the local AWS cannot read them. Name the folders so, and crawl again."
            )
        if keys and tuple(value for _, _, value in folders) not in registered:
            raise NotOnLocalAwsError(
                f"s3://{bucket}/{found['Key']} is in no registered partition of {table['Name']}: Athena "
                "would skip it, the local AWS would read it. Crawl again, or register the partition."
            )
    return objects


def _partitions(glue: BaseClient, database: str, table: dict) -> Iterator[dict]:
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table["Name"])
    return (partition for page in pages for partition in page["Partitions"])


def _objects(s3: BaseClient, bucket: str, prefix: str) -> Iterator[dict]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = (item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/"))
    readable = (item for item in found if item.get("StorageClass") not in ARCHIVE_CLASSES)
    return (item for item in readable if not _is_hidden(item["Key"].removeprefix(prefix)))


def _is_hidden(key: str) -> bool:
    """Both skip these: https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html."""
    return any(part.startswith(("_", ".")) for part in key.split("/"))


def location_of(asked: dict[str, Any], configuration: dict[str, Any]) -> str:
    """Where the result goes: enforced settings win, as on AWS.

    https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html
    """
    own = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    named = asked.get("ResultConfiguration", {}).get("OutputLocation")
    location = own if configuration.get("EnforceWorkGroupConfiguration", True) and own else named or own
    if not location:
        raise AthenaSqlError(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return location.rstrip("/") + "/"
