"""Statements of policies: what IAM does not know of them, and whom they let in too easily."""

import pytest

from lib.engine.preflight.statements import check, terms
from lib.resources.base import Scope
from lib.resources.iam import Role
from lib.resources.policies import document
from lib.resources.sqs import Queue

SCOPE = Scope("runbook", "test", "migrate", "000000000000")
ROOT = "arn:aws:iam::000000000000:root"
READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:GetObjectVersion"],
    "Resource": "arn:aws:s3:::b/*",
}


def rules(findings) -> set[str]:
    return {finding.rule for finding in findings}


def test_what_iam_knows_has_no_findings():
    assert list(terms(READ)) == []
    tagged = {"Condition": {"StringEquals": {"s3:ExistingObjectTag/colour": "red"}}}
    assert list(terms(READ | tagged)) == []
    assert list(terms(READ | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}})) == []


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"Action": "s3:HeadObject"}, "action-unknown"),
        ({"Action": "s4:GetObject"}, "action-unknown"),
        ({"Action": "s3:Gett*"}, "action-unknown"),
        ({"Condition": {"StringEquals": {"s3:colour": "red"}}}, "condition-unknown"),
        ({"Resource": "arn:aws:s3:::b"}, "action-resource"),
        ({"Resource": "arn:aws:sqs:us-east-1:000000000000:q"}, "action-resource"),
        ({"Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"]}, "action-resource"),
        ({"Resource": "b/*"}, "arn-grammar"),
    ],
)
def test_what_iam_does_not_know_or_does_not_belong_together_is_told_by_its_sid(changed, rule):
    found = list(terms(READ | changed))
    assert rules(found) == {rule}
    assert all("statement Read" in finding.what for finding in found)


def test_of_what_is_said_of_all_but_some_nothing_can_be_missed():
    but = {name: value for name, value in READ.items() if name not in ("Action", "Resource")}
    assert list(terms(but | {"NotAction": "s3:GetObject", "NotResource": "arn:aws:s3:::b"})) == []
    assert rules(terms(but | {"NotAction": "s3:HeadObject", "Resource": "*"})) == {"action-unknown"}


def test_a_denial_may_have_wildcards_that_a_grant_may_not():
    def of(**changed) -> set[str]:
        role = Role("r", "us-east-1", trusts="lambda.amazonaws.com", policy=document([READ | changed]))
        role.scope = SCOPE
        return rules(check(role))

    assert of() == set()
    assert of(Action="s3:Get*") == {"action-wildcard"}
    assert of(Resource="*") == {"resource-wildcard"}
    assert of(Effect="Deny", Action="s3:*", Resource="*") == set()


class OfOthers(Queue):
    """A queue with one more statement, as an edit of its class would give it."""

    extra: dict

    def desired(self):
        settings = super().desired()
        return settings | {"policy": settings["policy"] | {"Extra": self.extra | {"Sid": "Extra"}}}


def queue(**changed) -> OfOthers:
    made = OfOthers("q", "us-east-1")
    made.scope = SCOPE
    account = {"StringEquals": {"aws:SourceAccount": "000000000000"}}
    source = {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::b"}}
    made.extra = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": made.arn,
        "Condition": account | source,
    } | changed
    made.extra = {name: value for name, value in made.extra.items() if value is not None}
    return made


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({}, ""),
        ({"Effect": "Deny", "Principal": "*"}, ""),
        ({"Principal": "*", "Condition": {}}, "principal-wildcard"),
        (
            {"Principal": {"AWS": [ROOT, "*"]}, "Condition": {}},
            "principal-wildcard",
        ),
        ({"Principal": "*"}, ""),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}, ""),
        (
            {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "*"}}},
            "principal-wildcard",
        ),
        (
            {"Principal": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}},
            "principal-wildcard",
        ),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}, "principal-wildcard"),
        ({"Condition": {"StringEquals": {"aws:SourceOrgID": "o-a1b2c3d4e5"}}}, "source-arn"),
        ({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {}}, ""),
        (
            {"Effect": "Deny", "NotPrincipal": {"AWS": ROOT}, "Principal": None},
            "",
        ),
        ({"Resource": "arn:aws:sqs:us-east-1:000000000000:runbook-*"}, ""),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}, "source-arn"),
        ({"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::b"}}}, "source-account"),
        ({"Condition": {"ArnEquals": {"AWS:sourcearn": "arn:aws:sns:us-east-1:000000000000:t"}}}, ""),
        ({"Resource": "arn:aws:sqs:us-east-1:000000000000:another"}, "policy-of-another"),
    ],
)
def test_a_service_is_let_in_for_one_source_of_one_account(changed, rule):
    assert rules(check(queue(**changed))) == {rule} - {""}
