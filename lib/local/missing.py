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


class SilentTrails:
    """Says of a trail that is logging that there will be no log files."""

    def __init__(self, announce: Callable[[str], None]):
        """Say nothing yet.

        Args:
            announce: Called with a line when a trail is logging.
        """
        self._announce = announce

    def after_start(self, parsed: dict, **_: object) -> None:
        """Say so when StartLogging succeeds (botocore: after-call)."""
        if "Error" not in parsed:
            self._announce(NO_LOG_FILES)

    def after_status(self, parsed: dict, **_: object) -> None:
        """Say so when GetTrailStatus tells of one that is logging (botocore: after-call)."""
        if parsed.get("IsLogging"):
            self._announce(NO_LOG_FILES)


class SilentReports:
    """Says of a configuration of inventory reports that there will be none."""

    def __init__(self, announce: Callable[[str], None]):
        """Say nothing yet.

        Args:
            announce: Called with a line when a configuration is kept.
        """
        self._announce = announce

    def after_put(self, http_response: AWSResponse, **_: object) -> None:
        """Say so when PutBucketInventoryConfiguration succeeds (botocore: after-call)."""
        if http_response.status_code < 300:
            self._announce(NO_REPORTS)


def no_account_block(**_: object) -> tuple[AWSResponse, dict]:
    """Answer GetPublicAccessBlock of S3 Control with an error (botocore: before-call).

    MiniStack has no such call. And boto3 would not reach it, but look for a host `<account>.127.0.0.1` ten
    seconds long.
    """
    error = {"Code": "NotImplemented", "Message": NO_BLOCK}
    answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 501}}
    return AWSResponse("local", 501, {}, None), answer
