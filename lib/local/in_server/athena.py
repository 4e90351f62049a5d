"""Corrections of MiniStack's Athena: `corrections/athena.py` says what of it, and why."""

import asyncio
import gzip
import json
import math
import re
import shutil
import struct
import tempfile
import time
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
from botocore.exceptions import ClientError
from ministack.core import iam_evaluator
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import athena, iam, s3

from lib.local.in_server import clients, trino_macros
from lib.local.in_server.announcements import TRANSLATED
from lib.local.in_server.announcing import announcing, refused
from lib.local.in_server.clients import MakeClient
from lib.local.in_server.corrections import athena as corrections
from lib.local.in_server.not_here import NotOnLocalAwsError
from lib.local.in_server.trust import trusts

# What Trino has and DuckDB calls differently, for functions, whose queries are not translated. Of the most
# frequent values only the values are known, so their counts are null.
# https://trino.io/docs/current/functions/aggregate.html
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
    (
        re.compile(r"^Invalid Input Error: More than one row returned by a subquery.*", re.DOTALL),
        "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
    ),
    (
        re.compile(r"^Binder Error: column \S+ must appear in the GROUP BY clause.*", re.DOTALL),
        "EXPRESSION_NOT_AGGREGATE: a column must be in an aggregate expression or appear in GROUP BY clause",
    ),
    (
        re.compile(r"^Binder Error: GROUPING child .*", re.DOTALL),
        "INVALID_ARGUMENTS: The arguments to GROUPING() must be expressions referenced by the GROUP BY at the"
        " associated query level",
    ),
    (
        re.compile(r"^Binder Error: GROUPING statement cannot .*", re.DOTALL),
        "MISSING_GROUP_BY: A GROUPING() operation can only be used with a corresponding GROUPING"
        " SET/CUBE/ROLLUP/GROUP BY clause",
    ),
    (re.compile(r"^Out of Range Error: (.*)", re.DOTALL), r"NUMERIC_VALUE_OUT_OF_RANGE: \1"),
    (re.compile(r"^Conversion Error: (.*)", re.DOTALL), r"INVALID_CAST_ARGUMENT: \1"),
)
# A column as a translated query calls it.
INTERNAL = re.compile(r'"?(?:\bt[0-9]+"?\."?_[0-9]+|(?<=")_[0-9]+(?="))"?')
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

# Of the query that is being started: who asked.
caller: ContextVar[MakeClient | None] = ContextVar("caller", default=None)
# Why it will fail; "" if nothing is known against it.
failing: ContextVar[str] = ContextVar("failing", default="")
# By account, region and ClientRequestToken: what was asked, and the query that was started.
_by_token: dict[tuple[str, str, str | None], tuple[dict, str]] = {}
RUNNING_FAILURE = re.compile(r"[A-Z]+_[A-Z_]+: |Bytes scanned limit")


@corrections.SQL.replacing("ministack.services.athena:handle_request")
async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> tuple:
    """Answer a request to Athena."""
    if not headers.get("x-amz-target", "").endswith(".StartQueryExecution"):
        return await handle_request.original(method, path, headers, body, query_params)
    athena._ensure_default_workgroup()
    asked = json.loads(body or b"{}")
    workgroup = athena._workgroups.get(asked.get("WorkGroup", "primary"))
    if workgroup is None:
        return invalid(f"WorkGroup {asked['WorkGroup']} is not found.")
    return await start(asked, workgroup, clients.of_caller(headers, query_params))


async def start(asked: dict, workgroup: dict, client: MakeClient) -> tuple:
    """Check a query, translate it, and let it run.

    Args:
        asked: As given to StartQueryExecution.
        workgroup: In which it runs.
        client: Makes the caller's clients.
    """
    # Here, since a server starts sooner without sqlglot.
    from lib.local.in_server.athena_sql import AthenaSqlError
    from lib.local.in_server.queries import Query, checked, location_of

    token = (get_account_id(), get_region(), asked.get("ClientRequestToken"))
    before, started = _by_token.get(token, ({}, ""))
    if token[2] and started in athena._executions:
        if asked != before:
            return invalid("Idempotent parameters do not match")
        return json_response({"QueryExecutionId": started})
    configuration = workgroup.get("Configuration", {})
    is_translated = not is_of_function(iam_evaluator.caller_arn())
    reason = ""
    try:
        query = await run_reentrant(checked, asked, configuration, client, is_translated)
    except NotOnLocalAwsError as error:
        return refused(error)
    except (AthenaSqlError, ClientError) as error:
        reason = str(error)
        # What is no SQL is refused; what the catalogue, the data or the rights do not allow fails as it runs.
        if isinstance(error, AthenaSqlError) and not RUNNING_FAILURE.match(reason):
            return invalid(reason)
        query = Query(asked["QueryString"], 0, location_of(asked, configuration))
    caller.set(client)
    failing.set(reason)
    location = {"ResultConfiguration": {"OutputLocation": query.location}}
    answer = athena._start_query_execution(asked | {"QueryString": query.sql} | location)
    if answer[0] == 200:
        query_id = json.loads(answer[2])["QueryExecutionId"]
        _by_token[token] = asked, query_id
        execution = athena._executions[query_id]
        execution["Query"] = asked["QueryString"]
        execution["_scanned_bytes"] = query.scanned_bytes
        if execution["StatementType"] != "DML":  # what changes the catalogue has a text as its result
            result = execution["ResultConfiguration"]
            result["OutputLocation"] = result["OutputLocation"].removesuffix("csv") + "txt"
    return announcing(answer, TRANSLATED) if is_translated else answer


def is_of_function(arn: str) -> bool:
    """Return whether it is a function that asks: in a session of a role that Lambda may take on.

    Functions' queries are Trino's words that DuckDB has, too, and of large files, for which translated ones
    take many times as long.

    Args:
        arn: Of who asks.
    """
    if ":assumed-role/" not in arn:
        return False
    role = iam._roles.get(arn.split("/")[-2]) or {}
    return trusts(json.loads(role.get("AssumeRolePolicyDocument") or "{}"), "lambda.amazonaws.com")


def invalid(message: str) -> tuple:
    """Return Athena's refusal of a request."""
    return error_response_json("InvalidRequestException", message, 400)


@corrections.RESULTS.replacing("ministack.services.athena:_execute_query")
async def execute(query_id: str, query: str, database: str, ddl: object, catalog: str | None = None) -> None:
    """Run a query and keep its result; it has succeeded once the result is where it is to be.

    Args:
        query_id: Of the execution.
        query: In DuckDB's words.
        database: That of names without one.
        ddl: The statement, if it is one of the catalogue's.
        catalog: The catalogue's name.
    """
    execution, client = athena._executions[query_id], caller.get() or clients.of_aws()
    status, statistics, began = execution["Status"], execution["Statistics"], time.monotonic()
    status["State"] = "RUNNING"
    try:
        if reason := failing.get():
            raise ValueError(reason)
        if ddl is None:
            results = await athena._run_duckdb(query, database, catalog)
        else:
            results = await run_reentrant(change_catalogue, ddl, database, client)
        execution["_results"] = {name: results[name] for name in ("columns", "rows")}
        execution["_column_types"] = results["column_types"]
        await run_reentrant(put_result, execution, client)
        end = {"State": "SUCCEEDED"}
    except Exception as error:  # what fails is the query, whatever it is
        athena.logger.error("Athena query %s failed: %s", query_id, error)
        execution["_error"] = str(error)
        end = {"State": "FAILED", "StateChangeReason": str(error)[:2000]}
    elapsed_ms = int((time.monotonic() - began) * 1000)
    statistics["EngineExecutionTimeInMillis"] = statistics["TotalExecutionTimeInMillis"] = elapsed_ms
    if status["State"] == "RUNNING":  # nobody has cancelled it
        status |= end | {"CompletionDateTime": int(time.time())}


def put_result(execution: dict, client: MakeClient) -> None:
    """Write a query's result to where it says, with the rights of whoever asked.

    Args:
        execution: Of the query, with its results.
        client: Makes the caller's clients.

    Raises:
        ValueError: The caller may not write there.
    """
    location = execution["ResultConfiguration"]["OutputLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    results, kinds = execution["_results"], execution["_column_types"]
    described = f"{','.join(results['columns'])}\n{','.join(kinds)}"
    text = csv_text([results["columns"], *results["rows"]]) if results["columns"] else ""
    try:
        for name, content in ((key, text), (f"{key}.metadata", described)):
            client("s3").put_object(Bucket=bucket, Key=name, Body=content.encode())
    except ClientError as error:
        raise ValueError(f"Access denied when writing output to url: {location}: {error}") from error


def csv_text(found: list[list]) -> str:
    """Return rows as Athena writes them: each value in quotes, and of NULL nothing."""
    return "".join(
        ",".join(
            "" if value is None else '"{}"'.format(athena._datum_text(value).replace('"', '""'))
            for value in row
        )
        + "\n"
        for row in found
    )


def change_catalogue(ddl: Any, database: str, client: MakeClient) -> dict:
    """Create or drop a table, with the rights of whoever asked.

    Args:
        ddl: The statement, as MiniStack has parsed it.
        database: That of names without one.
        client: Makes the caller's clients.

    Raises:
        ValueError: It is there already, or is not, or the caller may not.
    """
    glue, database = client("glue"), ddl.database or database or "default"
    try:
        if isinstance(ddl, athena._DropTable):
            glue.delete_table(DatabaseName=database, Name=ddl.table)
        elif ddl.iceberg:
            raise ValueError("NOT_SUPPORTED: Iceberg tables are not supported")
        else:
            glue.create_table(DatabaseName=database, TableInput=athena._create_table_input(ddl))
    except glue.exceptions.AlreadyExistsException as error:
        if not ddl.if_not_exists:
            raise ValueError(f"Table '{database}.{ddl.table}' already exists") from error
    except glue.exceptions.EntityNotFoundException as error:
        if not getattr(ddl, "if_exists", False):
            raise ValueError(f"{database}.{ddl.table}: {error.response['Error']['Message']}") from error
    except ClientError as error:
        raise ValueError(str(error)) from error
    return {"columns": [], "rows": [], "column_types": []}


@corrections.WORKGROUP_DEFAULTS.replacing("ministack.services.athena:_get_workgroup")
def get_workgroup(asked: dict) -> tuple:
    """Describe a workgroup, with what nobody has set as AWS has it.

    https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
    """
    status, headers, body = answer = get_workgroup.original(asked)
    if status != 200:
        return answer
    told = json.loads(body)
    usual = {
        "EnforceWorkGroupConfiguration": asked["WorkGroup"] != "primary",
        "PublishCloudWatchMetricsEnabled": True,
        "RequesterPaysEnabled": False,
    }
    told["WorkGroup"]["Configuration"] = usual | told["WorkGroup"].get("Configuration", {})
    return json_response(told)


@corrections.SCANNED.replacing("ministack.services.athena:_execution_out")
def execution_out(execution: dict) -> dict:
    """Return what GetQueryExecution tells; how much was scanned is Athena's own, not the result's size."""
    told = execution_out.original(execution)
    scanned = execution.get("_scanned_bytes", 0)
    return told | {"Statistics": told["Statistics"] | {"DataScannedInBytes": scanned}}


class ColumnType(str):
    """Athena's name of a column's type, with what else ColumnInfo says of it."""

    precision: int | None = None
    scale: int | None = None


@corrections.COLUMN_TYPES.replacing("ministack.services.athena:_run_duckdb")
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
    if kind.endswith("[]"):
        return ColumnType("array")
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
    return [[shown(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in found]


def shown(value: Any, kind: str) -> Any:
    """Return a value as MiniStack is to show it: as it is, or as text."""
    if isinstance(value, list):
        parts = (shown(each, kind.removesuffix("[]")) for each in value)
        return "[{}]".format(
            ", ".join("null" if each is None else athena._datum_text(each) for each in parts)
        )
    if kind == "FLOAT":
        return shortest(value)
    return format(value, "f") if isinstance(value, Decimal) else value


def shortest(value: float | None) -> float | None:
    """Return the number with the fewest digits that is the same as a real: 0.1, not 0.10000000149011612."""
    if value is None or not math.isfinite(value):
        return value
    real = struct.pack("f", value)
    return next(
        short for digits in range(1, 18) if struct.pack("f", short := float(f"{value:.{digits}g}")) == real
    )


@corrections.COLUMN_TYPES.replacing("ministack.services.athena:_type_precision_scale")
def type_precision_scale(kind: str) -> tuple[int, int]:
    """Return what ColumnInfo says of a type's digits."""
    if isinstance(kind, ColumnType) and kind.precision is not None and kind.scale is not None:
        return kind.precision, kind.scale
    return type_precision_scale.original(kind)


def failure(message: str) -> str:
    """Return an error of DuckDB's, in Athena's words where they are known."""
    first = re.split(r"\n+LINE [0-9]+:", message)[0]
    for pattern, wording in FAILURES:
        if pattern.search(first):
            return pattern.sub(wording, first)
    # What follows is advice on the engine's own SQL, in which names are its own, too.
    return INTERNAL.sub("a column", first.split("\n")[0])


@corrections.WORKGROUP_RIGHTS.replacing("ministack.core.iam_actions:extract_resource_arn")
def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id) -> str:
    """Return what IAM is asked about: for whatever concerns a workgroup, the workgroup.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html
    """
    request = (service, method, path, headers, body, query_params, region, account_id)
    arn = extract_resource_arn.original(*request)
    if service != "athena" or arn != "*":
        return arn
    asked = json.loads(body or b"{}")
    query = athena._executions.get(asked.get("QueryExecutionId")) or {}
    workgroup = query.get("WorkGroup") or asked.get("Name")
    own = f"arn:aws:athena:{region}:{account_id}:workgroup/{workgroup}" if workgroup else arn
    return asked.get("ResourceARN") or own


@corrections.TABLE_TYPES.replacing("ministack.services.athena:_table_relation")
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
        return table_relation.original(table, files)
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


@corrections.OBJECT_NAMES.replacing("ministack.services.athena:_materialize_table_files")
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
    relation = table_relation.original({**table, "StorageDescriptor": {**storage, "Columns": texts}}, files)
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


@corrections.HIVE_TYPES.replacing("ministack.services.athena:_duckdb_type")
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
