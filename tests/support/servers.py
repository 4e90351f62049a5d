"""What tests do with a local AWS of their own: as root, since what it keeps is no matter of rights."""

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from botocore.client import BaseClient
from botocore.config import Config
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.local.deployer import ROOT_KEY, local_session
from lib.local.ministack import LocalAws

FILES = {"logs": "cloudwatch_logs"}


def eventually(look: Callable[[], bool], timeout_s: float = 120, every_s: float = 0.1) -> None:
    """Look again and again until it is true."""
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(every_s),
    )
    retrying(look)


def root(server: LocalAws, service: str, region: str = "us-east-1") -> BaseClient:
    """Return root's client."""
    return local_session().client(
        service,
        region,
        endpoint_url=server.endpoint_url,
        verify=server.ca_bundle,
        aws_access_key_id=ROOT_KEY,
        aws_secret_access_key=ROOT_KEY,
        config=Config(proxies={}, connect_timeout=600, read_timeout=600),
    )


def file_of(server: LocalAws, service: str) -> Path:
    """Return the file of a service's state but for its pieces, which has MiniStack's name of the service."""
    return server.state / "data" / f"{FILES.get(service, service)}.json"


def is_named(server: LocalAws, service: str, what: str) -> bool:
    """Whether something stands in the file of a service's state."""
    path = file_of(server, service)
    return path.exists() and what in path.read_text("utf-8")


def is_saved(server: LocalAws, service: str, what: str) -> bool:
    """Whether something stands in the file of a service's state, or in a piece of it."""
    if is_named(server, service, what):
        return True
    with closing(sqlite3.connect(server.state / "data" / "pieces.sqlite")) as pieces:
        kinds = {"dynamodb": "item", "sqs": "message", "logs": "event", "cloudwatch": "point"}
        rows = pieces.execute("SELECT text FROM pieces WHERE kind = ?", [kinds.get(service, "")])
        return any(what in text for (text,) in rows)


def create_function(server: LocalAws, name: str, code: str, **settings: object) -> dict:
    """Create a function that may do anything.

    Args:
        server: Where.
        name: The function's and its role's.
        code: Of a module with `handle(event, context)`.
        settings: Of the function, in place of the usual ones.

    Returns:
        What CreateFunction answers.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", code)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = root(server, "iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    usual = {"Runtime": "python3.12", "Handler": "handler.handle", "Timeout": 600}
    return root(server, "lambda").create_function(
        FunctionName=name, Role=role, Code={"ZipFile": archive.getvalue()}, **(usual | settings)
    )
