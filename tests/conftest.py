"""What all tests share: an environment of their own, and one local AWS with its deployer."""

import os
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config

from lib.local import deployer, ministack


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep state in a folder of our own and the caller's AWS_* variables out, subprocesses included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(tmp_path_factory.mktemp("home")))
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def local_aws(own_environment: None) -> Iterator[ministack.LocalAws]:
    """The local AWS that the tests share; a test that stops or kills one has a home of its own."""
    yield ministack.start()
    ministack.reset()


@pytest.fixture(scope="session")
def deployer_session(local_aws: ministack.LocalAws) -> boto3.Session:
    """A session of the deployer of environment `test`."""
    key = deployer.credentials(local_aws, prefix="runbook", env="test")
    return boto3.Session(key.access_key_id, key.secret_access_key, region_name="us-east-1")


@pytest.fixture(scope="session")
def client(local_aws: ministack.LocalAws, deployer_session: boto3.Session) -> Callable[..., BaseClient]:
    """Makes the deployer's clients: `client("s3")`, `client("sqs", "us-west-1")`."""

    def make(service: str, region: str = "us-east-1") -> BaseClient:
        target = {"endpoint_url": local_aws.endpoint_url, "verify": local_aws.ca_bundle}
        return deployer_session.client(service, region_name=region, config=Config(proxies={}), **target)

    return make
