"""What others' tools do against the local AWS: each what its user does, with nothing of ours in its process.

They have environments of their own (`make tools`), since what they need differs from what we need.
"""

import json
import os
import subprocess

import pytest
from support.lake import Lake, samples_lake

from lib.base.paths import ROOT

TIMEOUT_S = 600


@pytest.fixture(scope="module")
def lake(local_aws):
    return samples_lake(local_aws)


@pytest.fixture
def run(lake: Lake, tmp_path):
    """Runs a tool of `make tools` as the lake's user: `run("aws", "s3", "ls")`."""

    def call(tool, *arguments, folder="tools"):
        path = ROOT / ".cache" / folder / "bin" / tool
        if not path.exists():
            pytest.skip(f"{tool} is not installed: make tools")
        key = lake.session.get_credentials()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": lake.server.endpoint_url,
            "AWS_CA_BUNDLE": str(lake.server.ca_bundle),
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return subprocess.run(
            [str(path), *arguments], env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )

    return call


def python(run, script, *arguments, folder="tools"):
    """What a script prints, as JSON."""
    done = run("python", "-c", script, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


AWSWRANGLER = """
import json, sys
import awswrangler as wr
database, workgroup = sys.argv[1:]
asked = dict(database=database, workgroup=workgroup, ctas_approach=False)
carriers = wr.athena.read_sql_query("SELECT carrier, name FROM airlines ORDER BY 1", **asked)
# Trino's whole numbers divide to whole numbers, and DuckDB's do not.
days = "date_diff('day', DATE '2024-02-28', DATE '2024-03-01')"
odd = wr.athena.read_sql_query(f"SELECT 7 / 2 AS half, {days} AS days", **asked)
failed = ""
try:
    wr.athena.read_sql_query("SELECT nothing FROM airlines", **asked)
except wr.exceptions.QueryFailed as error:
    failed = str(error)
print(json.dumps([carriers["carrier"].tolist(), odd.iloc[0].tolist(), failed], default=int))
"""


def test_aws_sdk_pandas_reads_a_query_s_result(run, lake):
    carriers, odd, failed = python(run, AWSWRANGLER, lake.database, lake.name)
    assert len(carriers) == 16 and carriers[0] == "9E"
    assert odd == [3, 2]
    assert "COLUMN_NOT_FOUND" in failed


def cli(run, *arguments):
    done = run("aws", *arguments, "--output", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "{}")


def ask(run, lake, sql):
    """Starts a query with the AWS CLI."""
    context = f"Database={lake.database}"
    return run(
        *("aws", "athena", "start-query-execution", "--work-group", lake.name, "--output", "json"),
        *("--query-execution-context", context, "--query-string", sql),
    )


def test_the_aws_cli_crawls_and_gets_trino_s_dialect(run, lake):
    lake.put("fruit/a.csv", "name,grams\napple,150\nplum,30\n")
    crawler = lake.crawler(
        {"Delimiter": ",", "ContainsHeader": "PRESENT"}, path="fruit/", TablePrefix="by_cli_"
    )
    cli(run, "glue", "start-crawler", "--name", crawler)
    lake.wait(crawler)
    table = cli(run, "glue", "get-table", "--database-name", lake.database, "--name", "by_cli_fruit")
    columns = table["Table"]["StorageDescriptor"]["Columns"]
    assert [(each["Name"], each["Type"]) for each in columns] == [("name", "string"), ("grams", "bigint")]
    query = json.loads(ask(run, lake, "SELECT sum(grams) / 7 AS n FROM by_cli_fruit").stdout)
    lake.wait_for_query(query["QueryExecutionId"])
    result = cli(run, "athena", "get-query-results", "--query-execution-id", query["QueryExecutionId"])
    assert result["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "25"}]


@pytest.mark.parametrize("sql", ["SHOW TABLES", "SELECT table_name FROM information_schema.tables"])
def test_what_is_only_pretended_is_refused_to_the_aws_cli(run, lake, sql):
    done = ask(run, lake, sql)
    assert done.returncode != 0
    assert "NotImplemented" in done.stderr and "The local AWS cannot do this" in done.stderr


def many_files(folder, count):
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_text(str(number))
    return str(folder)


def keys(lake, prefix):
    pages = lake.s3.get_paginator("list_objects_v2").paginate(Bucket=lake.name, Prefix=prefix)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


# hypercorn ends a connection after a thousand requests.
MANY = 1050


def test_rclone_copies_many_files_at_the_first_try(run, lake, tmp_path):
    source = many_files(tmp_path / "rclone", MANY)
    remote = f":s3,provider=Other,env_auth=true,region=us-east-1,endpoint='{lake.server.endpoint_url}':"
    done = run(
        *(
            "rclone",
            "copy",
            source,
            f"{remote}{lake.name}/rclone",
            "--retries",
            "1",
            "--low-level-retries",
            "1",
        ),
        *("--ca-cert", str(lake.server.ca_bundle), "--transfers", "16", "--s3-no-check-bucket"),
    )
    assert done.returncode == 0, done.stderr
    assert keys(lake, "rclone/") == {f"rclone/{number}.txt" for number in range(MANY)}


def test_s5cmd_copies_many_files(run, lake, tmp_path):
    source = many_files(tmp_path / "s5cmd", 100)
    target = f"s3://{lake.name}/s5cmd/"
    done = run("s5cmd", "--endpoint-url", lake.server.endpoint_url, "cp", f"{source}/", target)
    assert done.returncode == 0, done.stderr
    assert keys(lake, "s5cmd/") == {f"s5cmd/{number}.txt" for number in range(100)}


OLD_BOTO3 = """
import json, sys
import boto3
name, endpoint = sys.argv[1:]
client = boto3.client("cloudwatch", endpoint_url=endpoint)  # it knows no AWS_ENDPOINT_URL yet
topic = "arn:aws:sns:us-east-1:000000000000:nobody"
asked = dict(AlarmName=name, Namespace="own", MetricName="n", Statistic="Sum", Period=60, EvaluationPeriods=3,
             DatapointsToAlarm=2, Threshold=1.5, ComparisonOperator="GreaterThanThreshold",
             TreatMissingData="notBreaching", AlarmDescription="a < b & c", Unit="Count",
             AlarmActions=[topic], OKActions=[topic], InsufficientDataActions=[topic],
             Dimensions=[{"Name": "one", "Value": "1"}])
client.put_metric_alarm(**asked)
found, = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
print(json.dumps({key: [asked[key], found.get(key)] for key in asked if found.get(key) != asked[key]}))
client.delete_alarms(AlarmNames=[name])
"""


def test_an_older_boto3_sees_all_of_an_alarm(run, lake):
    lake.allow("cloudwatch:*")
    assert python(run, OLD_BOTO3, lake.name, lake.server.endpoint_url, folder="old-tools") == {}
