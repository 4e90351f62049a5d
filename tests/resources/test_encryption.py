"""Every store, with a KMS key, with another one, and without."""

import pytest
from support import cases
from support.case import ELSEWHERE, HERE, Case

from lib.engine.stack import Stack
from lib.lake.table_export import export
from lib.operate.backfills import manifest
from lib.parameters import Parameters
from lib.resources.base import Resource, Scope
from lib.s3.selection import Selection

STORES = [case for case in cases.EVERY.values() if case.key]
EVERY = pytest.mark.parametrize("case", STORES, ids=repr)


@pytest.fixture(scope="module")
def key_arns(somebody) -> dict[str, list[str]]:
    """Two keys in each region of the cases."""
    return {
        region: [somebody("kms", region).create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        for region in (HERE, ELSEWHERE)
    }


def keys_of(store: Resource, key_arns: dict[str, list[str]]) -> list[str]:
    """The keys of the region that a store is in; a trail's files may be in another one than the trail."""
    return key_arns[getattr(store, "logs", store).region]


def with_keys(stack: Stack, *arns: str) -> Stack:
    """The same stack, empty, as other parameters describe it."""
    parameters = Parameters.check({"env": "test", "kms_key_arns": list(arns)})
    return Stack(stack.target, parameters, stack.scope.pipeline)


def changes(stack: Stack) -> dict[str, set[str]]:
    return {step.resource.arn: set(step.changes) for step in stack.plan() if step.action != "unchanged"}


@EVERY
def test_a_key_is_given_at_the_creation(stack: Stack, somebody, key_arns, case: Case):
    keyed = with_keys(stack, *(arns[0] for arns in key_arns.values()))
    store = case.describe(keyed)
    keyed.apply()
    assert case.key.read(somebody(store.service, store.region), store) == keys_of(store, key_arns)[0]
    assert changes(keyed) == {}


@EVERY
def test_a_key_is_given_changed_and_taken_away_later(stack: Stack, somebody, key_arns, case: Case):
    store = case.describe(stack)
    stack.apply()
    client, (first, second) = somebody(store.service, store.region), keys_of(store, key_arns)
    for arns in ([first], [second], []):
        described = with_keys(stack, *arns)
        case.describe(described)
        assert changes(described)[store.arn] <= case.key.names
        described.apply()
        assert case.key.read(client, store) in (arns or (None, ""))
        assert changes(described) == {}, f"the plan after {arns}"


def test_a_queue_is_encrypted_in_one_way_at_a_time(stack: Stack, somebody, key_arns):
    for arns, by_sqs in (([key_arns[ELSEWHERE][0]], "false"), ([], "true")):
        described = with_keys(stack, *arns)
        queue = cases.sqs.queue(described)
        described.apply()
        attributes = cases.sqs.attributes(somebody("sqs", ELSEWHERE), queue)
        assert attributes["SqsManagedSseEnabled"] == by_sqs
        assert attributes.get("KmsMasterKeyId", "") == "".join(arns)


def test_a_key_is_for_its_own_region():
    key_arn = "arn:aws:kms:eu-west-1:000000000000:key/k"
    scope = Scope("runbook", "test", "index", "000000000000", kms_key_arns=(key_arn,))
    assert scope.kms_key_arn("eu-west-1") == key_arn
    assert scope.kms_key_arn("us-east-1") == ""


def test_an_export_is_encrypted_with_the_key_of_its_bucket(stack: Stack, somebody, key_arns):
    keyed = with_keys(stack, key_arns[HERE][0])
    table, bucket = cases.dynamodb.table(keyed), cases.s3.bucket(keyed)
    keyed.apply()
    export(keyed.target, table, bucket, "")
    s3 = somebody("s3", HERE)
    for item in s3.list_objects_v2(Bucket=bucket.name)["Contents"]:
        head = s3.head_object(Bucket=bucket.name, Key=item["Key"])
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_arns[HERE][0])


def test_a_manifest_is_not_encrypted_with_the_key_of_its_bucket(stack: Stack, somebody, key_arns):
    """S3 Batch Operations could not read it."""
    keyed = with_keys(stack, key_arns[HERE][0])
    bucket = cases.s3.bucket(keyed)
    keyed.apply()
    s3 = somebody("s3", HERE)
    s3.put_object(Bucket=bucket.name, Key="in/1.csv", Body=b"1")
    assert s3.head_object(Bucket=bucket.name, Key="in/1.csv")["ServerSideEncryption"] == "aws:kms"
    manifest.write(keyed.target, Selection(bucket, "in/"), bucket, "manifests/m.csv")
    assert s3.head_object(Bucket=bucket.name, Key="manifests/m.csv")["ServerSideEncryption"] == "AES256"
