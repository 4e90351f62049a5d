"""The AWS that a run works on: the local one on this laptop, or a real account."""

from dataclasses import dataclass, field, replace
from threading import Lock
from types import ModuleType

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lib.base import clock, credentials
from lib.base.call_ledger import ledger
from lib.base.errors import ParameterError, TargetError
from lib.base.s3_client import faithful
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION
from lib.resources.bundle import LAMBDA, THIS, Runtime
from lib.resources.registry import call_names

# What AWS tools must be told to reach the local AWS.
LOCAL_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CONFIG = Config(retries={"mode": "standard", "max_attempts": 8}, user_agent_appid="runbook")


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
        rule_state: Whether schedules are on if nobody says: on the local AWS they cost nothing.
    """

    name: str
    session: boto3.Session
    account_id: str = ""
    caller: str = ""
    endpoint_url: str | None = None
    ca_bundle: str | None = None
    config: Config = CONFIG
    runtime: Runtime = LAMBDA
    rule_state: str = "DISABLED"
    _clients: dict[tuple[str, str], object] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def client(self, service: str, region: str):
        """Return a client, the same one for the same arguments; any thread may ask.

        Clients are for several threads, but a session that makes them is for one at a time.
        https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions

        Args:
            service: boto3's name of the service, such as `sqs`.
            region: The region it speaks to.

        Returns:
            A boto3 client.
        """
        key = (service, region)
        with self._lock:
            if key not in self._clients:
                client = self.session.client(
                    service, region, endpoint_url=self.endpoint_url, verify=self.ca_bundle, config=self.config
                )
                self._clients[key] = faithful(client) if service == "s3" else client
            return self._clients[key]

    def with_config(self, config: Config) -> "Target":
        """Return the same AWS with clients of their own.

        Args:
            config: What is different about them; all else is as it is here.
        """
        return replace(self, config=self.config.merge(config), _clients={})


def connect(parameters: Parameters) -> Target:
    """Connect to the AWS that the parameters name; the local one is started if need be.

    Args:
        parameters: `target`, `account_id`, `prefix` and `env` decide.

    Returns:
        The target, its account checked.

    Raises:
        ParameterError: If the caller's account is not the parameters', or the caller is root.
        TargetError: If there are no credentials, or AWS does not answer.
    """
    target = _local(parameters) if parameters.target == "local" else _aws()
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
    return target


def _local(parameters: Parameters) -> Target:
    # Imported here: whoever works on a real account needs nothing of the local one.
    from lib.local import deployer, ministack, stand_ins

    server = ministack.start()
    adopted = [one.name for one in parameters.scope().adopted]
    key = deployer.credentials(server, parameters.prefix, parameters.env, adopted)
    target = Target(
        "local",
        session=deployer.new_session(key.access_key_id, key.secret_access_key),
        endpoint_url=server.endpoint_url,
        ca_bundle=server.ca_bundle,
        config=CONFIG.merge(Config(proxies={})),  # no proxy lies between us and this laptop
        runtime=THIS,  # the local AWS runs functions with the Python that it was installed with: this one
        rule_state="ENABLED",
    )
    target = _identify(target)
    ledger().watch(target.session, call_names(), target.caller)
    stand_ins.install(target.session, announce=print)
    return target


def _aws() -> Target:
    try:
        session = credentials.session()
    except BotoCoreError as error:
        raise TargetError(f"target 'aws': {error}; see AWS_PROFILE and ~/.aws/config") from error
    target = _identify(Target("aws", session=session))
    ledger().watch(session, call_names(), target.caller)
    return target


def _identify(target: Target) -> Target:
    """Return the target with the account and the caller that AWS names; say if the clock here is off."""
    try:
        caller = target.client("sts", GLOBAL_REGION).get_caller_identity()
    except ClientError as error:
        off = clock.difference(error.response)
        why = f"; {off}, which may be why" if off else ""
        raise TargetError(f"target {target.name!r}: AWS does not say who we are: {error}{why}") from error
    except BotoCoreError as error:
        raise TargetError(f"target {target.name!r}: AWS does not say who we are: {error}") from error
    if off := clock.difference(caller):
        print(f"{off}: the lags and times below are as much too long or too short. Set the clock")
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
    return f"The local AWS runs: {server.endpoint_url} (pid {server.pid}, since {server.started})", True


def tool_variables(parameters: Parameters) -> dict[str, str]:
    """Return what AWS tools must be told to reach the target: LOCAL_VARIABLES, or nothing for a real account.

    Args:
        parameters: `target`, `account_id`, `prefix` and `env` decide; a local AWS is started if need be.
    """
    if parameters.target != "local":
        return {}
    target = connect(parameters)
    key = target.session.get_credentials()
    values = (target.endpoint_url, target.ca_bundle, key.access_key, key.secret_key)
    return dict(zip(LOCAL_VARIABLES, values, strict=True))


def local_corrections() -> ModuleType:
    """Return what the local AWS corrects, for the command line: `table`, `report` and `warning`."""
    from lib.local import reports

    return reports


def local_aws() -> ModuleType:
    """Return the local AWS's life, for the command line: `start`, `status`, `stop` and `reset`."""
    from lib.local import ministack

    return ministack
