"""Shell exports that let any AWS tool look at the AWS that the parameters name."""

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lib.base.errors import TargetError
from lib.parameters import Parameters
from lib.target import tool_variables

LOOPBACK = "127.0.0.1"
# What has no say in where a tool goes and as whom. Every other variable of AWS is taken away: a profile, a
# session token, a role, an endpoint of one service, FIPS, dual-stack, that endpoints are to be ignored.
# https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
HARMLESS = frozenset(
    {
        "AWS_CLI_AUTO_PROMPT",
        "AWS_CLI_FILE_ENCODING",
        "AWS_DEFAULT_OUTPUT",
        "AWS_MAX_ATTEMPTS",
        "AWS_PAGER",
        "AWS_RETRY_MODE",
    }
)
# Nor are the files read in which profiles, their endpoints and keys stand.
NO_FILES = dict.fromkeys(["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"], os.devnull)
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# Lists what was changed for the local AWS, and is there as long as that is what tools see. What a variable
# held before is in one whose name begins so.
CHANGED = "RUNBOOK_ENV_CHANGED"
BEFORE = "RUNBOOK_ENV_BEFORE_"
CHECK = Path(__file__).with_name("endpoints.py")
CHECK_TIMEOUT_S = 300


@dataclass(frozen=True)
class ValueOf:
    """What another variable holds: it may be a secret, so it is never printed."""

    name: str


# Names to values; None is for what must not be set.
Exports = dict[str, str | ValueOf | None]


def exports(
    parameters: Parameters, environ: Mapping[str, str] = os.environ, as_administrator: bool = False
) -> Exports:
    """Return the variables by which AWS tools reach the target; the local AWS is started if need be.

    On the local AWS they hold the deployer's access key, which is known there only, and whatever could lead a
    tool elsewhere is taken away. On a real account the caller keeps the credentials there are: the region is
    set, and what an earlier call changed for the local AWS is as it was.

    Args:
        parameters: `target`, `account_id`, `prefix`, `env` and the regions decide.
        environ: The variables there are.
        as_administrator: Whether the key is not the deployer's but one that may do everything there.

    Returns:
        Names to values.

    Raises:
        ParameterError: If somebody wants to be the administrator of a real account.
        TargetError: With them, a tool would still go elsewhere.
    """
    region = usual_region(parameters)
    regions = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    own = tool_variables(parameters, as_administrator)
    if not own:
        return _as_before(environ) | regions
    wanted = _misleading(environ) | _past_proxies(environ) | NO_FILES | regions | own
    result = {name: value for name, value in ({**environ} | wanted).items() if value is not None}
    require_endpoint(result, own["AWS_ENDPOINT_URL"], own["AWS_ACCESS_KEY_ID"])
    return _keeping(wanted, environ) | wanted


def usual_region(parameters: Parameters) -> str:
    """Return the region in which most of what the pipelines read and write is; of several, the first by name.

    Args:
        parameters: Their regions.
    """
    expected = filter(None, map(parameters.expected, parameters.pipelines()))
    counts = Counter(region for each in expected for region in (each.source_region, each.destination_region))
    return min(counts, key=lambda region: (-counts[region], region))


def to_shell(variables: Exports) -> str:
    """Return the variables as commands that sh, bash, dash and zsh understand, one a line."""
    return "\n".join(_command(name, value) for name, value in variables.items())


def require_endpoint(environ: Mapping[str, str], endpoint_url: str, key: str) -> None:
    """Make sure that tools go to an endpoint and nowhere else.

    Args:
        environ: The variables that the tools will see, all of them.
        endpoint_url: Where they have to go.
        key: The access key's id that they have to sign with.

    Raises:
        TargetError: One goes elsewhere or signs with another key; with the variable that is to blame.
    """
    if not (astray := _astray(environ, endpoint_url, key)):
        return
    suspects = sorted(name for name in environ if name.startswith("AWS_") or name.lower() in PROXIES)
    for name in suspects:
        others = {each: value for each, value in environ.items() if each != name}
        if not _astray(others, endpoint_url, key):
            raise TargetError(f"{astray}. That is because {name} is set: `unset {name}`, then try again")
    raise TargetError(f"{astray}. Look at {', '.join(suspects)}, and at the files in ~/.aws")


def _astray(environ: Mapping[str, str], endpoint_url: str, key: str) -> str:
    """Return which tool would go elsewhere, and where, in words; empty if none would."""
    # Isolated: nothing from the working folder or PYTHONPATH may answer in botocore's place.
    done = subprocess.run(
        [sys.executable, "-I", CHECK], env=environ, capture_output=True, text=True, timeout=CHECK_TIMEOUT_S
    )
    if done.returncode:
        return f"AWS tools could not be checked: {done.stderr.strip()}"
    for found in json.loads(done.stdout):
        if "error" in found:
            return f"AWS tools would fail on {found['service']}: {found['error']}"
        if urlsplit(found["url"])[:2] != urlsplit(endpoint_url)[:2]:
            return f"AWS tools would reach {found['url']} for {found['service']}, and not {endpoint_url}"
        if found["key"] != key:
            return f"AWS tools would sign with the access key {found['key']}, and not {key}"
    return ""


def _command(name: str, value: str | ValueOf | None) -> str:
    if value is None:
        return f"unset {name}"
    return (
        f'export {name}="${value.name}"'
        if isinstance(value, ValueOf)
        else f"export {name}={shlex.quote(value)}"
    )


def _misleading(environ: Mapping[str, str]) -> dict[str, None]:
    return dict.fromkeys(sorted(n for n in environ if n.startswith("AWS_") and n not in HARMLESS))


def _past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """No proxy lies between a tool and this laptop; where there is none, nothing has to be said."""
    if not any(name.lower() in PROXIES for name in environ):
        return {}
    without = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = [host for host in without.split(",") if host and host != LOOPBACK]
    return dict.fromkeys(["no_proxy", "NO_PROXY"], ",".join([*hosts, LOOPBACK]))


def _keeping(wanted: Mapping[str, object], environ: Mapping[str, str]) -> Exports:
    """Return what remembers how it was before; what an earlier call has remembered stays so."""
    remembered = environ.get(CHANGED, "").split()
    new = [name for name in wanted if name not in remembered]
    before: Exports = {f"{BEFORE}{name}": ValueOf(name) for name in new if name in environ}
    return before | {CHANGED: " ".join([*remembered, *new])}


def _as_before(environ: Mapping[str, str]) -> Exports:
    """Return what undoes an earlier call for the local AWS; nothing if there was none."""
    if CHANGED not in environ:
        return {}
    names = [name for name in environ[CHANGED].split() if name.isidentifier()]
    kept = [name for name in names if f"{BEFORE}{name}" in environ]
    restored: Exports = {name: ValueOf(f"{BEFORE}{name}") if name in kept else None for name in names}
    return restored | dict.fromkeys([f"{BEFORE}{name}" for name in kept] + [CHANGED])
