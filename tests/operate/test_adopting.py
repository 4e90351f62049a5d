"""What adopting means is said before the first write, whatever the bucket has."""

import json
import secrets

import pytest
from botocore.exceptions import ClientError
from support.described import describe
from support.somebodys import Somebodys

from lib.engine import preflight
from lib.engine.preflight.form import listed
from lib.operate import adopting
from lib.parameters import Parameters
from lib.resources.iam import Role
from lib.target import connect

HERE = "us-east-1"


@pytest.fixture(scope="module")
def bucket(local_aws, somebody) -> Somebodys:
    """With a lock, a policy that denies, and objects in an archive."""
    bucket = Somebodys(somebody, f"means.{secrets.token_hex(4)}", HERE)
    bucket.s3.create_bucket(Bucket=bucket.name, ObjectLockEnabledForBucket=True)
    bucket.furnish(event="s3:ObjectRestore:Completed")
    deny = {"Sid": "NobodyReads", "Effect": "Deny", "Principal": "*", "Action": "s3:Get*"}
    secret = {**deny, "Resource": f"arn:aws:s3:::{bucket.name}/secret/*"}
    tls = {**deny, "Sid": "Tls", "Resource": f"arn:aws:s3:::{bucket.name}/*"}
    tls["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}
    policy = {"Version": "2012-10-17", "Statement": [secret, tls]}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    bucket.s3.put_object(Bucket=bucket.name, Key="old", Body=b"12", StorageClass="GLACIER")
    bucket.s3.put_object(Bucket=bucket.name, Key="new", Body=b"1")
    return bucket


@pytest.fixture(scope="module")
def under_keys(local_aws, somebody) -> tuple[Somebodys, list[str]]:
    """A bucket whose default key is the first, with ten objects under each of three, and one under SSE-C."""
    bucket = Somebodys(somebody, f"keys.{secrets.token_hex(4)}", HERE).create()
    keys = [somebody("kms", HERE).create_key()["KeyMetadata"]["Arn"] for _ in range(3)]
    bucket.furnish(keys[0], event="s3:ObjectRestore:Completed")
    for number in range(30):
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": keys[number % 3]}
        bucket.s3.put_object(Bucket=bucket.name, Key=f"{number}", Body=b"1", **under)
    secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    bucket.s3.put_object(Bucket=bucket.name, Key="secret", Body=b"1", **secret)
    return bucket, keys


@pytest.fixture(scope="module")
def told(bucket) -> dict[str, list[tuple[str, str]]]:
    """What was looked at, to what was found and what that means."""
    parameters = Parameters.check({"env": "tmeans", "index": {"bucket": bucket.name}})
    before = bucket.configuration()
    stack = describe("index", connect(parameters), parameters, bucket=bucket.name)
    stack.parameters = parameters  # with an exercise
    found = adopting.means(stack, parameters.index)
    assert bucket.configuration() == before
    assert set(found.table()["bucket"]) == {bucket.name}
    rows: dict[str, list[tuple[str, str]]] = {}
    for row in found.table().itertuples():
        rows.setdefault(row.what, []).append((row.found, row.means))
    return rows


@pytest.mark.parametrize(
    ("what", "found", "means"),
    [
        ("region and owner", "us-east-1, account 000000000000", "never made, deleted"),
        ("is to the pipeline", "source", "runbook-tmeans-index-objects; destroy takes it away"),
        ("is to the pipeline", "exercise: samples below runbook-tmeans-exercise/", "erased again"),
        ("versions", "Enabled", "is kept"),
        ("encryption", "AWS's", "no right on a key"),
        ("Object Lock", "on: no default retention", "left there until"),
        ("requester pays", "BucketOwner", "owner's account"),
        ("EventBridge", "on", "stays on"),
        ("notifications of others", "theirs: s3:ObjectRestore:Completed of 'others/*'", "stays as it is"),
        ("replication rules", "own: to means-", "copies to"),
        ("lifecycle", "old: to GLACIER after 30 days", "restore-object"),
        ("policy", "NobodyReads", "denies s3:GetObject, s3:GetObjectVersion"),
        ("objects", "2 objects", "0:00:01 at 100 a second; it costs about $0.00"),
        ("objects", "1 of them archived", "cannot be copied"),
    ],
)
def test_it_is_said(told, what, found, means):
    if (what, found[:8]) == ("replication rules", "own: to "):
        found = "own: to "
    assert any(one.startswith(found) or found in one for one, _ in told[what]), told[what]
    assert any(means in text for _, text in told[what]), told[what]


def test_what_denies_only_others_or_without_tls_is_not_said(told):
    assert [found for found, _ in told["policy"]] == ["NobodyReads"]


def test_what_cannot_be_seen_is_named(bucket, monkeypatch):
    parameters = Parameters.check({"env": "tmeans", "index": {"bucket": bucket.name}})
    stack = describe("index", connect(parameters), parameters, bucket=bucket.name)

    def refuse(self):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetBucketAcl")

    monkeypatch.setattr(adopting._Look, "acls", refuse)
    table = adopting.means(stack, parameters.index).table().set_index("what")
    assert table.loc["ACLs", "means"] == "S3 answers AccessDenied: no"
    assert "policy" in table.index


def test_objects_under_other_keys_are_found_by_a_sample(under_keys):
    bucket, (_, named, other) = under_keys
    section = {"bucket": bucket.name, "source_kms_key_arns": [named]}
    parameters = Parameters.check({"env": "tmeans", "index": section})
    stack = describe("index", connect(parameters), parameters, **section)
    table = adopting.means(stack, parameters.index).table()
    said = table[table["what"] == "other keys"].set_index("found")["means"].to_dict()
    assert "unless index.source_kms_key_arns names it" in said[f"10 of 31 looked at, of 31: {other}"]
    assert "cannot read" in said[f"1 of 31 looked at, of 31: {adopting.CUSTOMERS_KEY}"]
    assert len(said) == 2


def test_a_role_decrypts_with_the_keys_that_are_named_and_no_other(under_keys):
    bucket, (own, named, _) = under_keys
    for name in ("index", "summarize", "ingest"):
        section = {"bucket": bucket.name, "source_kms_key_arns": [named]}
        parameters = Parameters.check({"env": "tmeans", name: section})
        stack = describe(name, connect(parameters), parameters, **section)
        roles = [one for one in stack.resources.values() if isinstance(one, Role)]
        about = [
            (*listed(one["Action"]), arn, one["Condition"]["StringLike"]["kms:ViaService"])
            for role in roles
            for one in role.policy["Statement"]
            for arn in listed(one["Resource"])
            if ":key/" in arn
        ]
        assert {arn for *_, arn, _ in about} == {own, named}
        assert {each for each in about if named in each} == {("kms:Decrypt", named, "s3.*.amazonaws.com")}
        assert preflight.check(stack) == []


def test_nothing_is_said_of_a_pipeline_that_makes_its_own(local_aws):
    parameters = Parameters.check({"env": "tmeans"})
    found = adopting.means(describe("index", connect(parameters), parameters), parameters.index)
    assert repr(found) == "no bucket is adopted: the pipeline makes its own"
