"""What the local AWS has not, or not really, and nothing stands in for: said, so that nobody relies on it."""

from collections.abc import Callable

from botocore.awsrequest import AWSResponse

NO_LOG_FILES = (
    "no stand-in: CloudTrail: the local AWS keeps the trail's settings, but records no calls and delivers no "
    "log files"
)
NO_REPORTS = (
    "no stand-in: S3 Inventory: the local AWS keeps the configuration of reports, but never writes a report"
)
NO_BLOCK = "the local AWS has no block of public access for a whole account"


def saying(announce: Callable[[str], None], line: str, when: Callable[[dict], bool]) -> Callable[..., None]:
    """Return what says a line after some calls (botocore: after-call).

    Args:
        announce: Called with the line.
        line: What to say.
        when: Tells by the call's answer whether to.
    """

    def after_call(parsed: dict, **_: object) -> None:
        if when(parsed):
            announce(line)

    return after_call


def succeeded(parsed: dict) -> bool:
    """Tell whether a call was no error."""
    return "Error" not in parsed


def is_logging(parsed: dict) -> bool:
    """Tell whether GetTrailStatus says of a trail that it is logging."""
    return parsed.get("IsLogging", False)


def no_account_block(**_: object) -> tuple[AWSResponse, dict]:
    """Answer GetPublicAccessBlock of S3 Control with an error (botocore: before-call).

    MiniStack has no such call. And boto3 would not reach it, but look for a host `<account>.127.0.0.1` ten
    seconds long.
    """
    error = {"Code": "NotImplemented", "Message": NO_BLOCK}
    answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 501}}
    return AWSResponse("local", 501, {}, None), answer
