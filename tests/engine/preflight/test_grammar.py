"""IAM's grammar: what is no policy is told, what is one is not."""

import pytest

from lib.engine.preflight.grammar import RESOURCE, ROLE, document, statement, values

ACCOUNT = "111122223333"
READ = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def of(kind: str, **changed: object) -> list[str]:
    return list(statement({**READ, **changed}, kind))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"Sid": "Read it"}, "Sid must match pattern"),
        ({"Sid": "Read-it"}, "Sid must match pattern"),
        ({"Sid": "Lesen-ü"}, "Sid must match pattern"),
        ({"Sid": 5}, "Sid must be string"),
        ({"Effect": "allow"}, "Effect must be one of ['Allow', 'Deny']; found 'allow'"),
        ({"Efect": "Allow"}, "it has 'Efect', which there is not"),
        ({"NotAction": "s3:PutObject"}, "it has 2 of Action and NotAction; write one"),
        ({"Principal": "*"}, "a role's has no Principal"),
        ({"NotPrincipal": {"AWS": "*"}}, "a role's has no NotPrincipal"),
        ({"Action": []}, "Action is []: it names nothing"),
        ({"Resource": {"a": "b"}}, "Resource must be string or array"),
        ({"Condition": "none"}, "Condition must be object"),
        (
            {"Condition": {"StringEqual": {"aws:username": "me"}}},
            "Condition has 'StringEqual', which there is",
        ),
        ({"Condition": {"StringsEquals": {}}}, "Condition has 'StringsEquals'"),
        ({"Condition": {"ForSomeValues:StringLike": {}}}, "Condition has 'ForSomeValues:StringLike'"),
        (
            {"Condition": {"StringEquals": {"aws:username": None}}},
            "Condition.StringEquals.aws:username must be",
        ),
    ],
    ids=str,
)
def test_what_is_no_statement_of_a_role_is_told(changed: dict, told: str):
    (found,) = of(ROLE, **changed)
    assert found.startswith(told)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Action": ["s3:Get*", "s3:List*"]},
        {"Resource": ["arn:aws:s3:::b/${aws:username}/*", "*"]},
        {"Condition": {}},
        {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}},
        {"Condition": {"ForAnyValue:ArnLikeIfExists": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}},
        {
            "Condition": {
                "Null": {"aws:TokenIssueTime": True},
                "BoolIfExists": {"aws:SecureTransport": "true"},
            }
        },
        {
            "Condition": {
                "NumericLessThanEquals": {"s3:max-keys": 10},
                "IpAddress": {"aws:SourceIp": "1.2.3.4"},
            }
        },
        {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}},
    ],
    ids=str,
)
def test_what_is_one_is_not(changed: dict):
    assert of(ROLE, **changed) == []
    assert list(values(changed.get("Condition", {}))) == []


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("*", ""),
        ({"AWS": "*"}, ""),
        ({"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/r"]}, ""),
        ({"Service": ["s3.amazonaws.com", "sns.af-south-1.amazonaws.com"]}, ""),
        ({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}, ""),
        ("me", "Principal is 'me', which is no principal"),
        ({}, "Principal is {}: it names nothing"),
        ({"Aws": "*"}, "Principal has 'Aws', which there is not"),
        ({"AWS": "me"}, "Principal.AWS is 'me', which is no principal"),
        ({"AWS": "1234"}, "Principal.AWS is '1234', which is no principal"),
        ({"AWS": f"arn:aws:s3:::{ACCOUNT}"}, "which is no principal"),
        ({"Service": "s3"}, "Principal.Service is 's3', which is no principal"),
        ({"Service": ["s3.amazonaws.com", "lambda"]}, "which is no principal"),
        ({"Service": []}, "which is no principal"),
    ],
    ids=str,
)
def test_whom_a_statement_of_a_resource_names(who: object, told: str):
    found = of(RESOURCE, Principal=who)
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_it_has_to_name_somebody():
    assert of(RESOURCE) == ["it does not say for whom: write a Principal"]
    assert of(RESOURCE, NotPrincipal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Effect="Deny") == []


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"Version": "2012-10-17", "Statement": [READ]}, ""),
        ({"Version": "2008-10-17", "Id": "mine", "Statement": READ}, ""),
        ({"Statement": []}, ""),
        ({"Version": "2012-10-18", "Statement": []}, "Version must be one of"),
        ({"Version": "2012-10-17"}, "the policy must contain ['Statement']"),
        ({"Versio": "2012-10-17", "Statement": []}, "the policy has 'Versio', which there is not"),
        ([], "the policy must be object"),
        (None, "the policy must be object"),
    ],
    ids=str,
)
def test_a_policy_of_a_role(policy: object, told: str):
    found = list(document(policy))
    assert len(found) == bool(told)
    assert "".join(found).startswith(told)


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("NumericEquals", "ten"),
        ("NumericLessThanIfExists", ["1", "x"]),
        ("IpAddress", "1.2.3"),
        ("NotIpAddress", "1.2.3.4/33"),
        ("Bool", "yes"),
        ("Null", "perhaps"),
    ],
)
def test_what_an_operator_cannot_compare_is_told(operator: str, value: object):
    assert len(list(values({operator: {"aws:SourceIp": value}}))) == 1
