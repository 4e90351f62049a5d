"""What MiniStack does otherwise than AWS, as the corrections say it."""

import boto3
import pytest
from botocore.config import Config

from lib.local import ministack
from lib.local.deployer import ROOT_KEY
from lib.local.in_server.corrections import CORRECTIONS


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server for all of them: what they leave behind is nobody's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(tmp_path_factory.mktemp("corrections")))
        yield ministack.start()
        ministack.reset()


@pytest.mark.parametrize("name", [each.name for each in CORRECTIONS.values() if each.reproduce])
def test_what_a_report_says_is_so_with_the_correction(own_server, name):
    """And without it the report's code fails: `make corrections`."""

    def client(service, region="us-east-1", key=(ROOT_KEY, ROOT_KEY)):
        endpoint = {"endpoint_url": own_server.endpoint_url, "verify": own_server.ca_bundle}
        return boto3.Session(*key).client(service, region, config=Config(proxies={}), **endpoint)

    exec(compile(CORRECTIONS[name].reproduce, name, "exec"), {"client": client})
