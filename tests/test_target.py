"""The target: who we are is checked before anything is done."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import boto3
import pytest
from botocore.config import Config

from lib import target as target_module
from lib.base.errors import ParameterError, TargetError
from lib.local import deployer
from lib.parameters import Parameters
from lib.target import Target, connect

AWS = {"target": "aws", "account_id": "123456789012", "exercise": False}


@pytest.fixture
def aws(monkeypatch):
    """Sets the variables by which a caller's credentials are found; there are none to begin with."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")

    def set_variables(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


def refused(error: type[Exception], **values) -> str:
    with pytest.raises(error) as raised:
        connect(Parameters.check({**AWS, **values}))
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_the_local_target_is_the_deployer(target: Target, parameters: Parameters):
    assert target.name == "local"
    assert target.account_id == parameters.account_id
    assert target.caller == "arn:aws:iam::000000000000:user/runbook-test-deployer"


def test_clients_are_made_once_for_each_region(target: Target):
    assert target.client("sqs", "us-west-1") is target.client("sqs", "us-west-1")
    assert target.client("sqs", "us-west-1") is not target.client("sqs", "us-east-1")
    assert target.client("sqs", "us-west-1").meta.region_name == "us-west-1"


def test_clients_of_one_local_aws_share_its_connections(target: Target, parameters: Parameters):
    def connections(of: Target, service: str) -> object:
        return of.client(service, "us-east-1")._endpoint.http_session

    again = connect(parameters)
    assert connections(target, "sqs") is connections(target, "s3") is connections(again, "iam")
    patient = target.with_config(Config(read_timeout=300))
    assert connections(patient, "sqs") is not connections(target, "sqs"), "they would not wait as long"


def test_threads_that_ask_at_once_get_one_client_from_one_session_at_a_time():
    class Session(boto3.Session):
        made = 0

        def client(self, *arguments, **named):
            self.made += 1
            return super().client(*arguments, **named)

    target, together = Target("aws", Session("a", "b")), Barrier(8, timeout=600)

    def ask(_):
        together.wait()
        return target.client("sqs", "us-west-1")

    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(ask, range(8)))
    assert target.session.made == 1
    assert len(set(map(id, clients))) == 1


def test_another_configuration_has_clients_of_its_own_and_all_else_stays(target: Target):
    patient = target.with_config(Config(read_timeout=300))
    assert patient.client("s3", "us-east-1").meta.config.read_timeout == 300
    assert patient.client("s3", "us-east-1").meta.config.retries["mode"] == "standard"
    assert target.client("s3", "us-east-1").meta.config.read_timeout == 60
    assert (patient.caller, patient.endpoint_url) == (target.caller, target.endpoint_url)


def test_an_account_that_is_not_the_caller_s_is_refused(local_aws):
    with pytest.raises(ParameterError) as raised:
        connect(Parameters.check({"env": "test", "account_id": "111122223333"}))
    message = str(raised.value)
    assert "the parameters say 111122223333" in message
    assert "credentials are for account 000000000000" in message


def test_the_caller_s_account_is_compared_on_aws_too(aws, moto):
    aws(AWS_ENDPOINT_URL=moto, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    assert "for account 123456789012" in refused(ParameterError, account_id="111122223333")
    connected = connect(Parameters.check(AWS))
    assert (connected.name, connected.account_id, connected.endpoint_url) == ("aws", "123456789012", None)


def test_root_is_refused(aws, local_aws):
    aws(
        AWS_ENDPOINT_URL=local_aws.endpoint_url,
        AWS_CA_BUNDLE=local_aws.ca_bundle,
        AWS_ACCESS_KEY_ID=deployer.ROOT_KEY,
        AWS_SECRET_ACCESS_KEY=deployer.ROOT_KEY,
    )
    message = refused(ParameterError, account_id="000000000000")
    assert "arn:aws:iam::000000000000:root" in message
    assert "lib/policies/deployer-policy.json" in message


def test_without_credentials(aws):
    assert refused(TargetError) == "target 'aws': AWS does not say who we are: Unable to locate credentials"


def test_with_credentials_that_aws_does_not_know(aws, local_aws):
    aws(
        AWS_ENDPOINT_URL=local_aws.endpoint_url,
        AWS_CA_BUNDLE=local_aws.ca_bundle,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY="b",
    )
    assert "InvalidClientTokenId" in refused(TargetError)


def test_where_nobody_answers(aws, monkeypatch):
    once = target_module.CONFIG.merge(Config(retries={"total_max_attempts": 1}))
    monkeypatch.setattr(target_module, "Target", partial(Target, config=once))
    aws(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:9/"' in refused(TargetError)


def test_with_a_profile_that_there_is_not(aws):
    aws(AWS_PROFILE="nobody")
    assert "nobody" in refused(TargetError)
