"""Trying again on errors that will pass, and looking again until something has happened; both bounded."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)
from tenacity.wait import wait_base

from lib.base.errors import WaitError

# A new role, policy or topic is known everywhere within seconds; a minute is ample:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
PROPAGATION_S = 60
WAIT_S = 2
# A call that AWS carried out, but whose answer was lost: botocore asked again, and it is there already.
DONE_ALREADY = (
    "^(BucketAlreadyOwnedByYou|EntityAlreadyExists|ResourceAlreadyExistsException|AlreadyExistsException)"
    "|^TrailAlreadyExistsException"
    "|^ResourceConflictException: .*(already exist|statement id)"
    "|^ResourceInUseException: .*(already exists|Table already)"
    "|^InvalidRequestException: .*already (created|exists)"
    "|^ValidationException: .*TimeToLive is already"
)
# Something was made a moment ago, and not every part of its service has heard of it (see PROPAGATION_S).
NOT_KNOWN_YET = (
    "^(NoSuchBucket|NoSuchEntity|NotFound|EntityNotFoundException|TableNotFoundException)"
    "|^(AWS.SimpleQueueService.NonExistentQueue|QueueDoesNotExist|ResourceNotFoundException)"
    "|^(TrailNotFoundException|S3BucketDoesNotExistException)"
    "|^InvalidRequestException: .*not found"
)
# Somebody, or an earlier call of ours, is changing the same thing.
IS_BEING_CHANGED = (
    "^(OperationAborted|ConcurrentModification|DeleteConflict|BucketNotEmpty)"
    "|^(OperationAbortedException|ConcurrentModificationException|ResourceInUseException|ConflictException)"
    "|^ResourceConflictException: .*(concurrent update|cannot be performed at this time)"
)
# All that may be answered while a resource is made, and that looking again, and making the rest, will mend.
PASSES = f"{DONE_ALREADY}|{NOT_KNOWN_YET}|{IS_BEING_CHANGED}"

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
        retry=retry_if_exception(lambda raised: _matches(error, raised)),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(WAIT_S),
        sleep=sleep,
        reraise=True,
    )


def wait_until(
    look: Callable[[], Seen],
    is_done: Callable[[Seen], bool],
    timeout_s: float,
    poll_s: float | wait_base,
    sleep: Callable[[float], None],
    too_long: str = "",
) -> Seen:
    """Look, once at least, until what is seen is what is waited for, or the time is up.

    Args:
        look: Returns what is to be seen now; what it raises is raised.
        is_done: Tells whether that is what is waited for.
        timeout_s: For how long, in seconds.
        poll_s: How long between two looks, in seconds, or one of tenacity's ways to say so.
        sleep: Waits between two looks.
        too_long: What to say if the time is up; without it, what was seen last is an answer, too.

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
    return retrying(look)


def seen_last(state: RetryCallState) -> Any:
    """Return what was seen last, as tenacity's `retry_error_callback`; raise what was raised last."""
    assert state.outcome, "tenacity gives up after a look"
    return state.outcome.result()


def _matches(pattern: str, raised: BaseException) -> bool:
    if not isinstance(raised, ClientError):
        return False
    answer = raised.response["Error"]
    return re.search(pattern, f"{answer['Code']}: {answer['Message']}") is not None
