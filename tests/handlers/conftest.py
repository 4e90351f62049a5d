"""Handlers in this process, on the local AWS."""

from contextlib import suppress

import boto3
import pytest
from support.buckets import Pair
from support.handler_support import TARGET_REGION, beyond_the_runtime, load_handler, unnamed_calls
from support.handler_user import use_key, use_role

from lib.local.deployer import ROOT_KEY


@pytest.fixture(scope="module", autouse=True)
def every_call_is_named():
    """Whatever a handler is made to do, it asks AWS for nothing that its facts.yaml does not name."""
    unnamed_calls.clear()
    yield
    assert not unnamed_calls


@pytest.fixture(scope="module", autouse=True)
def the_runtimes_boto3_can_do_it():
    """Whatever a handler is made to do, it asks only for what an older boto3 knows, as Lambda may have."""
    beyond_the_runtime.clear()
    yield
    assert not beyond_the_runtime


@pytest.fixture(scope="module")
def aws_environment(local_aws):
    """What points every client of this process to the local AWS, until the tests of a file end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint_url)
        patch.setenv("AWS_CA_BUNDLE", local_aws.ca_bundle)
        patch.setenv("AWS_REGION", TARGET_REGION)
        patch.setenv("AWS_DEFAULT_REGION", TARGET_REGION)
        yield patch


@pytest.fixture(scope="module")
def operator(aws_environment):
    """The person who puts objects and checks what became of them."""
    return boto3.Session(ROOT_KEY, ROOT_KEY, region_name=TARGET_REGION)


@pytest.fixture(scope="module")
def as_handler(aws_environment, operator):
    """Return a function that imports a handler's module, bound by its policy.json.

    `as_handler(name, region, environment, policy_values)`: `region` is the function's, `environment` its
    variables, `policy_values` what goes in the place of the policy's `${names}`; "" drops a statement.
    """

    def load(name, region, environment, policy_values):
        use_role(aws_environment, operator, name, policy_values)
        variables = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region} | environment
        for variable, value in variables.items():
            aws_environment.setenv(variable, value)
        return load_handler(name)

    return load


@pytest.fixture(scope="module")
def replicate_environment(aws_environment, operator):
    """What Lambda sets for the handler; its credentials are those of a user that policy.json binds."""
    iam = operator.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="replicate")
    use_key(aws_environment, operator, "replicate")


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
