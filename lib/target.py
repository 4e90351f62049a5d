"""The AWS that a run works on: the local one on this laptop, or a real account; and accounts beside it."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.exceptions import BotoCoreError, ClientError

from lib.base import assumed_role, clock, credentials
from lib.base.aws_models import new_session
from lib.base.call_ledger import ledger
from lib.base.errors import ParameterError, TargetError
from lib.base.remembering import remembering
from lib.base.request_model import refuse_misfits
from lib.base.s3_client import faithful
from lib.base.s3_listing import quick_listings
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, PROTECTED, Resource
from lib.resources.bundle import LAMBDA, THIS, Runtime
from lib.resources.other_account import OtherAccount
from lib.resources.registry import call_names

if TYPE_CHECKING:
    from lib.local.in_server.lag_times import Lag

# What AWS tools must be told to reach the local AWS.
LOCAL_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CONFIG = Config(retries={"mode": "standard", "max_attempts": 8}, user_agent_appid="runbook")
# Of what holds data, if the parameters do not say.
_PROTECTION = {"local": "DISABLED", "aws": PROTECTED}
CONNECTIONS = 50  # that all clients of the local AWS share; AWS's own services have ten for each client
SESSION_NAME = "runbook"  # of a role that is taken on, as the logs of its account show it


def session_of(resolver: CredentialResolver) -> boto3.Session:
    """Return a session with the credentials that a resolver gives, instead of the usual chain.

    Args:
        resolver: Of `lib.base.assumed_role`.
    """
    session = new_session()
    session.register_component("credential_provider", resolver)
    return boto3.Session(botocore_session=session)


@dataclass(frozen=True)
class Target:
    """An AWS account, and the one place where clients for it are made.

    Attributes:
        name: `local` or `aws`.
        session: Makes the clients; of the local AWS it also shows what that announces.
        account_id: Its account, 12 digits.
        caller: ARN of the user or role that we act as.
        endpoint_url: Where the local AWS listens; None for AWS's own endpoints.
        ca_bundle: The certificate that the local AWS shows; None for the usual ones.
        config: Of all clients: retries, and how we name ourselves to AWS.
        runtime: What Lambda functions run on, for packages that are compiled.
        home_region: In which region is asked for what has none, and who we are.
        rule_state: Whether schedules are on if nobody says: on the local AWS they cost nothing.
        session_of: Makes the session of a role that is taken on.
        watch: Has the calls of such a session written down, by whom they are made.
    """

    name: str
    session: boto3.Session
    account_id: str = ""
    caller: str = ""
    endpoint_url: str | None = None
    ca_bundle: str | None = None
    config: Config = CONFIG
    runtime: Runtime = LAMBDA
    home_region: str = GLOBAL_REGION
    rule_state: str = "DISABLED"
    session_of: Callable[[CredentialResolver], boto3.Session] = session_of
    watch: Callable[[boto3.Session, str], None] = lambda session, caller: None
    _ways: dict[str, OtherAccount] = field(default_factory=dict, repr=False)
    _roles: dict[str, tuple[boto3.Session, str]] = field(default_factory=dict, repr=False)
    _clients: dict[tuple[str, str, str], object] = field(default_factory=dict, repr=False)
    _connections: dict[str, object] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def client(self, service: str, region: str, account_id: str = ""):
        """Return a client, the same one for the same arguments; any thread may ask.

        Clients are for several threads, but a session that makes them is for one at a time.
        https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions

        Args:
            service: boto3's name of the service, such as `sqs`.
            region: The region it speaks to.
            account_id: The account that it works in; empty for the target's own.

        Returns:
            A boto3 client.

        Raises:
            ParameterError: If the account is another one, and its role cannot be taken on.
        """
        role_arn = self._way(account_id).role_arn if account_id not in ("", self.account_id) else ""
        return self._client(service, region, role_arn)

    def client_of(self, resource: Resource):
        """Return the client that a resource is read and written with: of its service, region and account.

        Args:
            resource: One that has a scope.

        Raises:
            ParameterError: As for `client`.
        """
        return self.client(resource.service, resource.region, resource.account_id)

    def learn(self, others: Iterable[OtherAccount]) -> None:
        """Take down by which roles one gets into other accounts; nothing is asked yet.

        Args:
            others: Each account once.
        """
        with self._lock:
            self._ways.update({one.account_id: one for one in others})

    def role_in(self, account_id: str) -> str:
        """Return the ARN of the role by which one gets into another account.

        Raises:
            ParameterError: If nobody has said it, or it cannot be taken on.
        """
        return self._way(account_id).role_arn

    def as_role(self, role_arn: str) -> Callable[[str, str], BaseClient]:
        """Return what makes the clients of a role of ours that is taken on: of a service and a region.

        Args:
            role_arn: The role.

        Raises:
            ParameterError: If it cannot be taken on.
        """
        account_id = role_arn.split(":")[4]
        self._take_on(OtherAccount("", "", account_id, role_arn))
        return lambda service, region: self._client(service, region, role_arn)

    def _client(self, service: str, region: str, role_arn: str = ""):
        key = (service, region, role_arn)
        with self._lock:
            if key not in self._clients:
                session = self._roles[role_arn][0] if role_arn else self.session
                client = self._make(session, service, region)
                refuse_misfits(client.meta.events)
                self._clients[key] = quick_listings(faithful(client)) if service == "s3" else client
            return self._clients[key]

    def _make(self, session: boto3.Session, service: str, region: str, **keys: str) -> BaseClient:
        place = {"endpoint_url": self.endpoint_url, "verify": self.ca_bundle, "config": self.config}
        client = session.client(service, region, **place, **keys)
        if self.endpoint_url:  # all services are at one place: else each client shakes hands there anew
            endpoint = client._endpoint
            endpoint.http_session = self._connections.setdefault("all", endpoint.http_session)
        return client

    def _way(self, account_id: str) -> OtherAccount:
        """Return the way into another account, whose role is taken on by now."""
        if account_id not in self._ways:
            raise ParameterError(
                f"account {account_id}: something of this environment lives there, and neither its roles nor "
                "its parameters say which role to take on. Name account and role in the parameters, as they "
                "were"
            )
        self._take_on(self._ways[account_id])
        return self._ways[account_id]

    def _take_on(self, way: OtherAccount) -> None:
        """Take on a role, if that was not done before, and make sure of whose account it is.

        Raises:
            ParameterError: If it cannot be taken on, or is of another account.
        """
        with self._lock:
            if way.role_arn in self._roles:
                return
            session = self.session_of(
                assumed_role.resolver(
                    lambda **keys: self._make(self.session, "sts", self.home_region, **keys),
                    self.session.get_credentials(),
                    way.role_arn,
                    SESSION_NAME,
                    way.external_id,
                )
            )
            try:
                caller = self._make(session, "sts", self.home_region).get_caller_identity()
            except (ClientError, BotoCoreError) as error:
                raise ParameterError(_not_taken_on(way, self.caller, error)) from error
            if caller["Account"] != way.account_id:
                raise ParameterError(
                    f"{way.parameter or way.role_arn}: its credentials are for account {caller['Account']}, "
                    f"and the parameters say {way.account_id}; nothing was done there"
                )
            self.watch(session, caller["Arn"])
            self._roles[way.role_arn] = (session, caller["Arn"])

    def for_one_look(self) -> "Target":
        """Return the same AWS with clients that ask each question once: for a look, without writes."""
        return _Look(**{each.name: getattr(self, each.name) for each in fields(self)})

    def with_config(self, config: Config) -> "Target":
        """Return the same AWS with clients of their own.

        Args:
            config: What is different about them; all else is as it is here.
        """
        return replace(self, config=self.config.merge(config), _clients={}, _connections={})


@dataclass(frozen=True)
class _Look(Target):
    """A target whose clients remember what they have read."""

    _remembering: dict[tuple[str, str, str], object] = field(default_factory=dict, repr=False)

    def _client(self, service: str, region: str, role_arn: str = ""):
        key = (service, region, role_arn)
        if key not in self._remembering:
            self._remembering[key] = remembering(super()._client(service, region, role_arn))
        return self._remembering[key]


def _not_taken_on(way: OtherAccount, caller: str, error: Exception) -> str:
    """Say in one line that a role cannot be taken on, and what both sides have to allow."""
    told = error.response["Error"] if isinstance(error, ClientError) else {"Code": str(error)}
    why = ": ".join(filter(None, [told["Code"], told.get("Message", "").strip()]))
    expected = {"StringEquals": {"sts:ExternalId": way.external_id or "…"}}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": principal_of(caller)},
        "Action": "sts:AssumeRole",
        **({"Condition": expected} if way.external_id else {}),
    }
    external = (
        "with the external id that the parameters say"
        if way.external_id
        else "if it expects an external id, the parameters must say it"
    )
    whose = way.parameter or "a role of this environment"
    return (
        f"{whose}: {way.role_arn} cannot be taken on ({why}). See whether the role exists; whether its trust "
        f"policy lets us in, {json.dumps(trust)} ({external}); and whether we may: sts:AssumeRole on it in "
        "the deployer's own policy (docs/real-account.md, 7). Nothing was written"
    )


def principal_of(caller: str) -> str:
    """Return by which ARN a trust policy names a caller: a session of a role by the role.

    Args:
        caller: As STS names it; the path of a role is not in it.
    """
    found = re.fullmatch(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/]+)/.*", caller)
    return f"arn:aws:iam::{found[1]}:role/{found[2]}" if found else caller


def connect(parameters: Parameters) -> Target:
    """Connect to the AWS that the parameters name; the local one is started if need be.

    Args:
        parameters: `target`, `account_id`, `prefix`, `env` and `home_region` decide.

    Returns:
        The target, its account checked.

    Raises:
        ParameterError: If the caller's account is not the parameters', or the caller is root.
        TargetError: If there are no credentials, or AWS does not answer.
    """
    target = _local(parameters) if parameters.target == "local" else _aws(parameters)
    if target.account_id != parameters.account_id:
        raise ParameterError(
            f"account_id: the parameters say {parameters.account_id}, but the credentials are for account "
            f"{target.account_id}; nothing was done"
        )
    if target.caller.endswith(":root"):
        raise ParameterError(
            f"the credentials are root's ({target.caller}); use a user or role with"
            " lib/policies/deployer-policy.json"
        )
    target.learn(parameters.scope().others)
    return target


def _local(parameters: Parameters) -> Target:
    # Imported here: whoever works on a real account needs nothing of the local one.
    from lib.local import deployer, ministack, stand_ins

    def watch(session: boto3.Session, caller: str) -> None:
        ledger().watch(session, call_names(), caller)
        stand_ins.install(session, announce=print)

    server = ministack.start()
    scope = parameters.scope()
    adopted, roles = [one.name for one in scope.adopted], [one.role_arn for one in scope.others]
    key = deployer.credentials(server, parameters.prefix, parameters.env, adopted, roles)
    target = Target(
        "local",
        session=deployer.new_session(key.access_key_id, key.secret_access_key),
        endpoint_url=server.endpoint_url,
        ca_bundle=server.ca_bundle,
        # No proxy lies between us and this laptop, and nobody there reads the long name that botocore
        # composes twice for each call.
        config=CONFIG.merge(Config(proxies={}, user_agent="runbook", max_pool_connections=CONNECTIONS)),
        home_region=parameters.home_region,
        runtime=THIS,  # the local AWS runs functions with the Python that it was installed with: this one
        rule_state="ENABLED",
        session_of=lambda resolver: deployer.new_session(resolver=resolver),
        _connections=_connections(server.endpoint_url, server.started),
        watch=watch,
    )
    target = _identify(target)
    watch(target.session, target.caller)
    return target


@cache
def _connections(endpoint_url: str, started: str) -> dict[str, object]:
    """Return what the clients of a server share; of one that is started anew it is another."""
    return {}


def _aws(parameters: Parameters) -> Target:
    try:
        session = credentials.session()
    except BotoCoreError as error:
        raise TargetError(f"target 'aws': {error}; see AWS_PROFILE and ~/.aws/config") from error
    target = _identify(Target("aws", session=session, home_region=parameters.home_region, watch=_watch))
    _watch(session, target.caller)
    return target


def _watch(session: boto3.Session, caller: str) -> None:
    ledger().watch(session, call_names(), caller)


def _identify(target: Target) -> Target:
    """Return the target with the account and the caller that AWS names; say if the clock here is off."""
    try:
        caller = target.client("sts", target.home_region).get_caller_identity()
    except ClientError as error:
        off = clock.difference(error.response)
        why = f"; {off}, which may be why" if off else ""
        raise TargetError(f"target {target.name!r}: AWS does not say who we are: {error}{why}") from error
    except BotoCoreError as error:
        raise TargetError(f"target {target.name!r}: AWS does not say who we are: {error}") from error
    if off := clock.difference(caller):
        told = f"{off}: lags and times that are told are as much too long or too short. Set the clock"
        print(told, file=sys.stderr)  # what is printed may be a command's answer
    return replace(target, account_id=caller["Account"], caller=caller["Arn"])


def start(parameters: Parameters) -> None:
    """Start the AWS on this laptop, if that is the target; a real one runs.

    Args:
        parameters: `target` decides.
    """
    if parameters.target == "local":
        local_aws().start()


def needs_consent(parameters: Parameters) -> bool:
    """Return whether a person has to agree before all is destroyed: not on one's own laptop.

    Args:
        parameters: `target` decides.
    """
    return parameters.target != "local"


def protects_data(parameters: Parameters) -> bool:
    """Return whether what holds data is protected from deletion: unless said otherwise, not on a laptop.

    Args:
        parameters: `deletion_protection` and `target` decide.
    """
    return (parameters.deletion_protection or _PROTECTION[parameters.target]) == PROTECTED


def whereabouts(parameters: Parameters) -> tuple[str, bool]:
    """Return where the target is, in words, and whether it can be asked now.

    Args:
        parameters: `target` decides.
    """
    if parameters.target != "local":
        return "AWS itself", True
    server = local_aws().status()
    if server is None:
        return "The local AWS does not run; `runbook local start` or `runbook run` starts it.", False
    late = f"; {server.lateness}" if server.lateness else ""
    return f"The local AWS runs: {server.endpoint_url} (pid {server.pid}, since {server.started}){late}", True


def kept_here(parameters: Parameters) -> dict[str, str]:
    """Return what the target keeps on this machine, and for how long, in words; nothing for a real account.

    Args:
        parameters: `target` decides.
    """
    return {"local AWS": local_aws().keeps()} if parameters.target == "local" else {}


def tool_variables(parameters: Parameters, as_administrator: bool = False) -> dict[str, str]:
    """Return what AWS tools must be told to reach the target: LOCAL_VARIABLES, or nothing for a real account.

    Args:
        parameters: `target`, `account_id`, `prefix` and `env` decide; a local AWS is started if need be.
        as_administrator: Whether they may do everything, as somebody else who uses the account, and not only
            what the runbook may.

    Raises:
        ParameterError: If somebody wants to be the administrator of a real account.
    """
    if parameters.target != "local":
        if as_administrator:
            raise ParameterError(
                "only the AWS on this laptop has keys to give; on AWS the credentials are yours"
            )
        return {}
    target = connect(parameters)
    key = target.session.get_credentials()
    keys = (_administrators_key(),) * 2 if as_administrator else (key.access_key, key.secret_key)
    return dict(zip(LOCAL_VARIABLES, (target.endpoint_url, target.ca_bundle, *keys), strict=True))


def _administrators_key() -> str:
    from lib.local.deployer import ROOT_KEY

    return ROOT_KEY


def local_corrections() -> ModuleType:
    """Return what the local AWS corrects, for the command line: `table`, `report` and `warning`."""
    from lib.local import reports

    return reports


def lag_of(
    is_late: bool, scale: float | None, seconds: Mapping[str, float] | None, latency_ms: float
) -> "Lag | None":
    """Return how late the local AWS shall be; None if not at all.

    Args:
        is_late: Whether it shall be as late as AWS, though neither `scale` nor `seconds` say so.
        scale: What AWS's figures are multiplied with; None for 1.
        seconds: In place of some of them, by name.
        latency_ms: How long each call takes at least, in milliseconds.

    Raises:
        ParameterError: If there is nothing of a name that could be late, or a number is below 0.
    """
    from lib.local.in_server.lag_times import Lag

    try:
        if is_late or scale is not None or seconds is not None:
            return Lag.of(1 if scale is None else scale, seconds, latency_ms)
        return Lag.only_latency(latency_ms) if latency_ms else None
    except ValueError as error:
        raise ParameterError(f"lag: {error}") from error


def local_aws() -> ModuleType:
    """Return the local AWS's life, for the command line: `start`, `status`, `stop` and `reset`."""
    from lib.local import ministack

    return ministack
