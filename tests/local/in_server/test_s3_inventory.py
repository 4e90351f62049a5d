"""Inventory configurations on the local AWS, which are corrected in its server."""

import pytest
from botocore.exceptions import ClientError

from lib.local import ministack
from lib.local.deployer import ROOT_KEY
from lib.local.deployer import client as make_client

BUCKET = "runbook-another-inventory"


def configuration(name: str) -> dict:
    place = {"Bucket": "arn:aws:s3:::reports", "Format": "Parquet", "Encryption": {"SSES3": {}}}
    return {
        "Id": name,
        "Destination": {"S3BucketDestination": place},
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "OptionalFields": ["Size"],
        "Schedule": {"Frequency": "Daily"},
    }


def put(s3, name: str) -> dict:
    kept = configuration(name)
    s3.put_bucket_inventory_configuration(Bucket=BUCKET, Id=name, InventoryConfiguration=kept)
    return kept


def listed(s3) -> list[dict]:
    return s3.list_bucket_inventory_configurations(Bucket=BUCKET).get("InventoryConfigurationList", [])


@pytest.fixture
def s3(somebody):
    client = somebody("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.delete_bucket(Bucket=BUCKET)


def test_they_are_kept_listed_and_deleted_and_the_bucket_stays(s3):
    first, second = put(s3, "a"), put(s3, "b/ü")
    assert listed(s3) == [first, second]
    read = s3.get_bucket_inventory_configuration(Bucket=BUCKET, Id="b/ü")["InventoryConfiguration"]
    assert read == second
    s3.delete_bucket_inventory_configuration(Bucket=BUCKET, Id="a")
    assert listed(s3) == [second]
    s3.head_bucket(Bucket=BUCKET)


@pytest.mark.parametrize("call", ["get", "delete"])
def test_one_that_is_not_there_is_an_error(s3, call: str):
    ask = getattr(s3, f"{call}_bucket_inventory_configuration")
    with pytest.raises(ClientError, match="NoSuchConfiguration"):
        ask(Bucket=BUCKET, Id="nowhere")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        ask(Bucket="runbook-test-nowhere", Id="nowhere")


def test_they_go_with_their_bucket(s3):
    put(s3, "a")
    s3.delete_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=BUCKET)
    assert listed(s3) == []


def test_the_deployer_may_not_set_them_on_buckets_that_are_not_ours(s3, client):
    with pytest.raises(ClientError, match="AccessDenied"):
        put(client("s3"), "a")


def test_a_server_that_is_killed_has_kept_them(own_home, kill):
    server = ministack.start()
    s3 = make_client(server, "s3", ROOT_KEY, ROOT_KEY)
    s3.create_bucket(Bucket=BUCKET)
    kept = put(s3, "a")
    kill(server.pid)
    assert listed(make_client(ministack.start(), "s3", ROOT_KEY, ROOT_KEY)) == [kept]
