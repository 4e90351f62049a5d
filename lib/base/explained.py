"""What came up, in words that say what to do, of errors that are not the runbook's own."""

import re
import traceback
from difflib import get_close_matches
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as NotConnectedError,
)

from lib.base import call_ledger
from lib.base.errors import AnswerError, OutOfOrderError, RunbookError, StoppedError
from lib.base.own_fault import IS_GONE, IS_THROTTLED, NOT_US, REFUSED

# What an error is translated from, in a notebook and on the command line.
TRANSLATED = (ClientError, BotoCoreError, KeyboardInterrupt, NameError)
# What a service's call is about, if AWS says that it is gone.
NOUNS = {
    "dynamodb": "table",
    "events": "rule",
    "glue": "database, table or crawler",
    "iam": "role or policy",
    "lambda": "function",
    "logs": "log group",
    "s3": "bucket",
    "sns": "topic",
    "sqs": "queue",
}
ABSENT = re.compile(f"{IS_GONE}|NoSuchEntity|^NotFound(Exception)?$|NonExistent")
LAST_CALLS = 50  # among them is the one that was refused, others being made at the same time
NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
)
LOG_IN = (
    "Log in anew (`aws sso login`, or however you do it), then run this again; a notebook from the top, its "
    "kernel restarted"
)
AGAIN = "then run this again: it goes on where it stopped"
GO_ON = f"What was done before stays done. Mend that; {AGAIN}"


def explained(error: BaseException, user_names: dict[str, Any] | None = None) -> RunbookError | None:
    """Return an error that says what was found and what to do, in the place of one that does not.

    Args:
        error: What came up.
        user_names: The variables of the notebook, if there is one: what is not among them was not run yet.

    Returns:
        The error to show; None if the one that came up is to be shown as it is.
    """
    if isinstance(error, ClientError):
        return AnswerError(_of_answer(error))
    if isinstance(error, BotoCoreError):
        return AnswerError(_of_call(error))
    if isinstance(error, KeyboardInterrupt):
        done = "; ".join(getattr(error, "__notes__", []))
        what = f"interrupted; {done}" if done else "interrupted"
        return StoppedError(f"{what}. What was done stays done: run it again, and it goes on")
    if isinstance(error, NameError) and user_names is not None and _is_of_cell(error, user_names):
        return OutOfOrderError(_of_name(str(error.name), user_names))
    return None


def _of_answer(error: ClientError) -> str:
    answer = error.response["Error"]
    code, operation = str(answer.get("Code", "")), error.operation_name
    service, about = _asked(operation)
    said = f"{operation} answered {code}: {answer.get('Message', '')}".rstrip(": ")
    if ABSENT.search(code):
        noun = NOUNS.get(service, "thing")
        name = f"The {noun} {about}" if about else f"A {noun} that this needs"
        return (
            f"{name} is gone: it was deleted, or never made ({said}). Run the cells Plan and Apply of its "
            "notebook, which make what is missing (`runbook run` does both), then run this again"
        )
    if re.search(NOT_US, code):
        return f"AWS does not know us any more ({said}). {LOG_IN}"
    of_what = f" {about}" if about else ""
    if REFUSED.search(code):
        return (
            f"We may not {operation}{of_what}: {answer.get('Message') or code}. Whoever runs this needs "
            f"the rights in lib/policies, and no policy of the account or the thing that denies it. {GO_ON}"
        )
    if re.search(IS_THROTTLED, code):
        return f"AWS asked to slow down until all tries were used up ({said}). Wait a minute; {AGAIN}"
    return f"AWS does not do what was asked of{of_what or ' it'}: {said}. {GO_ON}"


def _of_call(error: BotoCoreError) -> str:
    said = str(error).rstrip(". ")
    if isinstance(error, NO_CREDENTIALS):
        return f"{said}. {LOG_IN}"
    if isinstance(error, NotConnectedError | HTTPClientError):
        return (
            f"AWS does not answer: {said}. `runbook status` says where it is, and whether it runs. When it "
            f"does, {AGAIN}"
        )
    return f"{said}. {GO_ON}"


def _asked(operation: str) -> tuple[str, str]:
    """Return which service refused an operation last, and of what; empty if nobody wrote it down."""
    ledger = call_ledger.ledger()
    last = reversed(ledger.calls(range(max(ledger.made - LAST_CALLS, 0), ledger.made)))
    for call in last:
        if call.operation == operation and call.outcome != "ok":
            return call.service, call.resource.rpartition("/")[2] or call.resource
    return "", ""


def _is_of_cell(error: NameError, user_names: dict[str, Any]) -> bool:
    """Say whether the name stands in a cell itself, and not in what it calls."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not frames or not error.name:
        return False
    last = frames[-1]  # of a cell itself it is no function's
    return last.f_globals is user_names and last.f_code.co_name.startswith("<")


def _of_name(name: str, user_names: dict[str, Any]) -> str:
    close = get_close_matches(name, [each for each in user_names if not each.startswith("_")], n=1)
    hint = f". If it is misspelt: did you mean {close[0]!r}?" if close else ""
    return (
        f"{name!r} is not there: a cell further up sets it, which has not run since the kernel began. Run "
        f"from the top: in the menu Run choose Run All Above Selected Cell, then run this one{hint}"
    )
