"""Every store that a notebook describes, as a user would check it: TLS only, encrypted, private."""

import json

import pytest
from notebook_stacks import PIPELINES, described, stack_of

from lib.errors import ParameterError
from lib.parameters import Parameters
from lib.paths import ROOT
from lib.resources.dynamodb import Table
from lib.resources.iam import Role
from lib.resources.lambda_ import Permission
from lib.resources.s3 import Bucket
from lib.resources.sns import Topic
from lib.resources.sqs import Queue

TLS = {"Bool": {"aws:SecureTransport": "false"}}
EVERYBODY = ("*", {"AWS": "*"})
ACTIONS = {Bucket: "s3:*", Queue: "sqs:*", Topic: "sns:Publish"}  # SNS takes no sns:* in a topic's policy


def statements(resource) -> list[dict]:
    return list(resource.desired()["policy"].values())


@pytest.mark.parametrize("notebook", PIPELINES)
def test_every_pipeline_is_looked_at(notebook: str) -> None:
    kinds = {type(resource) for resource in stack_of(notebook).resources.values()}
    assert {Bucket, Role} <= kinds


@pytest.mark.parametrize("resource", described(Bucket, Queue, Topic))
def test_what_does_not_come_through_tls_is_refused(resource) -> None:
    (deny,) = [s for s in statements(resource) if s.get("Condition") == TLS]
    assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
    assert deny["Action"] == ACTIONS[type(resource)]
    wanted = [resource.arn, f"{resource.arn}/*"] if isinstance(resource, Bucket) else [resource.arn]
    assert deny["Resource"] == wanted


@pytest.mark.parametrize("resource", described(Bucket, Queue, Topic))
def test_everybody_is_named_only_to_be_refused(resource) -> None:
    for statement in statements(resource):
        assert "NotPrincipal" not in statement
        assert statement["Effect"] == "Deny" or statement["Principal"] not in EVERYBODY


@pytest.mark.parametrize("resource", described(Bucket, Queue, Topic))
def test_services_act_for_one_source_only(resource) -> None:
    for statement in statements(resource):
        if "Service" in (statement["Principal"] if isinstance(statement["Principal"], dict) else {}):
            conditions = json.dumps(statement["Condition"])
            assert "aws:SourceArn" in conditions
            assert "aws:SourceAccount" in conditions


@pytest.mark.parametrize("resource", described(Permission))
def test_functions_are_invoked_for_one_source_of_one_account_only(resource) -> None:
    wanted = json.dumps(resource.desired())
    assert resource.scope.account_id in wanted
    assert "arn:aws:" in wanted


@pytest.mark.parametrize("bucket", described(Bucket))
def test_buckets_are_private_and_encrypted(bucket: Bucket) -> None:
    settings = bucket.desired()
    assert settings["encryption"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    assert len(settings["public_access_block"]) == 4
    assert all(settings["public_access_block"].values())


@pytest.mark.parametrize("queue", described(Queue))
def test_queues_are_encrypted(queue: Queue) -> None:
    settings = queue.desired()
    assert settings.get("SqsManagedSseEnabled") == "true" or settings["KmsMasterKeyId"].startswith(
        "arn:aws:kms:"
    )


@pytest.mark.parametrize("table", described(Table))
def test_tables_are_encrypted_as_all_are_and_can_be_restored(table: Table) -> None:
    # There is no table without encryption at rest:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/EncryptionAtRest.html
    assert table.desired()["PointInTimeRecovery"] == "ENABLED"


@pytest.mark.parametrize("bucket", [b for b in described(Bucket) if "results" in b.id or "inventory" in b.id])
def test_query_results_and_reports_expire(bucket: Bucket) -> None:
    rule = bucket.desired()["lifecycle"]["runbook"]
    assert rule["Status"] == "Enabled"
    assert 1 <= rule["Expiration"]["Days"] <= 3650


@pytest.mark.parametrize("role", described(Role))
def test_roles_name_what_they_may_touch(role: Role) -> None:
    for statement in role.policy["Statement"]:
        resources = (
            [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        )
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert "*" not in resources
        assert not [action for action in actions if "*" in action]
    assert role.desired()["trust"]["Statement"]["Principal"].keys() == {"Service"}


def test_what_the_deployer_may_do_to_all_is_listing_or_has_no_resources() -> None:
    policies = json.loads((ROOT / "lib" / "deployer-policy.json").read_text())
    anything = {s["Sid"] for p in policies.values() for s in p["Statement"] if s["Resource"] == "*"}
    assert anything == {
        "ListBucketsToFindOurs",
        "WhetherTheAccountBlocksPublicAccess",
        "ListToFindOurs",
        "JobsAreMadeWithOurRolesOnly",
        "SubscriptionsHaveNoResourceLevelPermissions",
        "MappingsOfOurFunctions",
        "ClassifiersHaveNoResourceLevelPermissions",
        "CrawlersAreMadeWithOurRolesOnly",
    }


KEY = "arn:aws:kms:us-east-1:000000000000:key/1"


def test_a_topic_is_encrypted_with_the_key_that_it_is_given(stack) -> None:
    stack.add(Topic("events", "us-east-1"))
    stack.apply()
    topic = stack.add(Topic("events", "us-east-1", kms_key_arn=KEY))
    (step,) = stack.plan()
    assert (step.action, step.changes) == ("change", {"KmsMasterKeyId": KEY})
    stack.apply()
    attributes = stack.client(topic).get_topic_attributes(TopicArn=topic.arn)["Attributes"]
    assert attributes["KmsMasterKeyId"] == KEY
    assert [step.action for step in stack.plan()] == ["unchanged"]
    stack.add(Topic("events", "us-east-1"))  # it is not taken away by a description without one
    assert [step.action for step in stack.plan()] == ["unchanged"]


def test_the_topic_of_migrate_has_the_key_of_its_parameter() -> None:
    (topic,) = [
        t for t in stack_of("10_migrate").resources.values() if t.noun == "SNS topic" and t.what == "uploads"
    ]
    assert topic.kms_key_arn == ""
    migrate = {"topic_kms_key_arn": KEY.replace("us-east-1", "us-west-1")}
    assert Parameters.check({"migrate": migrate}).migrate.topic_kms_key_arn == migrate["topic_kms_key_arn"]
    with pytest.raises(ParameterError, match="topic_kms_key_arn: the key must be in the bucket's region"):
        Parameters.check({"migrate": {"topic_kms_key_arn": KEY}})
