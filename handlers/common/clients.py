"""The clients of a handler, each made once per Lambda environment."""

import os
from collections.abc import Callable
from functools import cache

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from common.s3_client import faithful

CONFIG = Config(tcp_keepalive=True, retries={"mode": "standard", "max_attempts": 5})


def clients(**config: object) -> Callable[..., BaseClient]:
    """Return what makes the clients of a handler: `client("s3")`, `client("s3", "us-west-1")`.

    Args:
        config: What is special about them, as botocore's Config takes it.

    Returns:
        A function that takes a service and a region, by default the function's own. Its S3 clients keep what
        boto3's would lose.
    """
    special = CONFIG.merge(Config(**config))

    @cache
    def make(service: str, region: str) -> BaseClient:
        made = boto3.client(service, region_name=region, config=special)
        return faithful(made) if service == "s3" else made

    return lambda service, region="": make(service, region or os.environ["AWS_REGION"])


@cache
def table(name: str):
    """Return a DynamoDB table of the function's region, as a resource, which takes and gives Decimals.

    Args:
        name: The table's name.
    """
    return boto3.resource("dynamodb", region_name=os.environ["AWS_REGION"], config=CONFIG).Table(name)
