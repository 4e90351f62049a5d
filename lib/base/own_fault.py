"""Whose fault an error is: that of the one item at which it came up, or everybody's.

What works on many keys, rows, messages or lines of a log goes on after the former: the item is named, with
the reason in words, and counted. The latter would come up at every other item too: it ends the work.
"""

import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from gzip import BadGzipFile
from pathlib import Path
from typing import Generic, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from lib.base.errors import ItemError, RunbookError

# Who we are, or what we ask of: the next item would be refused in the same way.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
NOT_US = (
    "ExpiredToken|InvalidToken|InvalidAccessKeyId|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNot"
    "Match|InvalidSignature|IncompleteSignature|MissingAuthenticationToken|AuthFailure|RequestExpired"
    "|RequestTimeTooSkewed|TokenRefreshRequired|NotSignedUp|OptInRequired|AccountProblem"
)
IS_GONE = "NoSuchBucket|ResourceNotFound|QueueDoesNotExist|NonExistentQueue|EntityNotFound"
# After all of botocore's retries.
IS_THROTTLED = (
    "Throttl|SlowDown|TooManyRequests|RequestLimitExceeded|ProvisionedThroughputExceeded|OverLimit"
    "|ServiceUnavailable|^503$|^429$"
)
EVERYBODYS = re.compile(f"{NOT_US}|{IS_GONE}|{IS_THROTTLED}")
REFUSED = re.compile("AccessDenied|Forbidden|Unauthorized|^401$|^403$")
# Refused to one object, by a policy or a key; any other call is refused whatever it is about.
OF_AN_OBJECT = re.compile(r"^(?!List)\w*(Object|Upload)")
SSE_C = re.compile("Server Side Encryption")
# What goes wrong with the bytes of one object, or with what one is asked for; the rest of botocore's own
# errors speak of credentials and connections.
OF_AN_ITEM = (
    ParamValidationError,
    IncompleteReadError,
    ResponseStreamingError,
    ReadTimeoutError,
    ChecksumError,
    FlexibleChecksumError,
    BadGzipFile,
)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Fault(Generic[Item]):
    """An item that could not be dealt with, for a fault of its own.

    Attributes:
        item: Which.
        reason: Why, in words, without any content of the item.
    """

    item: Item
    reason: str


def or_fault(do: Callable[[Item], Result]) -> Callable[[Item], Result | Fault[Item]]:
    """Return a function that does the same, but returns a Fault where the item's own error would be raised.

    Args:
        do: Does something with an item; what it raises that is everybody's fault is still raised.
    """

    @wraps(do)
    def attempt(item: Item) -> Result | Fault[Item]:
        try:
            return do(item)
        except Exception as error:
            return Fault(item, own_fault(error))

    return attempt


def own_fault(error: Exception) -> str:
    """Return in words why one item cannot be dealt with.

    Args:
        error: What came up.

    Returns:
        The reason; the same for all items that have it, and without any of their content.

    Raises:
        Exception: The error itself, if it is everybody's fault: credentials, throttling that outlasts the
            retries, no connection, a bucket or table that is gone, a listing that is refused, a full disk.
    """
    if isinstance(error, ItemError):
        return str(error)
    if isinstance(error, ClientError):
        return _of_answer(error)
    is_everybodys = isinstance(error, RunbookError | BotoCoreError | OSError | MemoryError)
    if is_everybodys and not isinstance(error, OF_AN_ITEM):
        raise error
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"cannot be read as what it should be: {type(error).__name__}{where}"


def by_reason(faults: Iterable[tuple[str, str]]) -> list[tuple[str, int, str]]:
    """Count faults.

    Args:
        faults: Names and reasons.

    Returns:
        Reason, how many have it, and the first of their names; the most frequent reason first.
    """
    counts, first = Counter[str](), dict[str, str]()
    for name, reason in faults:
        counts[reason] += 1
        first.setdefault(reason, name)
    return [(reason, count, first[reason]) for reason, count in counts.most_common()]


def such_as(count: int, noun: str, name: str) -> str:
    """Return how many there are and one of their names, such as `2 objects, such as 'a/b'`.

    Args:
        count: How many.
        noun: What they are, in the plural.
        name: Of one of them; shown in quotes, control characters escaped.
    """
    return f"{name!r}" if count == 1 else f"{count:,} {noun}, such as {name!r}"


def _of_answer(error: ClientError) -> str:
    """Return why AWS refused something about one item; raise what it would refuse about any."""
    code, message = (str(error.response["Error"].get(name, "")) for name in ("Code", "Message"))
    operation = error.operation_name
    is_refused = REFUSED.search(code)
    if EVERYBODYS.search(code) or (is_refused and not OF_AN_OBJECT.match(operation)):
        raise error
    if is_refused:
        return f"access denied ({operation}): see its bucket's policy, and that of the KMS key it is under"
    if SSE_C.search(message):
        return "encrypted with a customer's key (SSE-C), which only its owner has"
    if code == "InvalidObjectState":
        return "archived: it cannot be read before it has been restored"
    return f"{operation} answered {code}"
