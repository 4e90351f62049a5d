"""What a policy allows: its statements counted as what they are, and a role that lacks something told."""

from lib.engine.preflight.grants import allows, allows_some, missing
from lib.resources.base import Scope
from lib.resources.iam import Role


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
