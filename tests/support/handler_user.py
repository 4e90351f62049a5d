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
        get_remaining_time_in_millis=lambda: 900_000,
    )


def use_key(patch, operator, user):
    """Set the variables that hold Lambda's credentials, to a new key of this user."""
    key = operator.client("iam").create_access_key(UserName=user)["AccessKey"]
    patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    patch.setattr(boto3, "DEFAULT_SESSION", None)


def use_role(patch, operator, name, policy_values):
    """Set the variables that hold Lambda's credentials, to those of a role that policy.json binds.

    Args:
        patch: Sets the variables.
        operator: Makes the role.
        name: The handler's; the role may do what handlers/<name>/policy.json says.
        policy_values: What goes in the place of the policy's `${names}`.
    """
    role = f"{name}-{uuid.uuid4().hex[:8]}"
    policy = from_template(f"handlers/{name}/policy.json", **policy_values)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = operator.client("iam")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
    key = operator.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
    patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    patch.setenv("AWS_SESSION_TOKEN", key["SessionToken"])
    patch.setattr(boto3, "DEFAULT_SESSION", None)
