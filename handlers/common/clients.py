"""The clients of a handler, each made once per Lambda environment."""

import os
from collections.abc import Callable
from functools import cache, partial
from threading import Lock

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import OperationModel

from common.s3_client import faithful, take_as_header

CONFIG = Config(tcp_keepalive=True, retries={"mode": "standard", "max_attempts": 5})
# Botocore's look at each attribute of an item, which boto3 has made, is a large part of what a write takes;
# DynamoDB checks them itself.
OF_TABLES = CONFIG.merge(Config(parameter_validation=False))


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

    making = Lock()  # boto3's session makes one client at a time

    @cache
    def make(service: str, region: str, owner: str) -> BaseClient:
        made = boto3.client(service, region_name=region, config=special)
        if owner:
            made.meta.events.register("before-parameter-build.s3", partial(expect_owner, owner))
        if service == "s3":
            # Which the boto3 of Lambda's runtime may not know yet, for copies:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html (If-None-Match)
            take_as_header(faithful(made), "CopyObject", "IfNoneMatch", "If-None-Match")
        return made

    def client(service: str, region: str = "", owner: str = "") -> BaseClient:
        with making:
            return make(service, region or os.environ["AWS_REGION"], owner)

    return client


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
    return boto3.resource("dynamodb", region_name=os.environ["AWS_REGION"], config=OF_TABLES).Table(name)
