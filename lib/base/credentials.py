"""The caller's own credentials: asked for once, kept as the AWS CLI keeps them, and told when over."""

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.utils import JSONFileCache

from lib.base.aws_times import reading_times_at_once
from lib.base.errors import TargetError

# Where the AWS CLI keeps the credentials of roles, so that one code of an MFA device is for both:
# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html#cli-configure-role-cache
CACHE = ("~", ".aws", "cli", "cache")
CACHED = ("assume-role", "assume-role-with-web-identity")  # the providers that can keep what they got
# What services answer to credentials whose time is over:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
AGAIN = (
    "Get new ones as you got these (a role with MFA: run this in a terminal, which asks for the code; SSO: "
    "`aws sso login`; CI: begin the job again), then run the same again: it goes on where this stopped"
)


def session(ask: Callable[[str], str] = getpass.getpass) -> boto3.Session:
    """Return a session with the caller's own credentials, wherever the SDK finds them.

    A role that wants an MFA code is asked for once: what it gave is kept in the AWS CLI's cache, so that the
    kernels of a run, which nobody can answer, find it there.

    Args:
        ask: Asks the person for a code.

    Raises:
        TargetError: When credentials are needed and a code would have to be asked for where nobody answers;
            or when a service says that they are over.
    """
    core = reading_times_at_once(botocore.session.Session())
    resolver = core.get_component("credential_provider")
    cache = JSONFileCache(str(Path(*CACHE).expanduser()))
    for name in CACHED:
        provider = resolver.get_provider(name)
        provider.cache = cache
        if hasattr(provider, "_prompter"):  # of a session it cannot be given otherwise
            provider._prompter = _answered(ask)
    core.register("after-call", _require_current)
    return boto3.Session(botocore_session=core)


def _answered(ask: Callable[[str], str]) -> Callable[[str], str]:
    """Have a question that nobody can answer end in an error that says what to do."""

    def prompt(question: str) -> str:
        try:
            return ask(question)
        except Exception as error:  # a kernel's is of ipykernel's own, a closed input's EOFError
            raise TargetError(
                f"the credentials of the role are over, or were never asked for, and nobody can answer here: "
                f"{question.strip()} {AGAIN}"
            ) from error

    return prompt


def _require_current(parsed: dict[str, Any], **_: object) -> None:
    error = parsed.get("Error", {})
    if error.get("Code") in EXPIRED:
        raise TargetError(
            f"the credentials' time is over ({error['Code']}: {error.get('Message', '')}). {AGAIN}"
        )
