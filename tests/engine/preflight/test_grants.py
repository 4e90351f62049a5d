"""What a policy allows: its statements counted as what they are, and a role that lacks something told."""

import pytest

from lib.engine.preflight.grants import allows, allows_some, lets_in, missing
from lib.resources.base import Scope
from lib.resources.iam import Role
from lib.resources.s3 import Bucket
from lib.resources.sns import Topic


def test_what_is_denied_or_allowed_to_all_but_some_counts_as_what_it_is() -> None:
    all_but = {"Statement": {"Effect": "Allow", "NotAction": "s3:Get*", "NotResource": "arn:aws:s3:::mine/*"}}
    assert allows(all_but, "s3:PutObject", "arn:aws:s3:::yours/a")
    assert not allows(all_but, "s3:GetObject", "arn:aws:s3:::yours/a")
    assert not allows(all_but, "s3:PutObject", "arn:aws:s3:::mine/a")
    assert allows_some(all_but, "s3:PutObject", "arn:aws:s3:::*")
    assert not allows_some(all_but, "s3:PutObject", "arn:aws:s3:::mine/*")


def policy(*statements: dict) -> dict:
    return {"Statement": [{"Effect": "Allow", **statement} for statement in statements]}


QUEUE = "arn:aws:sqs:us-east-1:000000000000:runbook-test-q"
READ = {"Action": ["sqs:ReceiveMessage", "sqs:Get*"], "Resource": "arn:aws:sqs:*:000000000000:runbook-test-*"}


def test_wildcards_stand_for_any_text_and_actions_for_any_case() -> None:
    assert allows(policy(READ), "sqs:GetQueueAttributes", QUEUE)
    assert allows(policy(READ), "SQS:receivemessage", QUEUE)
    assert not allows(policy(READ), "sqs:DeleteMessage", QUEUE)
    assert not allows(policy(READ), "sqs:ReceiveMessage", QUEUE.replace("test", "other"))


def test_all_of_a_pattern_is_more_than_some_of_it() -> None:
    below = policy({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/in/*"})
    assert allows(below, "s3:PutObject", "arn:aws:s3:::b/in/2026/*")
    assert not allows(below, "s3:PutObject", "arn:aws:s3:::b/*")
    assert allows_some(below, "s3:PutObject", "arn:aws:s3:::b/*")
    assert not allows_some(below, "s3:PutObject", "arn:aws:s3:::b/out/*")


def test_what_is_denied_is_not_allowed_by_it() -> None:
    assert not allows({"Statement": {**READ, "Effect": "Deny"}}, "sqs:ReceiveMessage", QUEUE)


DENY = {"Effect": "Deny", "Sid": "No", "Action": "sqs:Receive*", "Resource": "*"}


@pytest.mark.parametrize(
    ("denial", "is_allowed"),
    [
        ({}, False),
        ({"Resource": QUEUE}, False),
        ({"Resource": f"{QUEUE}-other"}, True),
        ({"Action": "sqs:SendMessage"}, True),
        ({"Action": "*"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}, True),  # who knows
    ],
    ids=str,
)
def test_what_is_denied_expressly_is_not_allowed(denial: dict, is_allowed: bool) -> None:
    both = {"Statement": [{"Effect": "Allow", **READ}, {**DENY, **denial}]}
    assert allows(both, "sqs:ReceiveMessage", QUEUE) is is_allowed


def test_what_is_denied_on_some_is_allowed_on_others() -> None:
    write = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"}
    except_done = {**write, "Effect": "Deny", "Resource": "arn:aws:s3:::b/done/*"}
    both = {"Statement": [write, except_done]}
    assert allows_some(both, "s3:PutObject", "arn:aws:s3:::b/*")
    assert not allows_some(both, "s3:PutObject", "arn:aws:s3:::b/done/2026/*")
    assert not allows(both, "s3:PutObject", "arn:aws:s3:::b/*")


def test_a_denial_is_told_with_its_statement() -> None:
    role = Role("work", "us-east-1", trusts="lambda.amazonaws.com", policy=policy(READ))
    role.policy["Statement"].append(DENY)
    role.scope = Scope("runbook", "test", "migrate", "000000000000")
    (found,) = missing("mapping-role", role, ["sqs:ReceiveMessage"], QUEUE, "to be run")
    assert "is denied sqs:ReceiveMessage" in found.what
    assert "by statement No" in found.what
    assert found.fix.startswith(f"except {QUEUE} from that Deny")


# --- Policies of what services act on


def bucket(name: str, account_id: str = "000000000000") -> Bucket:
    made = Bucket(name, "us-east-1")
    made.scope = Scope("runbook", "test", "migrate", account_id)
    return made


LET_IN = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}


@pytest.mark.parametrize(
    ("statements", "is_let_in"),
    [
        ([{}], True),
        ([{"Action": "sqs:*"}], True),
        ([{"Action": "sqs:ReceiveMessage"}], False),
        ([{"Principal": {"Service": "sns.amazonaws.com"}}], False),
        ([{"Principal": "*"}], True),
        ([{"Resource": "*"}], True),
        ([{"Resource": f"{QUEUE}-other"}], False),
        ([{"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::runbook-test-*"}}}], True),
        ([{"Condition": {"ArnLike": {"AWS:sourcearn": ["arn:aws:s3:::a", "arn:*:runbook-*"]}}}], True),
        ([{"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::runbook-other-*"}}}], False),
        ([{"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}], True),
        ([{"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}], False),
        ([{"Condition": {"StringEquals": {"aws:SourceOrgID": "o-a1b2c3d4e5"}}}], True),  # who knows
        ([{}, {"Effect": "Deny", "Principal": "*"}], False),
        ([{}, {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], True),
        ([{}, {"Effect": "Deny", "Principal": "*", "Resource": f"{QUEUE}-other"}], True),
    ],
    ids=str,
)
def test_whom_a_policy_lets_in(statements: list, is_let_in: bool) -> None:
    whole = [{**LET_IN, "Resource": QUEUE, **changed} for changed in statements]
    assert lets_in(whole, "s3.amazonaws.com", "sqs:SendMessage", QUEUE, bucket("files")) is is_let_in


def test_sns_of_another_region_is_let_in_by_its_own_name() -> None:
    topic = Topic("news", "af-south-1")
    topic.scope = Scope("runbook", "test", "migrate", "000000000000")
    for service, is_let_in in (("sns.amazonaws.com", False), ("sns.af-south-1.amazonaws.com", True)):
        allow = {**LET_IN, "Principal": {"Service": service}, "Resource": QUEUE}
        assert lets_in([allow], "sns.amazonaws.com", "sqs:SendMessage", QUEUE, topic) is is_let_in


def test_a_key_s_use_is_for_the_service_that_it_names_or_for_all() -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/k"
    use = {"Action": "kms:Decrypt", "Resource": key}
    only = {"Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}}
    assert allows(policy(use), "kms:Decrypt", key, via="sqs.us-east-1.amazonaws.com")
    assert allows(policy(use | only), "kms:Decrypt", key, via="s3.us-east-1.amazonaws.com")
    assert not allows(policy(use | only), "kms:Decrypt", key, via="sqs.us-east-1.amazonaws.com")
    assert allows(policy(use | only, use), "kms:Decrypt", key, via="sqs.us-east-1.amazonaws.com")


def test_what_a_role_lacks_is_told_in_one_finding_with_what_to_do() -> None:
    role = Role("work", "us-east-1", trusts="lambda.amazonaws.com", policy=policy(READ))
    role.scope = Scope("runbook", "test", "migrate", "000000000000")
    assert list(missing("mapping-role", role, ["sqs:ReceiveMessage"], QUEUE, "to be run")) == []
    needed = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    (found,) = missing("mapping-role", role, needed, QUEUE, "to be run")
    assert found.rule == "mapping-role"
    assert "sqs:DeleteMessage, sqs:ChangeMessageVisibility on" in found.what
    assert "sqs:ReceiveMessage" not in found.what + found.fix
