"""Correction of MiniStack's CloudWatch.

MiniStack 1.5.33 has a code of its own for a dashboard that is to be deleted and is not there. AWS has the
same one for it as for a dashboard that is asked for.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html
"""

from ministack.services import cloudwatch

_error = cloudwatch._error


def error(code: str, *arguments, **named):
    """Answer with an error, by AWS's code for it."""
    return _error("ResourceNotFound" if code == "DashboardNotFoundError" else code, *arguments, **named)


cloudwatch._error = error
