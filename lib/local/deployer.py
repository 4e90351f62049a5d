"""The user of the local AWS: the deployer, whom the runbook works as, with the policies that we publish.

Root is used here and nowhere else, to make them.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.exceptions import ClientError
from filelock import FileLock

from lib.base.aws_models import MODELS, bare_session
from lib.base.paths import write_atomically
from lib.local import deployer_policies
from lib.local.ministack import LocalAws

LOCK_TIMEOUT_S = 60
# MiniStack takes this key for root's and checks no secret (its core/iam_evaluator.py, is_root_access_key).
ROOT_KEY = "test"
# What sts answers to a key that the server does not know, or whose secret differs.
REFUSED = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}


@dataclass(frozen=True)
class Credentials:
    """The access key of an IAM user.

    Attributes:
        user_name: The IAM user's name.
        access_key_id: As boto3 and AWS_ACCESS_KEY_ID take it.
        secret_access_key: As boto3 and AWS_SECRET_ACCESS_KEY take it; not shown in a repr.
    """

    user_name: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def credentials(
    server: LocalAws, prefix: str, env: str, adopted: Iterable[str] = (), roles: Iterable[str] = ()
) -> Credentials:
    """Return the deployer's access key; makes or repairs the user if it is not as it should be.

    Each environment has a user of its own, so that two of them can be deployed at once.

    Args:
        server: The local AWS, running.
        prefix: What the names of all resources begin with.
        env: The environment's name.
        adopted: Names of buckets that are somebody else's, and that it may use from now on; those that it was
            given before stay, for what was added to them has to be taken away.
        roles: ARNs of roles of other accounts that it may take on, likewise.

    Returns:
        A key that the server knows, of a user that has its policies of `deployer_policies.POLICY_FILES`.

    Raises:
        botocore.exceptions.ClientError: The local AWS refused something else than an outdated key.
        ValueError: The policy file breaks one of IAM's limits or names an unknown placeholder.
        filelock.Timeout: Another run has been making the user for a minute.
    """
    user_name = f"{prefix}-{env}-deployer"
    path = server.state / "users" / f"{user_name}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_S):
        account_id = _caller(server, ROOT_KEY, ROOT_KEY)["Account"]
        kept = json.loads(path.read_text("utf-8")) if path.exists() else {"made_for": None, "key": None}
        buckets = sorted({*(kept.get("adopted") or []), *adopted})
        others = sorted({*(kept.get("roles") or []), *roles})
        documents = deployer_policies.render(
            account_id=account_id, prefix=prefix, env=env, adopted=buckets, roles=others
        )
        # A server that was killed starts from an older state: what was attached counts for one run of it.
        made_for = f"{server.started} {hashlib.sha256(json.dumps(documents).encode()).hexdigest()}"
        key = Credentials(**kept["key"]) if kept["key"] else None
        if key is not None and not _is_known(server, key):
            key = None
        if key is not None and kept["made_for"] == made_for:
            return key
        root = client(server, "iam", ROOT_KEY, ROOT_KEY)
        _ensure_user(root, user_name)
        deployer_policies.attach(root, user_name, documents, account_id)
        key = key or _new_key(root, user_name)
        content = {"made_for": made_for, "key": asdict(key), "adopted": buckets, "roles": others}
        write_atomically(path, json.dumps(content), mode=0o600)
        return key


@cache
def client(server: LocalAws, service: str, access_key_id: str, secret_access_key: str) -> BaseClient:
    """Make a client of the local AWS which no profile, proxy or AWS_* variable of the caller can lead astray.

    For the same arguments it is the same one, which need not shake hands again; a server that is started anew
    is another.

    Args:
        server: The local AWS, running.
        service: As boto3 names it, such as `iam`.
        access_key_id: Whose client it is.
        secret_access_key: The secret that belongs to it.

    Returns:
        A boto3 client in us-east-1.
    """
    return local_session().client(
        service,
        region_name="us-east-1",
        endpoint_url=server.endpoint_url,
        verify=server.ca_bundle,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(proxies={}),
    )


def new_session(*key: str, resolver: CredentialResolver | None = None) -> boto3.Session:
    """Return a session that has read neither the caller's AWS configuration files nor AWS_PROFILE.

    Args:
        key: The access key's id and secret that its clients sign with; none if each client is given its own.
        resolver: Gives credentials that change; None for those of the key.
    """
    session = bare_session()
    if resolver:
        session.register_component("credential_provider", resolver)
    made = boto3.Session(*key, botocore_session=session)
    MODELS.search_paths[:] = dict.fromkeys(MODELS.search_paths)  # each session adds boto3's folder
    return made


@cache
def local_session() -> boto3.Session:
    """Return the session of `client`, made once."""
    return new_session()


def _caller(server: LocalAws, access_key_id: str, secret_access_key: str) -> dict:
    return client(server, "sts", access_key_id, secret_access_key).get_caller_identity()


def _is_known(server: LocalAws, key: Credentials) -> bool:
    """Whether the server knows the key, and as this user's: after a reset it knows neither."""
    try:
        arn = _caller(server, key.access_key_id, key.secret_access_key)["Arn"]
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSED:
            return False
        raise
    return arn.endswith(f":user/{key.user_name}")


def _ensure_user(root: BaseClient, user_name: str) -> None:
    try:
        root.create_user(UserName=user_name)
    except root.exceptions.EntityAlreadyExistsException:
        return


def _new_key(root: BaseClient, user_name: str) -> Credentials:
    # A user may have two keys: those whose secrets we no longer have would be in the way.
    for old in root.list_access_keys(UserName=user_name)["AccessKeyMetadata"]:
        root.delete_access_key(UserName=user_name, AccessKeyId=old["AccessKeyId"])
    made = root.create_access_key(UserName=user_name)["AccessKey"]
    return Credentials(user_name, made["AccessKeyId"], made["SecretAccessKey"])
