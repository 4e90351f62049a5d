"""What the deployer may do with a bucket that is not ours: look, add a notification, work with objects."""

import json
import secrets

import pytest
from support.somebodys import Somebodys

from lib.base.errors import ParameterError
from lib.engine.adoption import LOOKS, adopt
from lib.local import deployer_policies
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import connect

# What is attached to it, and a statement in its policy; a policy that would have no other is deleted.
WRITES = {"s3:PutBucketNotification", "s3:PutInventoryConfiguration"}
WRITES |= {"s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
ENVIRONMENT = {"account_id": "000000000000", "prefix": "runbook", "env": "test"}


def adopted_policy(*buckets: str) -> list[dict]:
    documents = deployer_policies.render(**ENVIRONMENT, adopted=buckets)
    return json.loads(documents["runbook-test-deployer-adopted"])["Statement"]


def test_it_may_change_nothing_of_the_bucket_but_what_is_taken_away_again():
    of_bucket = {
        action
        for statement in adopted_policy("photos")
        if statement["Resource"] == ["arn:aws:s3:::photos"]
        for action in statement["Action"]
    }
    assert {action for action in of_bucket if not action.startswith(("s3:Get", "s3:List"))} == WRITES
    assert set(LOOKS.values()) <= of_bucket


def test_it_is_about_these_buckets_and_no_other():
    resources = {arn for statement in adopted_policy("one", "other.one") for arn in statement["Resource"]}
    names = {arn.removeprefix("arn:aws:s3:::").removesuffix("/*") for arn in resources}
    assert names == {"one", "other.one"}
    assert "runbook-test-deployer-adopted" not in deployer_policies.render(**ENVIRONMENT)


def test_a_deployer_without_it_is_told_what_it_needs(local_aws, somebody):
    bucket = Somebodys(somebody, f"closed-{secrets.token_hex(4)}", "us-east-1").create()
    target = connect(Parameters.check({"env": "tadoptno"}))  # which has not been told of the bucket
    scope = Parameters.check({"env": "tadoptno", "index": {"bucket": bucket.name}}).scope("index")
    with pytest.raises(
        ParameterError, match=r"^index.bucket: .* Give the deployer its rights .*nothing was written"
    ):
        adopt(target, scope, Bucket("files", "us-east-1", role="source"), scope.adoption("files"))


def test_a_bucket_whose_policy_denies_us_is_told_before_the_first_write(local_aws, somebody):
    bucket = Somebodys(somebody, f"denied-{secrets.token_hex(4)}", "us-east-1").create()
    arn = f"arn:aws:s3:::{bucket.name}"
    user = {"AWS": "arn:aws:iam::000000000000:user/runbook-tadoptno-deployer"}
    deny = {"Sid": "No", "Effect": "Deny", "Principal": user, "Action": "s3:GetBucketNotification"}
    policy = {"Version": "2012-10-17", "Statement": [{**deny, "Resource": arn}]}
    parameters = Parameters.check({"env": "tadoptno", "index": {"bucket": bucket.name}})
    target, scope = connect(parameters), parameters.scope("index")
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    with pytest.raises(ParameterError, match="does not let us use s3:GetBucketNotification"):
        adopt(target, scope, Bucket("files", "us-east-1", role="source"), scope.adoption("files"))
