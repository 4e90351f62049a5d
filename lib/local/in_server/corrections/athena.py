"""Athena: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

ATHENA = "ministack.services.athena:"

QUERY = """
import time

s3, athena, glue = client("s3"), client("athena"), client("glue")
s3.create_bucket(Bucket="results")


def query(sql, **asked):
    place = {"OutputLocation": "s3://results/"}
    started = athena.start_query_execution(QueryString=sql, ResultConfiguration=place, **asked)
    query_id = started["QueryExecutionId"]
    for _ in range(300):
        found = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return found
        time.sleep(0.2)


def result(sql):
    found = query(sql)
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    return athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])["ResultSet"]


def rows(sql):
    return [[each.get("VarCharValue") for each in row["Data"]] for row in result(sql)["Rows"]][1:]


def table(database, location, kind, serde, **columns):
    glue.create_database(DatabaseInput={"Name": database})
    storage = {
        "Columns": [{"Name": name, "Type": type_} for name, type_ in columns.items()],
        "Location": location,
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "SerdeInfo": {"SerializationLibrary": serde, "Parameters": {"field.delim": ","}},
    }
    described = {"Name": "t", "Parameters": {"classification": kind}, "StorageDescriptor": storage}
    glue.create_table(DatabaseName=database, TableInput=described)


CSV = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
JSON = "org.openx.data.jsonserde.JsonSerDe"
"""

SQL = Correction(
    name="athena-sql",
    title="Queries are DuckDB's SQL, unchecked, instead of Trino's",
    replaces={f"{ATHENA}handle_request": "b5bab0d50ae0"},
    ministack="A query is given to DuckDB as it is: 7 / 2 is 3.5, Trino's functions are missing, SHOW TABLES "
    "and information_schema succeed with no rows; a workgroup that does not exist, and a limit of "
    "bytes, are passed over.",
    aws="Athena's SQL is Trino's; a query is checked before it runs, with the rights of whoever asks.",
    sources=(
        "https://docs.aws.amazon.com/athena/latest/ug/ddl-sql-reference.html",
        "https://docs.aws.amazon.com/athena/latest/ug/security-iam-athena.html",
        "https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html",
    ),
    upstream=NOT_FOUND,
    change="Translate (sqlglot has both dialects), refuse what is not there, and look the workgroup up.",
    reproduce=QUERY
    + """
assert rows("SELECT 7 / 2") == [["3"]], rows("SELECT 7 / 2")
try:
    query("SELECT 1", WorkGroup="nowhere")
except athena.exceptions.InvalidRequestException:
    pass
else:
    raise AssertionError("it ran in a workgroup that does not exist")
""",
    tests=("tests/local/in_server/test_athena_sql.py::test_byte_cutoff",),
)
RESULTS = Correction(
    name="athena-results",
    title="A query's result is not where GetQueryExecution says",
    replaces={f"{ATHENA}_execute_query": "a0d794af9bfb"},
    ministack="OutputLocation says …/ID.csv; the object is …/ID.csv/ID.csv. It is written whether the caller "
    "may or not, and tables are made and dropped likewise.",
    aws="The object is at OutputLocation, beside it its .metadata; both are written with the caller's "
    "rights, and the query fails if he has them not.",
    sources=(
        "https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html",
        "https://docs.aws.amazon.com/athena/latest/ug/security-iam-athena.html",
    ),
    upstream=NOT_FOUND,
    change="Write to OutputLocation itself, as the caller.",
    reproduce=QUERY
    + """
location = query("SELECT 1 AS n")["ResultConfiguration"]["OutputLocation"]
bucket, _, key = location.removeprefix("s3://").partition("/")
body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
assert body == b'"n"\\n"1"\\n', body
""",
    tests=("tests/local/in_server/test_athena_sql.py::test_a_query_has_the_rights_of_who_asks",),
)
SCANNED = Correction(
    name="athena-scanned-bytes",
    title="DataScannedInBytes is the size of the result",
    replaces={f"{ATHENA}_execution_out": "36d6ce976b7a"},
    ministack="DataScannedInBytes says how large the result is, also of a query that has read a whole table.",
    aws="It says how much of the tables was read, by which queries are billed.",
    sources=("https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecutionStatistics.html",),
    upstream=NOT_FOUND,
    change="Add up the sizes of the objects that are read.",
    reproduce=QUERY
    + """
s3.create_bucket(Bucket="scanned")
s3.put_object(Bucket="scanned", Key="t/a.csv", Body=b"1\\n" * 1000)
table("scanned", "s3://scanned/t/", "csv", CSV, n="int")
found = query("SELECT count(*) FROM scanned.t")
assert found["Statistics"]["DataScannedInBytes"] == 2000, found["Statistics"]
""",
)
WORKGROUP_DEFAULTS = Correction(
    name="athena-workgroup-defaults",
    title="GetWorkGroup leaves out what nobody has set",
    replaces={f"{ATHENA}_get_workgroup": "b9bc51ca35fe"},
    ministack="The configuration has only what it was created with.",
    aws="EnforceWorkGroupConfiguration and PublishCloudWatchMetricsEnabled are true by default, "
    "RequesterPaysEnabled is false, and GetWorkGroup tells them.",
    sources=("https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html",),
    upstream=NOT_FOUND,
    change="Fill in the defaults when a workgroup is created.",
    reproduce="""
athena = client("athena")
athena.create_work_group(Name="defaults")
found = athena.get_work_group(WorkGroup="defaults")["WorkGroup"].get("Configuration", {})
assert found.get("EnforceWorkGroupConfiguration") is True, found
""",
)
COLUMN_TYPES = Correction(
    name="athena-column-types",
    title="ColumnInfo says of a decimal neither its precision nor its scale",
    replaces={f"{ATHENA}_run_duckdb": "9c1c67ff1558", f"{ATHENA}_type_precision_scale": "17332d522c3e"},
    ministack="DuckDB's types lose what is in brackets; decimals may be told with an exponent, reals with a "
    "double's digits; errors are DuckDB's.",
    aws="Precision and Scale are the type's. A decimal is written with all its digits. Errors have Trino's "
    "codes, such as DIVISION_BY_ZERO.",
    sources=("https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html",),
    upstream=NOT_FOUND,
    change="Keep the sizes of the type, and write values as Trino does.",
    reproduce=QUERY
    + """
(column,) = result("SELECT CAST(1.5 AS DECIMAL(5, 2)) AS n")["ResultSetMetadata"]["ColumnInfo"]
assert (column["Type"], column["Precision"], column["Scale"]) == ("decimal", 5, 2), column
""",
)
TABLE_TYPES = Correction(
    name="athena-table-types",
    title="Tables of JSON and CSV are read with types that DuckDB guesses",
    replaces={f"{ATHENA}_table_relation": "3c58dfd739e3"},
    ministack="JSON is read with the columns and types that DuckDB finds in the objects: a text that looks "
    "like a time is one, a column that no row has is an error, 1.5 is the whole number 2. A CSV's "
    "decimals have nine digits of a fraction.",
    aws="Tables are read with the catalogue's columns and types; what is no value of its type is NULL or an"
    " error, never another value.",
    sources=(
        "https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html",
        "https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html",
    ),
    upstream=NOT_FOUND,
    change="Give read_json and read_csv the columns of the catalogue.",
    reproduce=QUERY
    + """
s3.create_bucket(Bucket="typed")
s3.put_object(Bucket="typed", Key="t/a.json", Body=b'{"at": "2024-01-01T10:00:00Z"}\\n')
table("typed", "s3://typed/t/", "json", JSON, at="string", never="string")
found = rows("SELECT at, never FROM typed.t")
assert found == [["2024-01-01T10:00:00Z", None]], found
""",
    tests=(
        "tests/local/in_server/test_athena_sql.py::test_csv_numbers_are_exact_or_null",
        "tests/local/in_server/test_athena_sql.py::test_json_lines_have_the_types_of_the_catalogue",
    ),
)
HIVE_TYPES = Correction(
    name="athena-hive-types",
    title="Columns of a table without objects are VARCHAR if their type has parts",
    replaces={f"{ATHENA}_duckdb_type": "84070f83dbf7"},
    ministack="Of a table without objects, and of partition keys, array<…>, map<…> and struct<…> are VARCHAR,"
    " and decimal(20,12) is DECIMAL without its digits.",
    aws="A column has the catalogue's type, whether there are objects or not.",
    sources=("https://docs.aws.amazon.com/athena/latest/ug/data-types.html",),
    upstream=NOT_FOUND,
    change="Translate Hive's types with their parts.",
    reproduce=QUERY
    + """
s3.create_bucket(Bucket="without")
table("without", "s3://without/t/", "json", JSON, items="array<struct<name:string>>")
assert rows("SELECT items[1].name FROM without.t") == []
""",
)
OBJECT_NAMES = Correction(
    name="athena-names-of-objects",
    title="The names of objects and folders are taken for URLs, patterns and files",
    replaces={f"{ATHENA}_materialize_table_files": "90e7535aeb80"},
    ministack="Of a folder `a?b` is read what is in `a`; an object's key is taken for a file's name or a "
    "pattern, so that some are not read, or lie outside of the folder that they are copied to. What"
    " is archived is read.",
    aws="A location is a bucket and a prefix, a key is any characters. Objects in GLACIER and DEEP_ARCHIVE "
    "are skipped.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
        "https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html",
    ),
    upstream=NOT_FOUND,
    change="Copy objects to files of names of your own; split a location at its first slash; skip what is "
    "archived.",
    reproduce=QUERY
    + """
s3.create_bucket(Bucket="names")
s3.put_object(Bucket="names", Key="a?b/[1].csv", Body=b"1\\n")
table("names", "s3://names/a?b/", "csv", CSV, n="int")
found = rows("SELECT n FROM names.t")
assert found == [["1"]], found
""",
    tests=("tests/local/in_server/test_crawls.py::test_folders_of_any_name_are_read",),
)
WORKGROUP_RIGHTS = Correction(
    name="athena-rights-on-workgroups",
    title="Rights are asked of * instead of the workgroup",
    replaces={"ministack.core.iam_actions:extract_resource_arn": "ed1944a5400d"},
    ministack="With AUTH=true a policy that allows athena:* on one workgroup does not allow to ask about a "
    "query in it.",
    aws="The resource of the calls about queries and workgroups is the workgroup.",
    sources=("https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonathena.html",),
    upstream=NOT_FOUND,
    change="Let extract_resource_arn find the workgroup, that of a query by its id.",
    reproduce="""
import json

iam = client("iam")
account = client("sts").get_caller_identity()["Account"]
arn = f"arn:aws:athena:us-east-1:{account}:workgroup/mine"
client("s3").create_bucket(Bucket="mine")
place = {"ResultConfiguration": {"OutputLocation": "s3://mine/"}}
client("athena").create_work_group(Name="mine", Configuration=place)
started = client("athena").start_query_execution(QueryString="SELECT 1", WorkGroup="mine")
iam.create_user(UserName="analyst")
allowed = {"Effect": "Allow", "Action": "athena:*", "Resource": arn}
policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
iam.put_user_policy(UserName="analyst", PolicyName="all", PolicyDocument=policy)
key = iam.create_access_key(UserName="analyst")["AccessKey"]
mine = client("athena", key=(key["AccessKeyId"], key["SecretAccessKey"]))
mine.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
""",
)
