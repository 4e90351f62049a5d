"""The clients of a handler, each made once per Lambda environment."""

import os
from collections.abc import Callable
from functools import cache, partial

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import OperationModel

from common.s3_client import faithful

CONFIG = Config(tcp_keepalive=True, retries={"mode": "standard", "max_attempts": 5})


def clients(**config: object) -> Callable[..., BaseClient]:
    """Return what makes the clients of a handler: `client("s3")`, `client("s3", "us-west-1", owner="…")`.

    Args:
        config: What is special about them, as botocore's Config takes it.

    Returns:
        A function that takes a service, a region, by default the function's own, and of S3 the account that
        owns the buckets; a bucket of another one is refused then. Its S3 clients keep what
        boto3's would lose.
    """
    special = CONFIG.merge(Config(**config))

    @cache
    def make(service: str, region: str, owner: str) -> BaseClient:
        made = boto3.client(service, region_name=region, config=special)
        if owner:
            made.meta.events.register("before-parameter-build.s3", partial(expect_owner, owner))
        return faithful(made) if service == "s3" else made

    return lambda service, region="", owner="": make(service, region or os.environ["AWS_REGION"], owner)


def expect_owner(owner: str, params: dict, model: OperationModel, **_: object) -> None:
    """Have S3 refuse a call if the bucket is not the account's: a name that was given up is anybody's.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """
    if "ExpectedBucketOwner" in model.input_shape.members:
        params.setdefault("ExpectedBucketOwner", owner)


@cache
def table(name: str):
    """Return a DynamoDB table of the function's region, as a resource, which takes and gives Decimals.

    Args:
        name: The table's name.
    """
    return boto3.resource("dynamodb", region_name=os.environ["AWS_REGION"], config=CONFIG).Table(name)
