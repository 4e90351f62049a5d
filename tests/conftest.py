"""What all tests share: an environment of their own, and one local AWS with its deployer."""

import gc
import os
import secrets
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from hypothesis import HealthCheck, settings
from jupyter_client.provisioning import local_provisioner
from support import client_classes
from support.cleanup import remove
from support.homes import share_bundles
from support.somebodys import clients_of_root
from support.warm_kernels import WarmKernels

import lib.execution  # noqa: F401  # before anybody imports jsonschema: it says what that does without
from lib.engine.stack import Stack
from lib.local import deployer, ministack
from lib.parameters import Parameters
from lib.target import Target, connect

# No test judges time: the machine may be busy. In effect before any test is imported, in every process; what
# the current profile says otherwise (Hypothesis has one for CI) stays.
settings.register_profile(
    "runbook", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("runbook")
client_classes.share()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector from going again and again through half a million objects that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# What takes longest, so that nobody waits for it at the end: of a file's tests no two processes can share.
BEGUN_FIRST = (
    *("test_outputs.py", "test_adopted.py", "test_soak.py", "test_run.py", "test_lifecycle.py"),
    *("test_faults.py", "test_new.py", "test_adoption.py", "test_objects.py", "test_guide.py"),
    *("test_delete_converges.py", "test_inventory.py", "test_deliveries.py", "test_bundle.py"),
    *("test_exports.py", "test_moving.py", "test_rollback.py", "test_stack.py", "test_as_deployed.py"),
    *("test_backup.py", "test_backfill.py", "test_crash.py", "test_drift.py", "test_killed.py"),
    *("test_migrate.py", "test_observe.py", "test_terminal.py", "test_recovery.py", "test_lock.py"),
    *("test_restore.py", "test_answers.py", "test_foreign_lib.py", "test_layout.py", "test_crawls.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    place = {name: number for number, name in enumerate(BEGUN_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep state in a folder of our own and the caller's AWS_* variables out, subprocesses included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path_factory.mktemp("home"))))
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def warm_kernels(own_environment: None) -> Iterator[None]:
    """Let kernels that this process starts be copies of one that has imported what notebooks import."""
    kernels = WarmKernels()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_provisioner, "launch_kernel", kernels.launch)
        yield
    kernels.end()


@pytest.fixture(scope="session")
def local_aws(own_environment: None) -> Iterator[ministack.LocalAws]:
    """The local AWS that the tests share; a test that stops or kills one has a home of its own."""
    yield ministack.start()
    ministack.reset()


@pytest.fixture(scope="session")
def deployer_session(local_aws: ministack.LocalAws) -> boto3.Session:
    """A session of the deployer of environment `test`."""
    key = deployer.credentials(local_aws, prefix="runbook", env="test")
    return deployer.new_session(key.access_key_id, key.secret_access_key)


@pytest.fixture(scope="session")
def client(local_aws: ministack.LocalAws, deployer_session: boto3.Session) -> Callable[..., BaseClient]:
    """Makes the deployer's clients: `client("s3")`, `client("sqs", "us-west-1")`."""

    def make(service: str, region: str = "us-east-1") -> BaseClient:
        target = {"endpoint_url": local_aws.endpoint_url, "verify": local_aws.ca_bundle}
        return deployer_session.client(service, region_name=region, config=Config(proxies={}), **target)

    return make


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    """Of environment `test` on the local AWS."""
    return Parameters.check({"env": "test"})


@pytest.fixture(scope="session")
def target(local_aws: ministack.LocalAws, parameters: Parameters) -> Target:
    """The local AWS as the runbook sees it: with the deployer's rights and the stand-ins."""
    return connect(parameters)


@pytest.fixture
def stack(target: Target, parameters: Parameters) -> Iterator[Stack]:
    """An empty stack of a pipeline that nobody else has; what it makes is deleted after the test."""
    stack = Stack(target, parameters, f"t{secrets.token_hex(4)}")
    yield stack
    remove(stack)


@pytest.fixture(scope="session")
def somebody(local_aws: ministack.LocalAws) -> Callable[..., BaseClient]:
    """Makes the clients of somebody else with all rights: `somebody("s3", "us-west-1")`."""
    return clients_of_root(local_aws)


@pytest.fixture(scope="session")
def moto(own_environment: None) -> Iterator[str]:
    """The endpoint of another emulator of AWS, for a second opinion; its account is 123456789012."""
    from moto.server import ThreadedMotoServer  # here, since few processes need it

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
