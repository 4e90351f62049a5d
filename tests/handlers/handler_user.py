"""Users that may do no more than a handler's policy.json says, and what else Lambda gives a handler."""

import json
import uuid
from types import SimpleNamespace

import boto3

from lib.resources.policies import from_template


def lambda_context(name):
    """Return what Lambda tells function `name` about its invocation."""
    return SimpleNamespace(
        function_name=name,
        memory_limit_in_mb=256,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        aws_request_id="00000000-0000-0000-0000-000000000000",
    )


def use_key(patch, operator, user):
    """Set the variables that hold Lambda's credentials, to a new key of this user."""
    key = operator.client("iam").create_access_key(UserName=user)["AccessKey"]
    patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    patch.setattr(boto3, "DEFAULT_SESSION", None)


def make_user(operator, name, policy_values):
    """Make a user that may do what handlers/<name>/policy.json says with these ARNs; return its name."""
    user = f"{name}-{uuid.uuid4().hex[:8]}"
    policy = from_template(f"handlers/{name}/policy.json", **policy_values)
    iam = operator.client("iam")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=json.dumps(policy))
    return user
