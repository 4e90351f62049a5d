"""Whose fault an error is."""

import gzip
import json
import re

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
)

from lib.base.errors import ItemError, RunbookError, WaitError
from lib.base.own_fault import Fault, by_reason, or_fault, own_fault, such_as


def answer(code: str, operation: str = "GetObject", message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def too_deep() -> None:
    json.loads("[" * 100_000)


def no_gzip() -> None:
    gzip.decompress(b"no gzip")


OF_ONE = {
    "denied": (answer("AccessDenied"), "access denied .GetObject."),
    "denied without a body": (answer("403", "HeadObject"), "access denied .HeadObject."),
    "customer's key": (answer("InvalidRequest", message="a form of Server Side Encryption."), "SSE-C"),
    "archived": (answer("InvalidObjectState"), "archived"),
    "its key is disabled": (answer("KMS.DisabledException"), "GetObject answered KMS.DisabledException"),
    "broken for good": (answer("InternalError"), "GetObject answered InternalError"),
    "not taken": (answer("ValidationException", "BatchWriteItem"), "BatchWriteItem answered Validation"),
    "no such key name": (ParamValidationError(report="key"), "ParamValidationError"),
    "cut off": (IncompleteReadError(actual_bytes=1, expected_bytes=2), "IncompleteReadError"),
    "far future": (OverflowError("date value out of range"), "OverflowError"),
    "in words": (ItemError("there is nothing in it to send"), "^there is nothing in it to send$"),
}
EVERYBODYS = {
    "expired": answer("ExpiredToken"),
    "not known": answer("InvalidAccessKeyId"),
    "throttled": answer("SlowDown"),
    "throttled without a body": answer("503", "HeadObject"),
    "throttled table": answer("ProvisionedThroughputExceededException", "Query"),
    "throttled key": answer("KMS.ThrottlingException"),
    "bucket gone": answer("NoSuchBucket"),
    "table gone": answer("ResourceNotFoundException", "Query"),
    "queue gone": answer("AWS.SimpleQueueService.NonExistentQueue", "SendMessage"),
    "listing denied": answer("AccessDenied", "ListObjectsV2"),
    "versions denied": answer("AccessDenied", "ListObjectVersions"),
    "table denied": answer("AccessDeniedException", "Query"),
    "no credentials": NoCredentialsError(),
    "no connection": EndpointConnectionError(endpoint_url="https://nowhere"),
    "our own": RunbookError("DynamoDB left 3 keys unprocessed"),
    "waited in vain": WaitError("too long"),
    "disk full": OSError(28, "No space left on device"),
    "memory full": MemoryError(),
}


@pytest.mark.parametrize(("error", "reason"), OF_ONE.values(), ids=OF_ONE)
def test_the_fault_of_one_is_said_in_words(error, reason):

    assert re.search(reason, own_fault(error))
    assert own_fault(error) == own_fault(error)


@pytest.mark.parametrize("error", EVERYBODYS.values(), ids=EVERYBODYS)
def test_the_fault_of_all_is_raised(error):
    with pytest.raises(type(error)) as raised:
        own_fault(error)
    assert raised.value is error


@pytest.mark.parametrize("do", [too_deep, no_gzip])
def test_what_others_have_written_is_its_own_fault(do):
    assert isinstance(or_fault(lambda _: do())("a"), Fault)


def test_a_reason_has_nothing_of_the_content_and_says_where():
    fault = or_fault(int)("secret")
    assert fault.item == "secret"
    assert "secret" not in fault.reason
    assert "ValueError (own_fault.py, line " in fault.reason


def test_a_good_one_is_what_is_returned():
    assert or_fault(int)("12") == 12


def test_interrupts_are_no_faults():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        or_fault(interrupted)("a")


def test_reasons_are_counted_with_an_example():
    faults = [("a", "x"), ("b", "y"), ("c", "y")]
    assert by_reason(faults) == [("y", 2, "b"), ("x", 1, "a")]
    assert such_as(1, "objects", "a\nb") == "'a\\nb'"
    assert such_as(1200, "objects", "a") == "1,200 objects, such as 'a'"
