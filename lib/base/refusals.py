"""What AWS answers to those who may not do something, or not there."""

from botocore.exceptions import ClientError

# Each service in its own words: S3 and IAM, those that speak JSON, SNS, SQS.
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AWS.SimpleQueueService.AccessDenied"}
)
# A region that the account has not opted in to knows none of its keys:
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
NOT_KNOWN_THERE = frozenset(
    {
        "AuthFailure",
        "CloudTrailInvalidClientTokenIdException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)


def code_of(error: ClientError) -> str:
    """Return the code of an error, such as `AccessDenied`."""
    return error.response["Error"]["Code"]


def is_denied(error: ClientError) -> bool:
    """Return whether an error says that we may not."""
    return code_of(error) in DENIED


def is_closed(error: ClientError) -> bool:
    """Return whether an error may say that a region is closed: we may not there, or are not known there."""
    return is_denied(error) or code_of(error) in NOT_KNOWN_THERE
