"""Who is let in by what lives in another account: by its policy, and by that of its KMS key."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from support.other_account import ACCOUNT, OTHER, as_owner

from lib.engine.preflight import account
from lib.engine.preflight.guests import lets, lets_use
from lib.parameters import Parameters
from lib.resources.iam import Role
from lib.resources.policies import document, let_in, nobody_may, only_these_may
from lib.resources.s3 import Bucket

HERE, ROLE = "us-east-1", f"arn:aws:iam::{ACCOUNT}:role/runbook-test-backup-replicate"
ANOTHER = f"arn:aws:iam::{ACCOUNT}:role/runbook-test-backup-another"
SCOPE = Parameters.check({"env": "test"}).scope("backup")


@pytest.fixture
def role() -> Role:
    """A role that may write a bucket, of any name, and use a key."""
    writes = {"Sid": "W", "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::b/*"}
    role = Role("replicate", HERE, trusts="lambda.amazonaws.com", policy=document([writes]))
    role.scope = SCOPE
    return role


def test_a_bucket_lets_in_the_role_it_names_and_no_other(role):
    statements = let_in(role, "arn:aws:s3:::b")
    for arn, is_let_in in ((ROLE, True), (ANOTHER, False), (ROLE.replace(ACCOUNT, OTHER), False)):
        assert lets(statements, arn, "s3:PutObject", "arn:aws:s3:::b/*") == is_let_in
    assert not lets(statements, ROLE, "s3:DeleteObject", "arn:aws:s3:::b/*")
    assert not lets(statements, ROLE, "s3:PutObject", "arn:aws:s3:::c/*")


def test_what_refuses_it_wins(role):
    statements = let_in(role, "arn:aws:s3:::b")
    of_others = only_these_may(["s3:PutObject"], "arn:aws:s3:::b", role_arns=[ANOTHER], name="Others")
    of_it = only_these_may(["s3:PutObject"], "arn:aws:s3:::b", role_arns=[ROLE], name="Its")
    assert lets([*statements, of_it], ROLE, "s3:PutObject", "arn:aws:s3:::b/*")
    assert not lets([*statements, of_others], ROLE, "s3:PutObject", "arn:aws:s3:::b/*")
    nobody = nobody_may(["s3:PutObject"], "arn:aws:s3:::b", name="Any")
    assert not lets([*statements, nobody], ROLE, "s3:PutObject", "arn:aws:s3:::b/*")


ALLOW = {
    "Sid": "One",
    "Effect": "Allow",
    "Principal": {"AWS": ROLE},
    "Action": ["s3:PutObject"],
    "Resource": "arn:aws:s3:::b/*",
}
DENY = {**ALLOW, "Effect": "Deny"}


def without(statement: dict, key: str, **other) -> dict:
    return {**{name: value for name, value in statement.items() if name != key}, **other}


@pytest.mark.parametrize(
    ("statements", "is_let_in"),
    [
        ([{**ALLOW, "Action": "S3:putobject"}], True),
        ([without(ALLOW, "Action", NotAction="s3:DeleteObject")], True),
        ([without(ALLOW, "Action", NotAction="s3:Put*")], False),
        ([without(ALLOW, "Resource", NotResource="arn:aws:s3:::c/*")], True),
        ([without(ALLOW, "Resource", NotResource="arn:aws:s3:::b/secret/*")], False),
        ([ALLOW, without(DENY, "Principal", NotPrincipal={"AWS": ROLE})], True),
        ([ALLOW, without(DENY, "Principal", NotPrincipal={"AWS": ANOTHER})], False),
        ([ALLOW, {**DENY, "Resource": "arn:aws:s3:::b/part/*"}], False),
        ([ALLOW, {**DENY, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], True),
        ([ALLOW, {**DENY, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}], False),
        ([ALLOW, {**DENY, "Condition": {"StringNotEquals": {"AWS:principalaccount": ACCOUNT}}}], True),
        ([ALLOW, {**DENY, "Condition": {"StringNotEquals": {"aws:PrincipalAccount": OTHER}}}], False),
        ([ALLOW, {**DENY, "Condition": {"ArnNotLike": {"aws:PrincipalArn": f"{ROLE[:-4]}*"}}}], True),
        ([{**ALLOW, "Condition": {"ArnLike": {"aws:PRINCIPALARN": ANOTHER}}}], False),
        ([{**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalAccount": OTHER}}}], False),
        ([{**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}], True),  # nobody can know
        ([ALLOW, {**DENY, "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}], True),
    ],
)
def test_a_statement_lets_in_as_iam_reads_it(statements, is_let_in):
    assert lets(statements, ROLE, "s3:PutObject", "arn:aws:s3:::b/*") == is_let_in


@pytest.mark.parametrize(
    ("principal", "is_let_in"),
    [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, True),
        ({"AWS": [ROLE, ANOTHER]}, True),
        ({"AWS": ANOTHER}, False),
        ({"AWS": f"arn:aws:iam::{OTHER}:root"}, False),
        ({"Service": "s3.amazonaws.com"}, False),
    ],
)
def test_a_key_lets_in_whom_its_policy_names(principal, is_let_in):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}
    assert lets_use(document([statement]), ROLE, "kms:Decrypt") == is_let_in


def test_a_key_of_another_account_that_does_not_let_the_role_in_is_found(local_aws, role):
    kms = as_owner(local_aws, "kms")
    own = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    key_arn = kms.create_key(Policy=json.dumps(document([own])))["KeyMetadata"]["Arn"]
    use = {
        "Sid": "K",
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": key_arn,
    }
    role.policy = document([*role.policy["Statement"], use])
    bucket = Bucket("dr", HERE, found_in=OTHER)
    bucket.scope = replace(SCOPE, kms_key_arns=(key_arn,))
    assert bucket.kms_key_arn == key_arn

    def found() -> list[str]:
        return [finding.rule for _, finding in account.guests_of_keys([role, bucket], lambda _: kms)]

    assert found() == ["kms-key-guest"]
    guest = {**own, "Principal": {"AWS": ROLE}, "Action": ["kms:GenerateDataKey", "kms:Decrypt"]}
    kms.put_key_policy(KeyId=key_arn, PolicyName="default", Policy=json.dumps(document([own, guest])))
    assert found() == []

    def deny(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "GetKeyPolicy")

    kms.get_key_policy = deny
    (unseen,) = [finding for _, finding in account.guests_of_keys([role, bucket], lambda _: kms)]
    assert (unseen.rule, ROLE in unseen.fix) == ("kms-key-guest-unseen", True)
