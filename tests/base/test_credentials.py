"""A role with MFA, asked for once for a terminal and its kernels; and credentials whose time is over."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from lib.base import credentials
from lib.base.errors import TargetError
from lib.local.ministack import LocalAws

ROLE, USER = "with-mfa", "person-with-mfa"


@pytest.fixture
def profile(local_aws: LocalAws, somebody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose profile takes a role on that wants an MFA code."""
    iam = somebody("iam")
    iam.create_user(UserName=USER)
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(
        UserName=USER,
        PolicyName="may",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]}),
    )
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "sts:AssumeRole",
    }
    iam.create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"""[profile me]
aws_access_key_id = {key["AccessKeyId"]}
aws_secret_access_key = {key["SecretAccessKey"]}

[profile runbook]
role_arn = arn:aws:iam::000000000000:role/{ROLE}
source_profile = me
mfa_serial = arn:aws:iam::000000000000:mfa/{USER}
region = us-east-1
"""
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "runbook")
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint_url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(local_aws.ca_bundle))
    yield tmp_path
    iam.delete_role(RoleName=ROLE)
    iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=USER, PolicyName="may")
    iam.delete_user(UserName=USER)


def policy(statement: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def caller(ask) -> str:
    return credentials.session(ask).client("sts").get_caller_identity()["Arn"]


def nobody(question: str) -> str:
    raise EOFError


def test_a_code_is_asked_for_once_and_others_find_what_it_gave(profile: Path):
    asked: list[str] = []
    arn = caller(lambda question: asked.append(question) or "123456")
    assert f"assumed-role/{ROLE}/" in arn
    assert len(asked) == 1
    assert caller(nobody) == arn  # as a kernel would be
    (kept,) = (profile / ".aws" / "cli" / "cache").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_where_nobody_can_answer_the_error_says_what_to_do(profile: Path):
    with pytest.raises(TargetError, match=f"mfa/{USER}.*run this in a terminal"):
        caller(nobody)


def test_credentials_whose_time_is_over_are_a_clear_stop(profile: Path):
    session = credentials.session(lambda question: "123456")
    client = session.client("s3")
    expired = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}

    def answer(**_: object) -> tuple[object, dict]:
        return type("Answer", (), {"status_code": 400, "headers": {}})(), {**expired, "ResponseMetadata": {}}

    client.meta.events.register("before-call", answer)
    with pytest.raises(TargetError, match="time is over.*then run the same again"):
        client.list_buckets()


def test_any_other_refusal_stays_what_it_is(profile: Path):
    client = credentials.session(lambda question: "123456").client("s3")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_buckets()
