"""Shows what the local AWS announces: what it does in another way than AWS, and what it does not do.

It says so in a header of its answers (`in_server/announcing.py`), to every client.
"""

import json
from collections.abc import Callable

import boto3
from botocore.awsrequest import AWSResponse

from lib.local.in_server.announcements import HEADER

NO_BLOCK = "the local AWS has no block of public access for a whole account"


def install(session: boto3.Session, announce: Callable[[str], None]) -> None:
    """Let a session show what is announced; clients made from it afterwards do.

    Args:
        session: The session of the local target.
        announce: Called with a line the first time that it is announced, and only then.
    """
    said: set[str] = set()

    def show(http_response: AWSResponse, **_: object) -> None:
        for line in json.loads(http_response.headers.get(HEADER, "[]")):
            if line not in said:
                said.add(line)
                announce(line)

    session.events.register("after-call", show)
    session.events.register("before-call.s3-control.GetPublicAccessBlock", no_account_block)


def no_account_block(**_: object) -> tuple[AWSResponse, dict]:
    """Answer GetPublicAccessBlock of S3 Control with an error (botocore: before-call).

    The server has no such call. And boto3 would not reach it, but look for a host `<account>.127.0.0.1` ten
    seconds long.
    """
    error = {"Code": "NotImplemented", "Message": NO_BLOCK}
    answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 501}}
    return AWSResponse("local", 501, {}, None), answer
