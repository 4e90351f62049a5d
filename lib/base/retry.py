"""Trying again on errors that will pass, and looking again until something has happened; both bounded."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_random,
)
from tenacity.wait import wait_base

from lib.base import waits, yaml_file
from lib.base.errors import WaitError
from lib.base.shown import counted

TABLE = Path(__file__).with_name("aws_errors.yaml")
FATAL = "fatal"
# A new role, policy or topic is known everywhere within seconds, and at times a minute; twice that is ample:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
PROPAGATION_S = 120
WAIT_S = 2
# For how long what passes is waited for, by the classes of TABLE. What is missing may really be missing.
BOUNDS_S = {"done": 60, "missing": 60, "early": PROPAGATION_S, "changing": 300, "busy": 300}


@cache
def classes() -> dict[str, dict[str, str]]:
    """Return what TABLE says: classes to codes to what a message must hold; empty if any message does."""
    found = yaml_file.read(TABLE)
    return {name: {code: held or "" for code, held in codes.items()} for name, codes in found.items()}


def class_of(raised: BaseException) -> str:
    """Return the class of an error; FATAL for one that is not AWS's, or that TABLE does not know."""
    if not isinstance(raised, ClientError):
        return FATAL
    answer = raised.response["Error"]
    found = [
        (len(words.group()), name)
        for name, codes in classes().items()
        if (held := codes.get(answer["Code"])) is not None
        if (words := re.search(held, answer.get("Message", "")))
    ]
    return max(found)[1] if found else FATAL  # the one that knows more of its words knows better


def pattern(*names: str) -> str:
    """Return a regular expression, for `retry_on`, of all errors of some classes.

    Args:
        names: Of classes in TABLE.
    """
    codes = [(code, held) for name in names for code, held in classes()[name].items()]
    return "|".join(f"^{re.escape(code)}: " + (f"(?s:.*)({held})" if held else "") for code, held in codes)


# Whoever looks at a role, a policy, a queue or a function does not see it yet.
TOO_EARLY = pattern("early")
IS_BEING_CHANGED = pattern("changing")
# Of what is not seen yet or is being changed: that of a call which names other things.
NOT_READY = ("early", "changing")

Seen = TypeVar("Seen")


def retry_on(error: str, timeout_s: float, sleep: Callable[[float], None]) -> Retrying:
    """Return a caller that calls again while AWS answers with an error that will pass, and on no other error.

    Args:
        error: A regular expression, looked for in `code: message` of the error.
        timeout_s: For how long, in seconds; then the error is raised.
        sleep: Waits between two calls.

    Returns:
        To be called with a function and its arguments; returns what the function returns.
    """
    return Retrying(
        retry=retry_if_exception(lambda raised: matches(error, raised)),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(WAIT_S),
        sleep=sleep,
        before_sleep=_say_why,
        reraise=True,
    )


def retry_passing(*names: str, sleep: Callable[[float], None]) -> Retrying:
    """Return a caller that calls again on errors of some classes, as long as each may take to pass.

    Args:
        names: Of classes in BOUNDS_S; without any, all of them.
        sleep: Waits between two calls.

    Returns:
        As `retry_on`.
    """
    waited_for = names or tuple(BOUNDS_S)

    def is_over(state: RetryCallState) -> bool:
        assert state.outcome, "tenacity asks after a call"
        raised = state.outcome.exception()
        return raised is None or (state.seconds_since_start or 0) >= BOUNDS_S[class_of(raised)]

    return Retrying(
        retry=retry_if_exception(lambda raised: class_of(raised) in waited_for),
        stop=is_over,
        wait=wait_fixed(WAIT_S),
        sleep=sleep,
        before_sleep=_say_why,
        reraise=True,
    )


def retry_beaten(
    beaten: type[Exception], attempts: int, longest_s: float, sleep: Callable[[float], None]
) -> Retrying:
    """Return a caller that calls again if somebody else was faster, who writes the same at this moment.

    Args:
        beaten: What says so when it is raised.
        attempts: How often it is called; then tenacity.RetryError is raised.
        longest_s: The wait between two calls, in seconds, is anything up to this, so that one gets ahead.
        sleep: Waits between two calls.

    Returns:
        As `retry_on`.
    """
    return Retrying(
        retry=retry_if_exception_type(beaten),
        stop=stop_after_attempt(attempts),
        wait=wait_random(0, longest_s),
        sleep=sleep,
    )


def _say_why(state: RetryCallState) -> None:
    """Let whoever looks know why it takes longer."""
    raised = state.outcome.exception() if state.outcome else None
    if isinstance(raised, ClientError):
        code = raised.response["Error"]["Code"]
        times = counted(state.attempt_number, "time")
        waits.say(f"{raised.operation_name}: {code}; tried {times}, and goes on")


def wait_until(
    look: Callable[[], Seen],
    is_done: Callable[[Seen], bool],
    timeout_s: float,
    poll_s: float | wait_base,
    sleep: Callable[[float], None],
    too_long: str = "",
    what: str = "",
) -> Seen:
    """Look, once at least, until what is seen is what is waited for, or the time is up.

    Args:
        look: Returns what is to be seen now; what it raises is raised.
        is_done: Tells whether that is what is waited for.
        timeout_s: For how long, in seconds.
        poll_s: How long between two looks, in seconds, or one of tenacity's ways to say so.
        sleep: Waits between two looks.
        too_long: What to say if the time is up; without it, what was seen last is an answer, too.
        what: What is awaited, for whoever looks; without it, whoever calls says so.

    Returns:
        What was seen last.

    Raises:
        WaitError: If the time is up, and `too_long` says something.
    """

    def give_up(state: RetryCallState) -> Seen:
        if too_long:
            raise WaitError(too_long)
        return seen_last(state)

    retrying = Retrying(
        retry=retry_if_result(lambda seen: not is_done(seen)),
        stop=stop_after_delay(timeout_s),
        wait=poll_s if isinstance(poll_s, wait_base) else wait_fixed(poll_s),
        sleep=sleep,
        retry_error_callback=give_up,
    )
    with waits.Wait(what, timeout_s=timeout_s) if what else nullcontext():
        return retrying(look)


def seen_last(state: RetryCallState) -> Any:
    """Return what was seen last, as tenacity's `retry_error_callback`; raise what was raised last."""
    assert state.outcome, "tenacity gives up after a look"
    return state.outcome.result()


def matches(pattern: str, raised: BaseException) -> bool:
    """Return whether a regular expression is found in `code: message` of an error, which is AWS's.

    Args:
        pattern: As for `retry_on`.
        raised: Any error.
    """
    if not isinstance(raised, ClientError):
        return False
    answer = raised.response["Error"]
    return re.search(pattern, f"{answer['Code']}: {answer['Message']}") is not None
