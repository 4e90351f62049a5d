"""Why work was not done, in a few words that an operator can choose by, and what to do about each."""

import re

HELD = "held by the brake"
NOT_AN_EVENT = "not an event"
NOT_INVOKED = "not invoked"
SOURCE_GONE = "source gone"
ACCESS_DENIED = "access denied"
ARCHIVED = "archived"
CUSTOMER_KEY = "customer key"
FUNCTION_ERROR = "function error"
NO_TRACE = "no trace"
# For what is stuck for these, to send it again is of no use.
HOPELESS = (NOT_AN_EVENT, CUSTOMER_KEY)

# What to do about each reason.
REASONS = {
    ACCESS_DENIED: "Let the function's role do it (its policy, the bucket's, the KMS key's), then redrive.",
    "missing resource": "A bucket, table or queue that the function needs is gone: deploy, then redrive.",
    ARCHIVED: "S3 keeps it in an archive. Have S3 restore it (aws s3api restore-object), wait, then redrive.",
    CUSTOMER_KEY: "Only who has its key (SSE-C) can read it: let them copy or rewrite it, then quarantine.",
    SOURCE_GONE: "The object was deleted since. Redrive: the function finds nothing to do, and is content.",
    "throttled": "AWS asked to slow down. Redrive when it is calm; ask for a higher quota if it comes back.",
    "out of time or memory": "Raise function_timeout_s or function_memory_mb, deploy, then redrive.",
    NOT_INVOKED: "Lambda could not run the function: is its concurrency used up, or 0? Then redrive.",
    FUNCTION_ERROR: "The function raised an error: see its log. Redrive once it is mended, or quarantine.",
    NOT_AN_EVENT: "No function can read it, and never will: quarantine.",
    HELD: "Many deletes at once. Find out who deleted and why; then redrive by this reason, or discard.",
    NO_TRACE: "Neither the message nor the log says why. Redrive once; if it comes back, see the log.",
}

# Looked for in "name of the error: what it says", the first that is found.
_SIGNS = {
    NOT_AN_EVENT: r"Neither an S3 event|Not a record of S3|Incomplete S3 record|Not JSON|Not a JSON object",
    ARCHIVED: r"ArchivedError|InvalidObjectState|ObjectNotInActiveTier",
    CUSTOMER_KEY: r"stored using a form of Server Side Encryption",
    ACCESS_DENIED: r"AccessDenied|Forbidden|\(403\)|Unauthorized|not authorized|KMS\.\w*Disabled",
    SOURCE_GONE: r"NoSuchKey|NoSuchVersion",
    "missing resource": r"NoSuchBucket|ResourceNotFound|QueueDoesNotExist|NonExistentQueue",
    "throttled": r"SlowDown|Throttl|TooManyRequests|ProvisionedThroughput|LimitExceeded|Unavailable|\(503\)",
    "out of time or memory": r"[Tt]imed ?out|TimeoutError|OutOfMemory|MemoryError|Runtime\.ExitError|killed",
}
_CALL = re.compile(r"An error occurred \([^)]*\) when calling the \w+ operation")
NAME_CHARACTERS = 80


def of_error(text: str) -> str:
    """Return the reason that an error amounts to.

    Args:
        text: `name of the error: what it says`.
    """
    found = (reason for reason, signs in _SIGNS.items() if re.search(signs, text))
    return next(found, FUNCTION_ERROR)


def in_short(text: str) -> str:
    """Return of an error what can be shown: which, of which call, but no more, since it may quote data.

    Args:
        text: As for `of_error`.
    """
    call = _CALL.search(text)
    return call[0] if call else text.partition(":")[0][:NAME_CHARACTERS]


def of_log_line(line: dict) -> str:
    """Return the error that a function has logged as `name: what it says`.

    Args:
        line: The JSON object that Powertools has written for an exception.
            https://docs.aws.amazon.com/powertools/python/latest/core/logger/#logging-exceptions
    """
    name, exception = str(line.get("exception_name", "error")), str(line.get("exception", ""))
    raised = re.findall(rf"^(?:[\w.]+\.)?{re.escape(name)}: (.*)$", exception, re.MULTILINE)
    return f"{name}: {line.get('reason') or (raised or [''])[-1]}"
