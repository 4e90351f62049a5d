"""Clients with which the server calls itself, with the rights of whoever it works for."""

import os
import secrets
import threading
import time
from collections.abc import Callable
from functools import lru_cache

from botocore.client import BaseClient
from botocore.config import Config
from ministack.core.iam_evaluator import CredentialResolutionError, resolve_credential
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import sts

from lib.base.s3_client import faithful

MakeClient = Callable[[str], BaseClient]
ROOT = ("test", "test", None)  # AWS's own services; MiniStack checks no rights of root
SESSION_S = 12 * 60 * 60
MOST_CLIENTS = 256

_lock = threading.Lock()


def of_caller(headers: dict, query_params: dict) -> MakeClient:
    """Return what makes the clients of whoever sent a request, in its region.

    Args:
        headers: The request's, whose signature has been checked.
        query_params: The request's.
    """
    found = resolve_credential(extract_access_key_id(headers, query_params))
    if isinstance(found, CredentialResolutionError):  # deleted since it was checked
        raise PermissionError(found.message)
    return _maker((found.access_key_id, found.secret_access_key, found.session_token))


def of_aws() -> MakeClient:
    """Return what makes the clients of AWS's own services, in the region of the request.

    They have all rights: what they are used for was asked for by somebody who may ask for it.
    """
    return _maker(ROOT)


def of_role(arn: str) -> MakeClient:
    """Return what makes the clients of a role that AWS's own services have taken on, in the request's region.

    Args:
        arn: The role's.
    """
    account, name, key = arn.split(":")[4], arn.rpartition("/")[2], f"ASIA{secrets.token_hex(8).upper()}"
    secret, token = secrets.token_hex(20), secrets.token_hex(32)
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/AWS",
        "UserId": f"{name}:AWS",
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": time.time() + SESSION_S,
    }
    sts.register_session(key, session)
    return _maker((key, secret, token))


def _maker(key: tuple[str, str, str | None]) -> MakeClient:
    # Of another account than the first, root's key is the account's number.
    key = (get_account_id(), *key[1:]) if key == ROOT else key
    region = get_region()
    return lambda service: _client(service, region, *key)


def _client(service: str, region: str, key: str, secret: str, token: str | None) -> BaseClient:
    with _lock:  # one session makes them, and is for one thread at a time
        return _made(service, region, key, secret, token)


@lru_cache(MOST_CLIENTS)
def _made(service: str, region: str, key: str, secret: str, token: str | None) -> BaseClient:
    client = _session().client(
        service,
        region_name=region,
        endpoint_url=f"https://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        verify=os.environ["AWS_CA_BUNDLE"],
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(user_agent="local-aws"),
    )
    return faithful(client) if service == "s3" else client


@lru_cache(1)
def _session():
    import boto3  # here, since a server starts sooner without it

    return boto3.Session()
