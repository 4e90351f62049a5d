"""How a Glue crawler writes tables and partitions into the catalogue, and treats those that are gone."""

import time
from collections.abc import Iterator
from hashlib import md5
from typing import Any

from botocore.client import BaseClient

from lib.local.in_server.glue_classify import hive_type
from lib.local.in_server.glue_grouping import Table

_FORMATS = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
}
# What create_table and update_table take of what get_table returns.
_TABLE_INPUT = ("Name", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
# BatchDeletePartition takes 25, BatchCreatePartition 100.
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchDeletePartition.html
_BATCH = 25
# Hive's name of a partition without a value, which Glue does not take.
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def write(glue: BaseClient, crawler: dict[str, Any], found: list[tuple[str, Table]]) -> None:
    """Create or update each table with its partitions, then treat those of this crawler that are gone.

    Args:
        glue: A Glue client of the crawler's region.
        crawler: As `glue.get_crawler` returns it.
        found: Bucket and table.
    """
    database, policy = crawler["DatabaseName"], crawler.get("SchemaChangePolicy") or {}
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    known = {table["Name"]: table for page in pages for table in page["TableList"]}
    written: dict[str, dict] = {}
    for bucket, table in found:
        wanted = _table_input(crawler, bucket, table)
        wanted["Name"] = _free_name(wanted, known | written)
        if wanted["Name"] not in known:
            glue.create_table(DatabaseName=database, TableInput=wanted)
        elif policy.get("UpdateBehavior") != "LOG":
            glue.update_table(DatabaseName=database, TableInput=wanted)
        _write_partitions(glue, database, wanted, table)
        written[wanted["Name"]] = wanted
    gone = [table for name, table in known.items() if name not in written and _is_by(table, crawler)]
    _treat_gone(glue, database, gone, policy.get("DeleteBehavior"))


def _table_input(crawler: dict, bucket: str, table: Table) -> dict[str, Any]:
    """The table as a crawler describes it."""
    parameters = _parameters(crawler, table)
    return {
        "Name": f"{crawler.get('TablePrefix') or ''}{table.name}",
        "Owner": "owner",
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in table.partition_keys],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind} for name, kind in _columns(table)],
            "Location": f"s3://{bucket}/{table.prefix}",
            **_FORMATS,
            "Compressed": False,
            "NumberOfBuckets": -1,
            "SerdeInfo": {
                "SerializationLibrary": table.schemas[0].serde,
                "Parameters": table.schemas[0].serde_parameters,
            },
            "BucketColumns": [],
            "SortColumns": [],
            "Parameters": parameters,
            "StoredAsSubDirectories": False,
        },
    }


def _columns(table: Table) -> list[tuple[str, str]]:
    """The columns, without those that the folders' names give."""
    columns = table.columns.items()
    return [(name, hive_type(kind)) for name, kind in columns if name not in table.partition_keys]


def _parameters(crawler: dict, table: Table) -> dict[str, str]:
    size = sum(item.size for item in table.objects)
    sampled = sum(schema.bytes for schema in table.schemas)
    records = sum(schema.records for schema in table.schemas) * size // sampled  # an estimate, as on AWS
    return {
        **table.schemas[0].table_parameters,
        "classification": table.schemas[0].classification,
        "typeOfData": "file",
        "objectCount": str(len(table.objects)),
        "sizeKey": str(size),
        "averageRecordSize": str(size // max(1, records)),
        "recordCount": str(records),
        "CrawlerSchemaSerializerVersion": "1.0",
        "CrawlerSchemaDeserializerVersion": "1.0",
        "UPDATED_BY_CRAWLER": crawler["Name"],
    }


def _free_name(wanted: dict, taken: dict[str, dict]) -> str:
    """The name, or one with a hash if the name belongs to a table of another place, as AWS does it.

    https://docs.aws.amazon.com/glue/latest/dg/crawler-running.html
    """
    location = wanted["StorageDescriptor"]["Location"]
    owner = taken.get(wanted["Name"], wanted)
    if owner["StorageDescriptor"]["Location"] == location:
        return wanted["Name"]
    return f"{wanted['Name']}_{md5(location.encode(), usedforsecurity=False).hexdigest()}"


def _write_partitions(glue: BaseClient, database: str, wanted: dict, table: Table) -> None:
    """Add the partitions that are new; those whose folder is gone are deleted."""
    if not table.partition_keys:
        return
    name = {"DatabaseName": database, "TableName": wanted["Name"]}
    pages = glue.get_paginator("get_partitions").paginate(**name)
    known = {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}
    found = _partitions(wanted["StorageDescriptor"], table)
    for batch in _batches([found[values] for values in found.keys() - known]):
        glue.batch_create_partition(**name, PartitionInputList=batch)
    for batch in _batches([{"Values": list(values)} for values in known - found.keys()]):
        glue.batch_delete_partition(**name, PartitionsToDelete=batch)


def _partitions(storage: dict, table: Table) -> dict[tuple[str, ...], dict]:
    """The input for each partition, by its values."""
    partitions = {}
    for item in table.objects:
        folders = table.folders(item.key)
        values = tuple(folder.partition("=")[2] or folder or NO_VALUE for folder in folders)
        location = storage["Location"] + "".join(f"{folder}/" for folder in folders)
        partitions[values] = {
            "Values": list(values),
            "StorageDescriptor": {**storage, "Location": location},
        }
    return partitions


def _is_by(table: dict, crawler: dict) -> bool:
    return table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == crawler["Name"]


def _treat_gone(glue: BaseClient, database: str, gone: list[dict], behavior: str | None) -> None:
    """Delete, mark or leave tables without objects, as `SchemaChangePolicy.DeleteBehavior` says.

    AWS's default is to mark. https://docs.aws.amazon.com/glue/latest/dg/crawler-schema-changes-prevent.html
    """
    for table in gone if behavior != "LOG" else []:
        if behavior == "DELETE_FROM_DATABASE":
            glue.delete_table(DatabaseName=database, Name=table["Name"])
            continue
        marked = {name: table[name] for name in _TABLE_INPUT if name in table}
        marked["Parameters"] = table["Parameters"] | {"DEPRECATED_BY_CRAWLER": str(int(time.time() * 1000))}
        glue.update_table(DatabaseName=database, TableInput=marked)


def _batches(items: list) -> Iterator[list]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
