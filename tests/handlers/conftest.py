"""Handlers in this process, on the local AWS."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from types import SimpleNamespace

import boto3
import pytest
from buckets import Pair
from handler_support import TARGET_REGION, load_handler


# --- TEMPORARY: to be replaced by the local_aws fixture of tests/conftest.py, with a scoped user
@pytest.fixture(scope="session")
def local_aws(tmp_path_factory):
    """TEMPORARY. Endpoint and root credentials of a MiniStack of our own."""
    python = os.environ.get("MINISTACK_PYTHON", "/tmp/w/la/bin/python")
    home = tmp_path_factory.mktemp("ministack")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "AUTH": "true",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [python, "-m", "ministack"], env=environment, cwd=home, stdout=log, stderr=log
        )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_healthy(endpoint, server)
        yield SimpleNamespace(endpoint=endpoint, access_key="test", secret_key="test")
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_healthy(endpoint, server, timeout_s=30):
    """TEMPORARY."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"MiniStack did not start within {timeout_s} s")


# --- end of TEMPORARY


@pytest.fixture(scope="session")
def operator(local_aws):
    """The person who puts objects and checks what became of them."""
    return boto3.Session(local_aws.access_key, local_aws.secret_key)


@pytest.fixture(scope="session")
def replicate_environment(local_aws, operator):
    """What Lambda sets for the handler; its credentials are those of a user that policy.json binds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint)
        patch.setenv("AWS_REGION", TARGET_REGION)
        patch.setenv("AWS_DEFAULT_REGION", TARGET_REGION)
        patch.setenv("POWERTOOLS_SERVICE_NAME", "replicate")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "runbook")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        iam = operator.client("iam")
        iam.create_user(UserName="replicate")
        key = iam.create_access_key(UserName="replicate")["AccessKey"]
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        yield


@pytest.fixture(scope="session")
def replicate(replicate_environment):
    """Module handlers/replicate/handler.py, making its clients as in Lambda."""
    return load_handler("replicate")


@pytest.fixture(scope="session")
def make_pair(replicate_environment, operator):
    """Return a function that makes a pair of buckets which the handler may use, versioned or not."""
    return lambda versioned=True: Pair.make(operator, versioned)


@pytest.fixture(scope="session")
def versioned_pair(make_pair):
    return make_pair()


@pytest.fixture
def pair(versioned_pair, monkeypatch):
    monkeypatch.setenv("TARGET_BUCKET", versioned_pair.target.bucket)
    return versioned_pair
