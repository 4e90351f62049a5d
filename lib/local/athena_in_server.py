"""Corrections of MiniStack's Athena; runs in the server, inside .local-aws, so it imports nothing of ours.

MiniStack 1.5.33 asks IAM of a query without naming its workgroup. And it reads JSON with the columns and
types that DuckDB guesses from the objects. Athena reads it with the catalogue's: text that looks like a time
stays text, and a column that no row has is NULL.
https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html

It takes a location for a URL, so that a folder `a?b` is `a`, and the names of objects for names of files, so
that some are patterns, some lie outside of the folder that they are copied to, and some are too long. To S3
they are names, whatever is in them. And it reads what is archived; Athena skips that.
https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
"""

import json
import re
import tempfile
from pathlib import Path
from urllib.parse import quote

import duckdb
from ministack.core import iam_actions
from ministack.services import athena, s3

# Handlers talk to MiniStack's Athena directly, not through our stand-in for its SQL: what Trino has and
# DuckDB calls differently is told to each of its connections. Of the most frequent values only the values are
# known, so their counts are null. https://trino.io/docs/current/functions/aggregate.html
TRINO_FUNCTIONS = """
CREATE MACRO approx_distinct(x) AS approx_count_distinct(x);
CREATE MACRO approx_percentile(x, percentages) AS approx_quantile(x, percentages);
CREATE MACRO approx_most_frequent(buckets, x, capacity) AS
    map_from_entries(list_transform(approx_top_k(x, buckets), lambda each: (each, NULL::BIGINT)));
CREATE MACRO json_format(x) AS CAST(x AS VARCHAR);
"""

# Hive's types by DuckDB's names; those that are not here have the same name.
TYPES = {"string": "VARCHAR", "binary": "BLOB"}
# What DuckDB tells a compression by.
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")
TOKENS = re.compile(r"`[^`]+`|[\w.]+(?:\([^)]*\))?|[<>:,]")

_connect = duckdb.connect
_table_relation = athena._table_relation
_extract_resource_arn = iam_actions.extract_resource_arn


def connect(*arguments, **named):
    """Return a connection that knows Trino's functions."""
    connection = _connect(*arguments, **named)
    connection.execute(TRINO_FUNCTIONS)
    return connection


def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id) -> str:
    """Return what IAM is asked about: for whatever concerns a workgroup, the workgroup.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html
    """
    arn = _extract_resource_arn(service, method, path, headers, body, query_params, region, account_id)
    if service != "athena" or arn != "*":
        return arn
    asked = json.loads(body or b"{}")
    query = athena._executions.get(asked.get("QueryExecutionId")) or {}
    workgroup = query.get("WorkGroup") or asked.get("Name")
    own = f"arn:aws:athena:{region}:{account_id}:workgroup/{workgroup}" if workgroup else arn
    return asked.get("ResourceARN") or own


def table_relation(table: dict, files: list[str]) -> str:
    """Return what stands for a table in DuckDB's SQL.

    Args:
        table: The catalogue's table.
        files: The objects' copies on disk.
    """
    columns = table["StorageDescriptor"].get("Columns")
    if athena._data_format(table) != "json" or not columns:
        return _table_relation(table, files)
    types = ", ".join(f"{_text(column['Name'])}: {_text(duckdb_type(column['Type']))}" for column in columns)
    partitions = athena._hive_options(athena._path_partition_keys(table, files))
    named = f"format = 'newline_delimited', columns = {{{types}}}, {partitions}"
    return f"read_json({athena._sql_list(files)}, {named})"


def materialize_table_files(location: str, workdirs: list[str]) -> list[str]:
    """Copy the objects below a table's location to files that DuckDB can name.

    Args:
        location: `s3://bucket/prefix`.
        workdirs: To which the folder is added that the caller is to remove.

    Returns:
        The files, in the order of the keys; of their folders, those that name a partition.
    """
    bucket, _, prefix = location.partition("://")[2].partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    objects = (s3._buckets.get(bucket) or {"objects": {}})["objects"]
    below = sorted(key for key in list(objects) if key.startswith(prefix) and not key.endswith("/"))
    keys = [key for key in below if not athena._hidden(key[len(prefix) :]) and not is_archived(objects[key])]
    if not keys:
        return []
    root = tempfile.mkdtemp(prefix="ministack-athena-")
    workdirs.append(root)
    files = []
    for number, key in enumerate(keys):
        data = s3._get_object_data(bucket, key)
        if data is not None:
            folders = [part.partition("=") for part in key[len(prefix) :].split("/")[:-1]]
            suffix = SUFFIX.search(key)
            # DuckDB decodes the values of partitions.
            named = (f"{quote(name)}={quote(value, safe='')}" for name, equals, value in folders if equals)
            path = Path(root, *named, f"{number:06}")
            path = path.with_name(path.name + (suffix[0] if suffix else ""))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            files.append(str(path))
    return files


def is_archived(entry: dict) -> bool:
    """Return whether Athena skips an object: also one that was restored, unless its table says otherwise."""
    return entry.get("storage_class") in s3._ARCHIVE_STORAGE_CLASSES


def duckdb_type(hive: str) -> str:
    """Return DuckDB's name of a type of Hive's, such as `array<struct<name:string>>`."""
    return _parse(TOKENS.findall(hive))


def _parse(tokens: list[str]) -> str:
    kind = tokens.pop(0).lower()
    if kind not in ("array", "map", "struct"):
        return TYPES.get(kind, kind)
    inner = []
    while tokens.pop(0) != ">":  # takes "<" and "," away, too
        name = ""
        if kind == "struct":
            name = '"{}" '.format(tokens.pop(0).strip("`"))
            tokens.pop(0)  # ":"
        inner.append(name + _parse(tokens))
    return f"{inner[0]}[]" if kind == "array" else f"{kind}({', '.join(inner)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


duckdb.connect = connect
athena._table_relation = table_relation
athena._materialize_table_files = materialize_table_files
iam_actions.extract_resource_arn = extract_resource_arn
