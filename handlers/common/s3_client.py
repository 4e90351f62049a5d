"""What boto3's S3 clients would lose: headers that are no dates, and keys that XML cannot hold.

S3 takes any text as the header Expires, and keeps it. boto3 reads a time out of it: `Tuesday` is another day
each week, `0` is 1970, `never` is left out, and an empty one makes it raise. Written back, the object would
have another header. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (Expires)

A key may have characters that XML 1.0 has not, such as most control characters. S3 writes them into its
answers all the same, unless it is asked to encode keys; boto3 asks for that in listings of objects and of
versions only, and takes every other such answer for an error of S3's.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html#object-key-xml-related-constraints
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html (encoding-type)

handlers/common and lib have this file each, since neither imports the other; a test holds them together.
"""

import re
from urllib.parse import unquote_plus

EXPIRES = "ExpiresString"  # boto3's own name of the text, in answers
NOT_IN_XML = re.compile(
    rb"&#(?:x[0-9a-f]+|\d+);|[\0-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]", re.IGNORECASE
)
REPEAT_KEY = ("CreateMultipartUpload", "CompleteMultipartUpload")
ENCODED = ("KeyMarker", "NextKeyMarker", "Prefix", "Delimiter")


def faithful(client):
    """Let an S3 client keep Expires as it was written, and work with every key.

    Args:
        client: An S3 client.

    Returns:
        The client. Its answers have `ExpiresString` and no `Expires`; `create_multipart_upload` takes it.
    """
    events = client.meta.events
    # Before botocore's own hook, which would read a time out of it.
    events.register_first("before-parse.s3.*", _read_expires, unique_id="read-expires")
    events.register_first("before-parse.s3.*", _make_error_readable, unique_id="make-error-readable")
    for name in REPEAT_KEY:
        events.register(f"before-parse.s3.{name}", _leave_out_key, unique_id=f"leave-out-key-{name}")
    take_as_header(client, "CreateMultipartUpload", EXPIRES, "Expires")  # botocore takes times only
    events.register("before-parameter-build.s3.ListMultipartUploads", _ask_to_encode, unique_id="encode")
    events.register("after-call.s3.ListMultipartUploads", _decode, unique_id="decode")
    return client


def take_as_header(client, operation: str, parameter: str, header: str) -> None:
    """Let an S3 client take a text that botocore would not, and write it into a header.

    Args:
        client: An S3 client.
        operation: Of S3.
        parameter: What it is called in calls.
        header: What it is called in requests.
    """

    def take(params: dict, context: dict, **_: object) -> dict | None:
        """Take the text away before botocore checks its arguments."""
        if parameter not in params:
            return None
        context[parameter] = params[parameter]
        return {name: value for name, value in params.items() if name != parameter}

    def write(params: dict, context: dict, **_: object) -> None:
        if context.get(parameter):
            params["headers"][header] = context[parameter]

    for event, do in (("provide-client-params", take), ("before-call", write)):
        name = f"{event}.s3.{operation}"
        client.meta.events.register(name, do, unique_id=f"{name}-{parameter}")


def fits_xml(key: str) -> bool:
    """Return whether XML can hold a key, and so a call that names it in its body."""
    return not NOT_IN_XML.search(key.encode("utf-8", "surrogatepass"))


def _read_expires(response_dict: dict, customized_response_dict: dict, **_: object) -> None:
    text = response_dict["headers"].pop("Expires", None)
    if text:
        customized_response_dict[EXPIRES] = text


def _leave_out_key(response_dict: dict, **_: object) -> None:
    """Leave out of an answer what cannot be read: it only repeats the key, which we know.

    botocore's own hook, which comes first, has made an error of it.
    """
    body = NOT_IN_XML.sub(_readable, response_dict["body"])
    if body != response_dict["body"]:
        response_dict["body"] = body
        if b"<Error>" not in body:
            response_dict["status_code"] = 200


def _make_error_readable(response_dict: dict, **_: object) -> None:
    """Leave out of an error what no XML can hold: NoSuchKey repeats the key, and would be a bare `404`."""
    if response_dict["status_code"] >= 300 and b"<Error>" in response_dict["body"]:
        response_dict["body"] = NOT_IN_XML.sub(_readable, response_dict["body"])


def _readable(found: re.Match) -> bytes:
    """Return a reference that XML knows, such as `&#34;`, as it is; nothing for all else."""
    reference = found[0][2:-1].lower()
    if not found[0].startswith(b"&"):
        return b""
    number = int(reference[1:], 16) if reference.startswith(b"x") else int(reference)
    return found[0] if number >= 0x20 or number in (0x9, 0xA, 0xD) else b""


def _ask_to_encode(params: dict, **_: object) -> None:
    params["EncodingType"] = "url"


def _decode(parsed: dict, **_: object) -> None:
    if parsed.get("EncodingType") != "url":
        return
    for name in ENCODED:
        if name in parsed:
            parsed[name] = unquote_plus(parsed[name])
    for upload in parsed.get("Uploads", []):
        upload["Key"] = unquote_plus(upload["Key"])
