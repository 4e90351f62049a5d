"""What is tried again: AWS's answers, made here, since the local AWS knows no delay."""

from itertools import count
from operator import not_
from time import sleep

import pytest
from botocore.exceptions import ClientError
from tenacity import wait_exponential

from lib.base.errors import WaitError
from lib.base.retry import BOUNDS_S, NOT_READY, TOO_EARLY, WAIT_S, pattern, retry_on, wait_until
from lib.resources import glue, s3

PASSES = pattern(*BOUNDS_S)
WILL_PASS = [
    (
        TOO_EARLY,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    ),
    (
        TOO_EARLY,
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    ),
    (
        pattern(*NOT_READY),
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: arn",
    ),
    (TOO_EARLY, "InvalidInputException", "Service is unable to assume provided role. Please verify"),
    (glue.RUNS, "CrawlerRunningException", "Crawler with name x is currently running"),
    (s3.NAME_TAKEN, "OperationAborted", "A conflicting conditional operation is in progress"),
    (
        pattern(*NOT_READY),
        "InvalidArgument",
        "Unable to validate the following destination configurations",
    ),
    (
        TOO_EARLY,
        "InsufficientS3BucketPolicyException",
        "Incorrect S3 bucket policy is detected for bucket: logs",
    ),
    (PASSES, "ConflictException", "The trail is being modified"),
    (PASSES, "TrailNotFoundException", "Unknown trail: objects"),
]
WRONG = [
    (
        TOO_EARLY,
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60",
    ),
    (pattern(*NOT_READY), "ResourceConflictException", "Function already exist: copy"),
    (TOO_EARLY, "AccessDeniedException", "cannot be assumed by Lambda"),
    (TOO_EARLY, "InvalidInputException", "Crawler name is too long"),
    (glue.RUNS, "AccessDeniedException", "CrawlerRunningException"),
    (s3.NAME_TAKEN, "BucketAlreadyExists", "The requested bucket name is not available"),
    (TOO_EARLY, "MaximumNumberOfTrailsExceededException", "User: a already has 5 trails"),
    (PASSES, "MaximumNumberOfTrailsExceededException", "User: a already has 5 trails"),
    (pattern(*NOT_READY), "InvalidArgument", "The event is not supported for notifications"),
]


def failing(times: int, code: str, message: str):
    """A call that AWS refuses so often, and the list of its attempts."""
    attempts = []

    def call(**arguments):
        attempts.append(arguments)
        if len(attempts) <= times:
            raise ClientError({"Error": {"Code": code, "Message": message}}, "Create")
        return "done"

    return call, attempts


@pytest.mark.parametrize(("pattern", "code", "message"), WILL_PASS)
def test_what_will_pass_is_tried_again(pattern, code, message):
    call, attempts = failing(2, code, message)
    waits = []
    assert retry_on(pattern, 60, waits.append)(call, Name="copy") == "done"
    assert (attempts, waits) == ([{"Name": "copy"}] * 3, [WAIT_S, WAIT_S])


@pytest.mark.parametrize(("pattern", "code", "message"), WRONG)
def test_what_is_wrong_is_told_at_once(pattern, code, message):
    call, attempts = failing(1, code, message)
    with pytest.raises(ClientError, match=message):
        retry_on(pattern, 60, lambda seconds: pytest.fail("waits"))(call)
    assert len(attempts) == 1


def test_it_has_an_end():
    call, attempts = failing(10, "OperationAborted", "still")
    with pytest.raises(ClientError, match="still"):
        retry_on(s3.NAME_TAKEN, 0, lambda seconds: pytest.fail("waits"))(call)
    assert len(attempts) == 1


def test_another_error_than_awss_is_no_answer():
    def call():
        raise KeyError("OperationAborted")

    with pytest.raises(KeyError):
        retry_on("OperationAborted", 60, lambda seconds: pytest.fail("waits"))(call)


def test_it_looks_until_it_sees_what_it_waits_for():
    looks, waits = iter([3, 2, 1, 0]), []
    assert wait_until(lambda: next(looks), not_, 60, WAIT_S, waits.append, "never") == 0
    assert waits == [WAIT_S] * 3


def test_what_is_so_already_takes_no_time():
    assert wait_until(lambda: 0, not_, 0, WAIT_S, lambda seconds: pytest.fail("waits"), "never") == 0


def test_when_the_time_is_up_it_gives_what_it_saw_last_or_an_error():
    numbers = count()
    last = wait_until(lambda: next(numbers), lambda number: number < 0, 0.05, 0.01, sleep)
    assert next(numbers) == last + 1 > 1
    with pytest.raises(WaitError, match="^the queue is not empty after 0 s$"):
        wait_until(lambda: 1, not_, 0, 1, sleep, "the queue is not empty after 0 s")


def test_looks_can_become_rarer():
    looks, waits = iter("abcd"), []
    rarer = wait_exponential(multiplier=1, max=3)
    assert wait_until(lambda: next(looks), "d".__eq__, 60, rarer, waits.append) == "d"
    assert waits == [1, 2, 3]


def test_what_goes_wrong_while_it_looks_is_told_at_once():
    with pytest.raises(KeyError):
        wait_until(lambda: {}["depth"], bool, 60, 2, lambda seconds: pytest.fail("waits"))
