"""Corrections of MiniStack's Athena.

MiniStack 1.5.33 asks IAM of a query without naming its workgroup. It reads JSON with the columns and types
that DuckDB guesses from the objects; Athena reads it with the catalogue's: text that looks like a time stays
text, and a column that no row has is NULL. It reads a CSV's decimals with nine digits of a fraction, JSON's
as doubles, and 1.5 as the whole number 2. And it says of a decimal neither how many digits it has nor how
many are a fraction.
https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html

It takes a location for a URL, so that a folder `a?b` is `a`, and the names of objects for names of files, so
that some are patterns, some lie outside of the folder that they are copied to, and some are too long. To S3
they are names, whatever is in them. And it reads what is archived; Athena skips that.
https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
"""

import asyncio
import gzip
import json
import math
import re
import shutil
import struct
import tempfile
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import duckdb
from ministack.core import iam_actions
from ministack.services import athena, s3

from lib.local.in_server import trino_macros

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

# As Athena names DuckDB's failures; what our macros raise is a cast that names itself.
FAILURES = (
    (re.compile(r"^Conversion Error: Could not convert string 'trino: (.*)' to \w+", re.DOTALL), r"\1"),
    (
        re.compile(r"^.*?(?:Division by zero|division by zero).*", re.DOTALL),
        "DIVISION_BY_ZERO: Division by zero",
    ),
    (re.compile(r"^Out of Range Error: (.*)", re.DOTALL), r"NUMERIC_VALUE_OUT_OF_RANGE: \1"),
    (re.compile(r"^Conversion Error: (.*)", re.DOTALL), r"INVALID_CAST_ARGUMENT: \1"),
)
# A CSV's text of each type that Athena reads; anything else is NULL.
READABLE = {
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint"), "[+-]?[0-9]+"),
    "decimal": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
    "boolean": "(?i)true|false",
}

WHOLE = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT")
# A text, which is passed over, or a number that is not whole.
JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+|-?[0-9]+\.[0-9]+')

# Hive's types by DuckDB's names; those that are not here have the same name.
TYPES = {"string": "VARCHAR", "char": "VARCHAR", "varchar": "VARCHAR", "binary": "BLOB"}
# What DuckDB tells a compression by.
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")
TOKENS = re.compile(r"`[^`]+`|[\w.]+(?:\([^)]*\))?|[<>:,]")

_table_relation = athena._table_relation
_extract_resource_arn = iam_actions.extract_resource_arn
_type_precision_scale = athena._type_precision_scale


class ColumnType(str):
    """Athena's name of a column's type, with what else ColumnInfo says of it."""

    precision, scale = None, None


async def run_duckdb(query: str, database: str, catalog: str | None = None) -> dict:
    """Run a query, off the event loop.

    Args:
        query: In DuckDB's words.
        database: That of names without one.
        catalog: The catalogue's name.
    """
    rewritten, buckets, folders = await athena._rewrite_data_paths(query, database, catalog)

    def execute() -> dict:
        connection = duckdb.connect(":memory:")
        try:
            connection.execute(
                f"{trino_macros.SETTINGS}; {TRINO_FUNCTIONS}; {trino_macros.definitions(rewritten)}"
            )
            if buckets:
                athena._attach_s3_table_buckets(connection, buckets)
            if "read_avro(" in rewritten:
                connection.execute("INSTALL avro; LOAD avro;")
            result = connection.execute(rewritten)
            columns = result.description or []
            return {
                "columns": [name for name, *_ in columns],
                "column_types": [column_type(str(kind)) for _, kind, *_ in columns],
                "rows": rows(result.fetchall(), [str(kind) for _, kind, *_ in columns]),
            }
        except duckdb.Error as error:
            raise ValueError(failure(str(error))) from error
        finally:
            connection.close()
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    return await asyncio.to_thread(execute)


def column_type(kind: str) -> ColumnType:
    """Return Athena's name of a type of DuckDB's."""
    base, _, sizes = kind.upper().partition("(")
    found = ColumnType(athena._DUCKDB_TYPE_MAP.get(base.strip(), "varchar"))
    if found == "decimal" and sizes:
        found.precision, found.scale = (int(size) for size in sizes.rstrip(")").split(","))
    elif found == "timestamp":
        found.precision, found.scale = 3, 0
    return found


def rows(found: list[tuple], kinds: list[str]) -> list[list]:
    """Return rows whose texts are Athena's: a decimal has no exponent, a real no digits of a double.

    Args:
        found: The rows.
        kinds: DuckDB's types of their columns.
    """
    reals = {position for position, kind in enumerate(kinds) if kind == "FLOAT"}
    return [
        [
            shortest(value)
            if position in reals
            else format(value, "f")
            if isinstance(value, Decimal)
            else value
            for position, value in enumerate(row)
        ]
        for row in found
    ]


def shortest(value: float | None) -> float | None:
    """Return the number with the fewest digits that is the same as a real: 0.1, not 0.10000000149011612."""
    if value is None or not math.isfinite(value):
        return value
    real = struct.pack("f", value)
    return next(
        short for digits in range(1, 18) if struct.pack("f", short := float(f"{value:.{digits}g}")) == real
    )


def type_precision_scale(kind: str) -> tuple[int, int]:
    """Return what ColumnInfo says of a type's digits."""
    if getattr(kind, "precision", None) is not None:
        return kind.precision, kind.scale
    return _type_precision_scale(kind)


def failure(message: str) -> str:
    """Return an error of DuckDB's, in Athena's words where they are known."""
    first = message.split("\n\nLINE ")[0]
    for pattern, wording in FAILURES:
        if pattern.search(first):
            return pattern.sub(wording, first)
    return message


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
    if athena._data_format(table) == "csv" and columns:
        return csv_relation(table, files)
    if athena._data_format(table) != "json" or not columns:
        return _table_relation(table, files)
    for file in files:
        quote_fractions(Path(file))
    kinds = {column["Name"]: duckdb_type(column["Type"]) for column in columns}
    # DuckDB would make 2 of 1.5: whole numbers are read as texts, and checked.
    read = {name: "VARCHAR" if kind.upper() in WHOLE else kind for name, kind in kinds.items()}
    types = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in read.items())
    partitions = athena._hive_options(athena._path_partition_keys(table, files))
    named = f"format = 'newline_delimited', columns = {{{types}}}, {partitions}"
    said = [whole(name, kind) if read[name] != kind else _name(name) for name, kind in kinds.items()]
    keys = [_name(key["Name"]) for key in table.get("PartitionKeys") or []]
    return f"(SELECT {', '.join([*said, *keys])} FROM read_json({athena._sql_list(files)}, {named}))"


def quote_fractions(file: Path) -> None:
    """Write the fractions in a file of JSON lines as texts, for DuckDB reads numbers as doubles.

    A decimal would lose digits, and a text be another: 1.1 for 1.10.

    Args:
        file: The object's copy on disk.
    """
    packed = file.suffix == ".gz"
    content = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
    changed = JSON_TOKEN.sub(lambda found: found[0] if found[0][:1] == b'"' else b'"%b"' % found[0], content)
    if changed != content:
        file.write_bytes(gzip.compress(changed, 1) if packed else changed)


def whole(name: str, kind: str) -> str:
    """Return a JSON's column of whole numbers; anything else is an error."""
    column = _name(name)
    message = (
        f"{_text(f'trino: LOCAL: the column {name} has ')} || {column} || ', which is no {kind.lower()}'"
    )
    found = f"CASE WHEN regexp_full_match({column}, '-?[0-9]+') THEN {column} ELSE {message} END"
    return f"CASE WHEN {column} IS NOT NULL THEN CAST({found} AS {kind}) END AS {column}"


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


def csv_relation(table: dict, files: list[str]) -> str:
    """Return what stands for a table of CSV files; a text that is no value of its column's type is NULL."""
    storage = table["StorageDescriptor"]
    texts = [{**column, "Type": "string"} for column in storage["Columns"]]
    relation = _table_relation({**table, "StorageDescriptor": {**storage, "Columns": texts}}, files)
    said = [typed(column["Name"], column["Type"].lower()) for column in storage["Columns"]]
    keys = [_name(key["Name"]) for key in table.get("PartitionKeys") or []]
    return f"(SELECT {', '.join([*said, *keys])} FROM {relation})"


def typed(name: str, hive: str) -> str:
    """Return a CSV's column with its type."""
    column, base = _name(name), hive.split("(")[0].strip()
    cast = column if base in ("string", "varchar", "char") else f"TRY_CAST({column} AS {duckdb_type(hive)})"
    if pattern := READABLE.get(base):
        cast = f"CASE WHEN regexp_full_match({column}, {_text(pattern)}) THEN {cast} END"
    return f"{cast} AS {column}"


def partition_type(column: dict) -> str:
    """Return DuckDB's type of a partition key, or of a column of a table without objects."""
    return duckdb_type(column.get("Type", "string").lower())


def duckdb_type(hive: str) -> str:
    """Return DuckDB's name of a type of Hive's, such as `array<struct<name:string>>`."""
    return _parse(TOKENS.findall(hive))


def _parse(tokens: list[str]) -> str:
    kind = tokens.pop(0).lower()
    if kind not in ("array", "map", "struct"):
        return TYPES.get(kind.split("(")[0], kind)
    inner = []
    while tokens.pop(0) != ">":  # takes "<" and "," away, too
        name = ""
        if kind == "struct":
            name = '"{}" '.format(tokens.pop(0).strip("`"))
            tokens.pop(0)  # ":"
        inner.append(name + _parse(tokens))
    return f"{inner[0]}[]" if kind == "array" else f"{kind}({', '.join(inner)})"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


athena._run_duckdb = run_duckdb
athena._type_precision_scale = type_precision_scale
athena._table_relation = table_relation
athena._materialize_table_files = materialize_table_files
athena._duckdb_type = partition_type
iam_actions.extract_resource_arn = extract_resource_arn
