"""What MiniStack's IAM gets wrong and we correct in its server."""

import json
import os
import subprocess
import uuid

import boto3
import pytest
import urllib3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from lib.base.paths import ROOT
from lib.local.install import ensure_installed


def policy(**statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role_arn(somebody):
    """A role with a path in its ARN, which may put objects anywhere."""
    iam, name = somebody("iam"), f"r-{uuid.uuid4().hex}"
    trust = policy(Effect="Allow", Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
    made = iam.create_role(RoleName=name, Path="/some/", AssumeRolePolicyDocument=trust)
    allowed = policy(Effect="Allow", Action="s3:PutObject", Resource="*")
    iam.put_role_policy(RoleName=name, PolicyName="put", PolicyDocument=allowed)
    return made["Role"]["Arn"]


@pytest.fixture
def as_role(somebody, role_arn):
    """An S3 client of a session of the role."""
    sts = somebody("sts")
    key = sts.assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    endpoint = {"endpoint_url": sts.meta.endpoint_url, "verify": sts._endpoint.http_session._verify}
    return session.client("s3", "us-east-1", **endpoint)


def test_a_session_is_known_in_conditions_by_the_arn_of_its_role(somebody, role_arn, as_role):
    s3, bucket = somebody("s3"), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)

    def deny_all_but(arn: str) -> None:
        others = {"ArnNotLike": {"aws:PrincipalArn": arn}}
        everything = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
        denied = policy(Effect="Deny", Principal="*", **everything, Condition=others)
        s3.put_bucket_policy(Bucket=bucket, Policy=denied)

    deny_all_but(role_arn)
    as_role.put_object(Bucket=bucket, Key="a", Body=b"1")
    deny_all_but(f"arn:aws:sts::{role_arn.split(':')[4]}:assumed-role/*")
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.put_object(Bucket=bucket, Key="a", Body=b"1")


def test_a_policy_is_read_once_and_another_one_anew():
    program = """if True:
        import json
        from ministack.core import iam_evaluator
        from lib.local.in_server import iam
        read = iam_evaluator.parse_policy_document
        texts = [json.dumps({"Statement": [{"Effect": "Allow", "Action": name}]}) for name in "aba"]
        first, other, again = map(read, texts)
        same = read(json.loads(texts[1])) == other
        print(first is again, first[0].actions, other[0].actions, read("{"), same)
    """
    done = subprocess.run(
        [ensure_installed(), "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True ['a'] ['b'] [] True\n", done.stderr


@pytest.mark.parametrize("key", ["new\nline", "\r\n", "//", "/a", "a//b/", "a"])
def test_a_wildcard_is_any_characters(somebody, key):
    s3, bucket = somebody("s3"), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    mine = as_user(somebody, policy(Effect="Allow", Action="s3:*Object", Resource=f"arn:aws:s3:::{bucket}/*"))
    mine.put_object(Bucket=bucket, Key=key, Body=b"1")
    mine.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, Metadata={})
    assert mine.get_object(Bucket=bucket, Key=key)["Body"].read() == b"1"


def test_a_key_without_a_wildcard_is_that_key_only(somebody):
    s3, bucket = somebody("s3"), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    arn = f"arn:aws:s3:::{bucket}/a/b"
    mine = as_user(somebody, policy(Effect="Allow", Action="s3:PutObject", Resource=arn))
    mine.put_object(Bucket=bucket, Key="a/b", Body=b"1")
    for other in ("a/b\n", "a//b", "/a/b", "a/b/"):
        with pytest.raises(ClientError, match="AccessDenied"):
            mine.put_object(Bucket=bucket, Key=other, Body=b"1")


def as_user(somebody, document: str):
    """Return an S3 client of a user of whom one policy says all."""
    iam, name = somebody("iam"), f"u-{uuid.uuid4().hex}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"])
    endpoint = {"endpoint_url": iam.meta.endpoint_url, "verify": iam._endpoint.http_session._verify}
    return session.client("s3", "us-east-1", **endpoint)


def test_what_a_bucket_s_policy_denies_is_denied_to_everybody(somebody):
    """To root, to users, to whoever signs nothing, and by a link that somebody signed; the policy is not."""
    s3, bucket = somebody("s3"), f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    user = as_user(somebody, policy(Effect="Allow", Action="s3:*", Resource="*"))
    where = {"endpoint_url": s3.meta.endpoint_url, "verify": s3._endpoint.http_session._verify}
    nobody = boto3.client("s3", "us-east-1", config=Config(signature_version=UNSIGNED), **where)
    link = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "link"})
    everything = f"arn:aws:s3:::{bucket}/*"
    denied = policy(Effect="Deny", Principal="*", Action=["s3:PutObject*", "s3:Del*"], Resource=everything)
    s3.put_bucket_policy(Bucket=bucket, Policy=denied)
    for client in (s3, user, nobody):
        for call, more in (
            (client.put_object, {"Body": b"1"}),
            (client.delete_object, {}),
            (client.create_multipart_upload, {}),
            (client.put_object_tagging, {"Tagging": {"TagSet": []}}),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                call(Bucket=bucket, Key="a", **more)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "a"}]})
    assert urllib3.PoolManager(ca_certs=where["verify"]).request("PUT", link, body=b"1").status == 403
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
