"""A stand-in for what Athena checks before it runs a query, and for its SQL: MiniStack does neither.

On AWS a missing table or column fails the running query; here StartQueryExecution itself fails. PyAthena
raises a DatabaseError in both cases.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from lib.local.in_server.athena_sql import AthenaSqlError, NotOnLocalAwsError, bind, parse, tables
from lib.local.in_server.athena_translate import translate
from lib.local.in_server.glue_classify import LAZY_SIMPLE
from lib.local.in_server.glue_grouping import ARCHIVE_CLASSES, split


@dataclass
class Query:
    """What was asked, and how much of the tables it reads: for GetQueryExecution."""

    sql: str
    scanned_bytes: int = 0


class QueryStandIn:
    """Checks and translates each query on its way to MiniStack."""

    def __init__(self, client: Callable[[str, str], BaseClient], announce: Callable[[str], None]):
        """Make a stand-in.

        Args:
            client: Makes a client from a service's name and a region.
            announce: Called with a line when the stand-in is used.
        """
        self._client = client
        self._announce = announce
        self._queries: dict[str, Query] = {}

    def before_start(self, params: dict, context: dict, **_: object) -> dict[str, Any]:
        """Check a query and translate it (botocore: provide-client-params).

        Args:
            params: As the caller gave them to StartQueryExecution.
            context: botocore's, of this call.

        Returns:
            The parameters to call MiniStack with.

        Raises:
            NotOnLocalAwsError: The local AWS would only pretend to run it.
            ClientError: AWS would refuse it too: no such workgroup, table, column, or no valid SQL.
        """
        region = context["client_region"]
        self._announce("stand-in: Athena SQL: translated by sqlglot for the local engine, DuckDB")
        workgroup = self._client("athena", region).get_work_group(
            WorkGroup=params.get("WorkGroup", "primary")
        )
        configuration = workgroup["WorkGroup"].get("Configuration", {})
        query = context["runbook_query"] = Query(params["QueryString"])
        try:
            changed = self._translate(params, region, query)
        except AthenaSqlError as error:
            raise _invalid(str(error)) from error
        cutoff = configuration.get("BytesScannedCutoffPerQuery")
        if cutoff and query.scanned_bytes > cutoff:
            raise _invalid(f"Bytes scanned limit was exceeded: {query.scanned_bytes:,} of {cutoff:,} bytes")
        asked = {name: value for name, value in params.items() if name != "ExecutionParameters"}
        return asked | changed | _output(params, configuration)

    def after_start(self, parsed: dict, context: dict, **_: object) -> None:
        """Remember the query by its id (botocore: after-call)."""
        if "QueryExecutionId" in parsed:
            self._queries[parsed["QueryExecutionId"]] = context["runbook_query"]

    def after_get(self, parsed: dict, **_: object) -> None:
        """Put the query as asked, the bytes scanned and where the result is into the answer (after-call)."""
        execution = parsed.get("QueryExecution", {})
        query_id = execution.get("QueryExecutionId", "")
        if query := self._queries.get(query_id):
            execution["Query"] = query.sql
            execution["Statistics"]["DataScannedInBytes"] = query.scanned_bytes
            # MiniStack puts the file into a folder of the file's own name.
            execution["ResultConfiguration"]["OutputLocation"] += f"/{query_id}.csv"

    def _translate(self, params: dict, region: str, query: Query) -> dict[str, Any]:
        tree = parse(bind(query.sql, params.get("ExecutionParameters", [])))
        if tree is None:
            return {}
        glue, s3 = self._client("glue", region), self._client("s3", region)
        database = params.get("QueryExecutionContext", {}).get("Database", "default").lower()
        schema: dict[str, dict[str, dict[str, str]]] = {}
        texts: dict[tuple[str, str], str | None] = {}
        for db, name in dict.fromkeys(tables(tree, database)):
            table = _table(glue, db, name)
            objects = _check_objects(glue, s3, db, table)
            query.scanned_bytes += sum(found["Size"] for found in objects)
            columns = table["StorageDescriptor"]["Columns"] + table.get("PartitionKeys", [])
            schema.setdefault(db, {})[name] = {column["Name"]: column["Type"] for column in columns}
            if table.get("Parameters", {}).get("classification") == "csv":
                serde = table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
                texts[db, name] = r"\N" if serde == LAZY_SIMPLE else None
        return {"QueryString": translate(tree, schema, database, texts)}


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


def _output(params: dict, configuration: dict) -> dict[str, Any]:
    """Where the result goes: enforced settings win, as on AWS; MiniStack needs the slash at the end.

    https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html
    """
    asked = params.get("ResultConfiguration", {}).get("OutputLocation")
    own = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    location = own if configuration.get("EnforceWorkGroupConfiguration", True) and own else asked or own
    if not location:
        raise _invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return {"ResultConfiguration": {"OutputLocation": location.rstrip("/") + "/"}}


def _invalid(message: str) -> ClientError:
    response = {"Error": {"Code": "InvalidRequestException", "Message": message}}
    return ClientError(response, "StartQueryExecution")
