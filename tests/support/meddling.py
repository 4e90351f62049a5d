"""What happens between a handler and S3 while the handler works."""

import io
from contextlib import contextmanager
from hashlib import md5

from botocore.awsrequest import AWSResponse

CALLS = ("HeadObject", "GetObject")
BODY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


@contextmanager
def nothing_found(client):
    """Meanwhile, S3 is as right after versioning was turned on: what was just written is not found."""

    def answer(request, **_):
        response = AWSResponse(request.url, 404, {"Content-Type": "application/xml"}, None)
        response._content = b"" if request.method == "HEAD" else BODY
        return response

    for call in CALLS:
        client.meta.events.register(f"before-send.s3.{call}", answer)
    yield
    for call in CALLS:
        client.meta.events.unregister(f"before-send.s3.{call}", answer)


@contextmanager
def ends_early(client, body, there):
    """Meanwhile, S3 says how long an object is, and the connection ends before all of it is there."""

    def answer(request, **_):
        headers = {"Content-Length": str(len(body)), "Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"}
        headers |= {"Last-Modified": "Fri, 02 Jan 2026 15:04:05 GMT", "ETag": f'"{md5(body).hexdigest()}"'}
        return AWSResponse(request.url, 206, headers, io.BytesIO(body[:there]))

    client.meta.events.register("before-send.s3.GetObject", answer)
    yield
    client.meta.events.unregister("before-send.s3.GetObject", answer)


@contextmanager
def once(client, event, action):
    """Run the action at the first such event of this client."""
    waiting = [action]

    def hook(**_):
        if waiting:
            waiting.pop()()

    client.meta.events.register(event, hook)
    yield
    client.meta.events.unregister(event, hook)
    assert not waiting, f"{event} never happened"
