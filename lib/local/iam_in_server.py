"""Correction of MiniStack's IAM; runs in the server, inside .local-aws, so it imports nothing of ours.

MiniStack 1.5.33 asks for a permission named after the call. SQS's calls with batches have none of
their own: who may send a message may send ten.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
"""

from ministack.core import iam_actions

_extract_iam_action = iam_actions.extract_iam_action


def extract_iam_action(*request) -> str | None:
    """Return the permission that a call needs, such as `sqs:SendMessage`."""
    action = _extract_iam_action(*request)
    return action.removesuffix("Batch") if action and action.startswith("sqs:") else action


iam_actions.extract_iam_action = extract_iam_action
