"""The header Expires as it was written: S3 takes any text there, and keeps it.

boto3 reads a time out of it: `Tuesday` is another day each week, `0` is 1970, `never` is left out, and an
empty one makes it raise. Written back, the object would have another header.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (Expires)
"""

NAME = "ExpiresString"  # boto3's own name of the text, in answers


def keep_expires(client):
    """Let an S3 client read Expires as the text `ExpiresString` only, and begin uploads with it.

    Args:
        client: An S3 client.

    Returns:
        The client. Its answers have `ExpiresString` and no `Expires`; `create_multipart_upload` takes it.
    """
    events = client.meta.events
    # Before botocore's own hook, which would read a time out of it.
    events.register_first("before-parse.s3", _read, unique_id="read-expires")
    events.register("provide-client-params.s3.CreateMultipartUpload", _take, unique_id="take-expires")
    events.register("before-call.s3.CreateMultipartUpload", _write, unique_id="write-expires")
    return client


def _read(response_dict: dict, customized_response_dict: dict, **_: object) -> None:
    text = response_dict["headers"].pop("Expires", None)
    if text:
        customized_response_dict[NAME] = text


def _take(params: dict, context: dict, **_: object) -> dict | None:
    """Take the text away before botocore checks its arguments: it knows times only."""
    if NAME not in params:
        return None
    context[NAME] = params[NAME]
    return {name: value for name, value in params.items() if name != NAME}


def _write(params: dict, context: dict, **_: object) -> None:
    if context.get(NAME):
        params["headers"]["Expires"] = context[NAME]
