"""The notebook of the audit: three pipelines deployed by theirs, broken on purpose, found, mended."""

from collections.abc import Iterator
from contextlib import contextmanager

import papermill
import pytest
from support.headless import Deployed, eventually, execute
from support.the_five import pipelines

from lib.lake.query import Athena
from lib.operate.audits import audit as audits
from lib.parameters import Parameters

pytestmark = pytest.mark.long

ENV = "taudits"
KEYS = ["plain", "ü/🚀 a+b%2F", "stale", "metadata", "tags"]
NAMES = ["migrate", "backup", "index"]


@pytest.fixture(scope="module")
def deployed(deploy) -> Deployed:
    for notebook in ("10_migrate", "20_backup"):
        deploy(notebook, env=ENV)
    return deploy("30_index", env=ENV)


@pytest.fixture(scope="module")
def own(deployed) -> Parameters:
    return Parameters.check({"env": ENV, "audit": {"grace_s": 0}})


@pytest.fixture(scope="module")
def filled(deployed, own) -> Deployed:
    """Every pipeline has done its work."""
    for name in NAMES:
        bucket = pipelines(own)[name].source
        client = deployed.aws.client("s3", bucket.region)
        for key in KEYS:
            client.put_object(Bucket=bucket.name, Key=key, Body=b"body", Tagging="kind=a")
    assert eventually(lambda: all(is_whole(deployed, own, name) for name in NAMES))
    return deployed


def is_whole(deployed: Deployed, own: Parameters, name: str) -> bool:
    found = audits.audit(deployed.aws, own, name)
    return found.is_clean and found.findings.counts["same"] == len(KEYS)


@contextmanager
def lifted(client, bucket: str) -> Iterator[None]:
    """Do what a bucket's policy denies to everybody, its account's root too, who does not take it away."""
    policy = client.get_bucket_policy(Bucket=bucket)["Policy"]
    client.delete_bucket_policy(Bucket=bucket)
    yield
    client.put_bucket_policy(Bucket=bucket, Policy=policy)


def break_bucket(client, bucket: str) -> None:
    """Do to a destination what nobody should."""
    client.delete_object(Bucket=bucket, Key="plain")
    client.put_object(Bucket=bucket, Key="stale", Body=b"BODY", Tagging="kind=a")
    client.put_object(Bucket=bucket, Key="metadata", Body=b"body", Tagging="kind=a", ContentType="a/b")
    client.put_object_tagging(Bucket=bucket, Key="tags", Tagging={"TagSet": []})
    client.put_object(Bucket=bucket, Key="foreign", Body=b"body")


def break_table(client, table: str) -> None:
    (row,) = client.query(
        TableName=table,
        KeyConditionExpression="file_key = :key",
        ExpressionAttributeValues={":key": {"S": "plain"}},
    )["Items"]
    client.delete_item(TableName=table, Key={name: row[name] for name in ("file_key", "timestamp")})
    foreign = {"file_key": {"S": "foreign"}, "event_name": {"S": "ObjectCreated:Put"}}
    client.put_item(TableName=table, Item=row | foreign)


@pytest.fixture(scope="module")
def broken(filled, own, somebody) -> Deployed:
    for name in ("migrate", "backup"):
        bucket = pipelines(own)[name].destination
        with lifted(somebody("s3", bucket.region), bucket.name):
            break_bucket(somebody("s3", bucket.region), bucket.name)
    table = pipelines(own)["index"].destination
    break_table(somebody("dynamodb", table.region), table.name)
    return filled


OF_BUCKETS = {
    "plain": "missing",
    "stale": "stale",
    "metadata": "metadata",
    "tags": "tags",
    "foreign": "extra",
}


def test_what_is_broken_is_found_and_mended_as_far_as_the_pipeline_can(broken, own, capsys):
    aws = broken.aws
    found = {name: audits.audit(aws, own, name) for name in NAMES}
    by_key = {name: {f.key: f.state for f in result.findings} for name, result in found.items()}
    assert by_key["migrate"] == by_key["backup"] == OF_BUCKETS
    assert by_key["index"] == {"plain": "missing", "foreign": "extra"}
    with pytest.raises(papermill.PapermillExecutionError, match="migrate: as it should be .5 to be mended"):
        execute("70_audit", broken.folder, env=ENV, audit={"grace_s": 0})

    again = {name: audits.repair(aws, own, name, found[name]) for name in NAMES}
    assert again["backup"].is_clean
    assert again["index"].is_clean
    assert list(again["migrate"].differences["key"]) == ["foreign"], "nothing is deleted by migrate"
    assert audits.repair(aws, own, "backup", again["backup"]) is again["backup"]
    told = capsys.readouterr().out
    assert "backup: 5 of 5 differences sent" in told
    assert "migrate: 4 of 5 differences sent" in told


def test_a_repair_of_what_cannot_be_mended_ends_in_time(broken, own, somebody):
    aws, impatient = (
        broken.aws,
        own.model_copy(update={"audit": own.audit.model_copy(update={"repair_timeout_s": 1})}),
    )
    bucket, function = pipelines(own)["backup"].destination, pipelines(own)["backup"].created
    client = somebody("lambda", function.region)
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    with lifted(somebody("s3", bucket.region), bucket.name):
        somebody("s3", bucket.region).delete_object(Bucket=bucket.name, Key="stale")
    after = audits.repair(aws, impatient, "backup", audits.audit(aws, impatient, "backup"))
    client.delete_function_concurrency(FunctionName=function.name)
    assert list(after.differences["state"]) == ["missing"]
    assert eventually(lambda: audits.repair(aws, own, "backup", after).is_clean)


def test_the_notebook_mends_and_keeps_its_results(broken, own, somebody):
    bucket = pipelines(own)["migrate"].destination
    client = somebody("s3", bucket.region)
    for key in ("foreign", "plain"):
        client.delete_object(Bucket=bucket.name, Key=key)
    execute("70_audit", broken.folder, env=ENV, audit={"grace_s": 0, "repair": True})
    analyst = Athena(
        broken.aws,
        "us-east-1",
        workgroup=f"runbook-{ENV}-audit-queries",
        database=f"runbook_{ENV}_audit_results",
    )
    counts = analyst.query("SELECT DISTINCT pipeline, state FROM counts")
    assert {("migrate", "same"), ("backup", "same"), ("index", "same")} <= set(
        counts.itertuples(index=False, name=None)
    )
    rows = analyst.query("SELECT pipeline, key, state, by_design FROM differences WHERE key = 'plain'")
    assert set(rows["state"]) == {"missing"}
    assert not rows["by_design"].any()


def test_plan_writes_nothing_and_destroy_leaves_nothing(broken, somebody):
    execute("90_destroy", broken.folder, env=ENV, pipeline="audit")
    executed = execute("70_audit", broken.folder, env=ENV, mode="plan")
    names = [bucket["Name"] for bucket in somebody("s3").list_buckets()["Buckets"]]
    assert not [name for name in names if name.startswith(f"runbook-{ENV}-audit-")]
    assert "skipped, since this is not so: stack.applies" in str(executed.cells)
