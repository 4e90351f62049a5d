"""Throttles the handlers' calls to S3; runs in the server of a soak test and nowhere else.

A share of all calls is answered with 503 SlowDown, which the handlers' SDK retries. Of a share of the keys,
the first copies are all answered so, more of them than the SDK tries: a whole delivery fails and comes again.
"""

import os
import random
import zlib
from collections import Counter
from pathlib import Path

from ministack.services import s3

SHARE = 0.03
STUBBORN_KEYS = 100  # one in so many
STUBBORN_COPIES = 7  # the SDK tries five times (handlers/common/clients.py)
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
LOG = Path(os.environ["S3_DATA_DIR"]).with_name("faults.log")

_handle_request = s3.handle_request
_copies: Counter[str] = Counter()
_random = random.Random(1)


async def handle_request(method: str, path: str, headers: dict, *others, **named) -> tuple:
    """Answer a request, or refuse it if it comes from a function: only roles have a session token."""
    if headers.get("x-amz-security-token") and is_refused(path, is_copy="x-amz-copy-source" in headers):
        with LOG.open("a") as log:
            log.write(f"{method} {path}\n")
        return 503, {"Content-Type": "application/xml"}, b"" if method == "HEAD" else SLOW_DOWN
    return await _handle_request(method, path, headers, *others, **named)


def is_refused(path: str, is_copy: bool) -> bool:
    """Tell whether a call is to be refused."""
    if is_copy and zlib.crc32(path.encode()) % STUBBORN_KEYS == 0:
        _copies[path] += 1
        return _copies[path] <= STUBBORN_COPIES
    return _random.random() < SHARE


s3.handle_request = handle_request
