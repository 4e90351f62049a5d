"""Trying again, on errors that AWS itself says will pass, and bounded."""

import re
from collections.abc import Callable

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

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


def _matches(pattern: str, raised: BaseException) -> bool:
    if not isinstance(raised, ClientError):
        return False
    answer = raised.response["Error"]
    return re.search(pattern, f"{answer['Code']}: {answer['Message']}") is not None
