"""Shell exports that let any AWS tool look at the AWS that the parameters name."""

import os
import shlex
from collections.abc import Mapping

from lib.parameters import Parameters
from lib.paths import home
from lib.target import LOCAL_VARIABLES, tool_variables

# Names to values; None is for what must not be set.
Exports = dict[str, str | None]
LOOPBACK = "127.0.0.1"


def exports(parameters: Parameters, environ: Mapping[str, str] = os.environ) -> Exports:
    """Return the variables by which AWS tools reach the target; the local AWS is started if need be.

    On the local AWS they hold the deployer's access key. On a real account the caller keeps the credentials
    there are: only the region is set, and what an earlier call set for the local AWS is taken back.

    Args:
        parameters: `target`, `account_id`, `prefix`, `env` and the region of the target bucket decide.
        environ: The variables there are.

    Returns:
        Names to values.
    """
    region = parameters.migrate.target_region
    regions: Exports = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if own := tool_variables(parameters):
        return regions | own | _misleading(environ)
    return regions | (dict.fromkeys(LOCAL_VARIABLES) if _has_local(environ) else {})


def to_shell(variables: Exports) -> str:
    """Return the variables as commands that sh, bash, dash and zsh understand, one a line."""
    commands = [
        f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"
        for name, value in variables.items()
    ]
    return "\n".join(commands)


def _misleading(environ: Mapping[str, str]) -> Exports:
    """Return what would win over an endpoint and a key of our own, as it has to be.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    return {
        **dict.fromkeys(["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"]),
        **dict.fromkeys(sorted(name for name in environ if name.startswith("AWS_ENDPOINT_URL_"))),
        **_past_proxies(environ),
    }


def _past_proxies(environ: Mapping[str, str]) -> Exports:
    """No proxy lies between a tool and this laptop; where there is none, nothing has to be said."""
    if not any(name.lower() in ("http_proxy", "https_proxy", "all_proxy") for name in environ):
        return {}
    without = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = [host for host in without.split(",") if host and host != LOOPBACK]
    return dict.fromkeys(["no_proxy", "NO_PROXY"], ",".join([*hosts, LOOPBACK]))


def _has_local(environ: Mapping[str, str]) -> bool:
    """Whether the variables are those of a local AWS: it shows a certificate from its own state folder."""
    return environ.get("AWS_CA_BUNDLE", "").startswith(str(home() / ".local-aws"))
