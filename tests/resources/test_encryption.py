"""Every store, with a KMS key, with another one, and without."""

from collections.abc import Callable

import pytest
from support.examples import ELSEWHERE, EXAMPLES, HERE

from lib.engine.stack import Stack
from lib.lake.table_export import export
from lib.operate.backfills import manifest
from lib.parameters import Parameters
from lib.resources.base import Resource, Scope
from lib.s3.selection import Selection


def key_of_bucket(s3, ours: Resource) -> str | None:
    rules = s3.get_bucket_encryption(Bucket=ours.name)["ServerSideEncryptionConfiguration"]["Rules"]
    return rules[0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")


def key_of_topic(sns, ours: Resource) -> str | None:
    return sns.get_topic_attributes(TopicArn=ours.arn)["Attributes"].get("KmsMasterKeyId")


def queue_attributes(sqs, ours: Resource) -> dict[str, str]:
    return sqs.get_queue_attributes(QueueUrl=ours.output(sqs), AttributeNames=["All"])["Attributes"]


def key_of_queue(sqs, ours: Resource) -> str | None:
    return queue_attributes(sqs, ours).get("KmsMasterKeyId")


def key_of_table(dynamodb, ours: Resource) -> str | None:
    description = dynamodb.describe_table(TableName=ours.name)["Table"].get("SSEDescription", {})
    return description.get("KMSMasterKeyArn") if description.get("Status") == "ENABLED" else None


def key_of_log_group(logs, ours: Resource) -> str | None:
    (group,) = logs.describe_log_groups(logGroupNamePrefix=ours.name)["logGroups"]
    return group.get("kmsKeyId")


def key_of_workgroup(athena, ours: Resource) -> str | None:
    found = athena.get_work_group(WorkGroup=ours.name)["WorkGroup"]["Configuration"]
    return found["ResultConfiguration"]["EncryptionConfiguration"].get("KmsKey")


def key_of_reports(s3, ours: Resource) -> str | None:
    found = s3.get_bucket_inventory_configuration(Bucket=ours.source.name, Id=ours.name)
    place = found["InventoryConfiguration"]["Destination"]["S3BucketDestination"]
    return place["Encryption"].get("SSEKMS", {}).get("KeyId")


def key_of_log_files(cloudtrail, ours: Resource) -> str | None:
    return cloudtrail.get_trail(Name=ours.name)["Trail"].get("KmsKeyId")


# What a plan names, and how somebody sees with which key a store is encrypted.
STORES: dict[str, tuple[set[str], Callable[..., str | None]]] = {
    "Bucket": ({"encryption"}, key_of_bucket),
    "Topic": ({"KmsMasterKeyId"}, key_of_topic),
    "Queue": ({"encryption"}, key_of_queue),
    "Table": ({"KMSMasterKeyArn"}, key_of_table),
    "LogGroup": ({"kmsKeyId"}, key_of_log_group),
    "WorkGroup": ({"EncryptionOption", "KmsKey"}, key_of_workgroup),
    "InventoryConfiguration": ({"Destination"}, key_of_reports),
    "Trail": ({"KmsKeyId"}, key_of_log_files),
}
EVERY = pytest.mark.parametrize("name", STORES)


@pytest.fixture(scope="module")
def key_arns(somebody) -> dict[str, list[str]]:
    """Two keys in each region of the examples."""
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
def test_a_key_is_given_at_the_creation(stack: Stack, somebody, key_arns, name: str):
    keyed = with_keys(stack, *(arns[0] for arns in key_arns.values()))
    store = EXAMPLES[name](keyed)
    keyed.apply()
    _, key_of = STORES[name]
    assert key_of(somebody(store.service, store.region), store) == keys_of(store, key_arns)[0]
    assert changes(keyed) == {}


@EVERY
def test_a_key_is_given_changed_and_taken_away_later(stack: Stack, somebody, key_arns, name: str):
    store = EXAMPLES[name](stack)
    stack.apply()
    settings, key_of = STORES[name]
    client, (first, second) = somebody(store.service, store.region), keys_of(store, key_arns)
    for arns in ([first], [second], []):
        described = with_keys(stack, *arns)
        EXAMPLES[name](described)
        assert changes(described)[store.arn] <= settings
        described.apply()
        assert key_of(client, store) in (arns or (None, ""))
        assert changes(described) == {}, f"the plan after {arns}"


def test_a_queue_is_encrypted_in_one_way_at_a_time(stack: Stack, somebody, key_arns):
    for arns, by_sqs in (([key_arns[ELSEWHERE][0]], "false"), ([], "true")):
        described = with_keys(stack, *arns)
        queue = EXAMPLES["Queue"](described)
        described.apply()
        attributes = queue_attributes(somebody("sqs", ELSEWHERE), queue)
        assert attributes["SqsManagedSseEnabled"] == by_sqs
        assert attributes.get("KmsMasterKeyId", "") == "".join(arns)


def test_a_key_is_for_its_own_region():
    key_arn = "arn:aws:kms:eu-west-1:000000000000:key/k"
    scope = Scope("runbook", "test", "index", "000000000000", kms_key_arns=(key_arn,))
    assert scope.kms_key_arn("eu-west-1") == key_arn
    assert scope.kms_key_arn("us-east-1") == ""


def test_an_export_is_encrypted_with_the_key_of_its_bucket(stack: Stack, somebody, key_arns):
    keyed = with_keys(stack, key_arns[HERE][0])
    table, bucket = EXAMPLES["Table"](keyed), EXAMPLES["Bucket"](keyed)
    keyed.apply()
    export(keyed.target, table, bucket, "")
    s3 = somebody("s3", HERE)
    for item in s3.list_objects_v2(Bucket=bucket.name)["Contents"]:
        head = s3.head_object(Bucket=bucket.name, Key=item["Key"])
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_arns[HERE][0])


def test_a_manifest_is_not_encrypted_with_the_key_of_its_bucket(stack: Stack, somebody, key_arns):
    """S3 Batch Operations could not read it."""
    keyed = with_keys(stack, key_arns[HERE][0])
    bucket = EXAMPLES["Bucket"](keyed)
    keyed.apply()
    s3 = somebody("s3", HERE)
    s3.put_object(Bucket=bucket.name, Key="in/1.csv", Body=b"1")
    assert s3.head_object(Bucket=bucket.name, Key="in/1.csv")["ServerSideEncryption"] == "aws:kms"
    manifest.write(keyed.target, Selection(bucket, "in/"), bucket, "manifests/m.csv")
    assert s3.head_object(Bucket=bucket.name, Key="manifests/m.csv")["ServerSideEncryption"] == "AES256"
