"""S3 as it is right after versioning was turned on: what was just written is not found."""

from contextlib import contextmanager

from botocore.awsrequest import AWSResponse

CALLS = ("HeadObject", "GetObject")
BODY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


@contextmanager
def nothing_found(client):
    """Meanwhile, every object that this client asks for is answered by 404."""

    def answer(request, **_):
        response = AWSResponse(request.url, 404, {"Content-Type": "application/xml"}, None)
        response._content = b"" if request.method == "HEAD" else BODY
        return response

    for call in CALLS:
        client.meta.events.register(f"before-send.s3.{call}", answer)
    yield
    for call in CALLS:
        client.meta.events.unregister(f"before-send.s3.{call}", answer)
