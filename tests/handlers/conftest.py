"""Handlers in this process, on the local AWS."""

from contextlib import suppress

import boto3
import pytest
from buckets import Pair
from handler_support import TARGET_REGION, load_handler

from lib.local.deployer import ROOT_KEY


@pytest.fixture(scope="module")
def operator(local_aws):
    """The person who puts objects and checks what became of them."""
    return boto3.Session(ROOT_KEY, ROOT_KEY)


@pytest.fixture(scope="module")
def replicate_environment(local_aws, operator):
    """What Lambda sets for the handler; its credentials are those of a user that policy.json binds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint_url)
        patch.setenv("AWS_CA_BUNDLE", local_aws.ca_bundle)
        patch.setenv("AWS_REGION", TARGET_REGION)
        patch.setenv("AWS_DEFAULT_REGION", TARGET_REGION)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        iam = operator.client("iam")
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_user(UserName="replicate")
        key = iam.create_access_key(UserName="replicate")["AccessKey"]
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        yield


@pytest.fixture(scope="module")
def replicate(replicate_environment):
    """Module handlers/replicate/handler.py, making its clients as in Lambda."""
    return load_handler("replicate")


@pytest.fixture(scope="module")
def make_pair(replicate_environment, operator):
    """Return a function that makes a pair of buckets which the handler may use, versioned or not."""
    return lambda versioned=True: Pair.make(operator, versioned)


@pytest.fixture(scope="module")
def versioned_pair(make_pair):
    return make_pair()


@pytest.fixture
def pair(versioned_pair, monkeypatch):
    monkeypatch.setenv("TARGET_BUCKET", versioned_pair.target.bucket)
    return versioned_pair
