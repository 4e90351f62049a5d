"""Corrections of MiniStack's IAM.

MiniStack 1.5.33 asks for a permission named after the call. SQS's calls with batches have none of
their own: who may send a message may send ten.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
And in the conditions of policies it knows whoever has taken on a role by the ARN of the session. On AWS
`aws:PrincipalArn` is then the role's.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
Its wildcards stop at the end of a line, so that nobody may do anything with a key of two. On AWS `*` is any
characters.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
And it leaves slashes out of a key that begins or ends with one, or has two together; a key of nothing else is
the bucket for it. To S3 they are characters as others are.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

import re

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

_extract_iam_action = iam_actions.extract_iam_action
_extract_resource_arn = iam_actions.extract_resource_arn
_s3_action = iam_actions._s3_action
_s3_additional_checks = iam_actions.s3_additional_checks
_resolve_condition_key = iam_evaluator._resolve_condition_key
_fnmatch_compile = iam_evaluator._fnmatch_compile


def extract_iam_action(*request) -> str | None:
    """Return the permission that a call needs, such as `sqs:SendMessage`."""
    action = _extract_iam_action(*request)
    return action.removesuffix("Batch") if action and action.startswith("sqs:") else action


def resolve_condition_key(key: str, context) -> object:
    """Return the value of a condition key; `aws:PrincipalArn` of a role's session is the role's ARN."""
    value = _resolve_condition_key(key, context)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in value:
        return value
    name = iam_evaluator._role_name_from_assumed_arn(value)
    role = iam._roles.get_scoped(context.principal_account, None, name)
    return role["Arn"] if role else value


def fnmatch_compile(pattern: str, ignore_case: bool) -> re.Pattern:
    """Return a pattern of IAM's as a regular expression of the whole text, of however many lines."""
    compiled = _fnmatch_compile(pattern, ignore_case)
    whole = compiled.pattern.removeprefix("^").removesuffix("$") + r"\Z"
    return re.compile(whole, compiled.flags | re.DOTALL)


def s3_action(method: str, path: str, query_params: dict) -> str | None:
    """Return the permission that a call to S3 needs, without the service's name."""
    return _s3_action(method, without_empty_names(path), query_params)


def s3_additional_checks(method: str, path: str, *request) -> list[tuple[str, str]]:
    """Return what a call to S3 needs besides."""
    return _s3_additional_checks(method, without_empty_names(path), *request)


def without_empty_names(path: str) -> str:
    """Return a path whose key is not only slashes."""
    bucket, _, key = path.lstrip("/").partition("/")
    return f"/{bucket}/%2F" if key and not key.strip("/") else path


def extract_resource_arn(service: str, method: str, path: str, *request) -> str:
    """Return what IAM is asked about: of an object, its whole key."""
    bucket, _, key = path.lstrip("/").partition("/")
    if service == "s3" and bucket and key:
        return f"arn:aws:s3:::{bucket}/{key}"
    return _extract_resource_arn(service, method, path, *request)


iam_actions.extract_iam_action = extract_iam_action
iam_actions.extract_resource_arn = extract_resource_arn
iam_actions.s3_additional_checks = s3_additional_checks
iam_actions._s3_action = s3_action
iam_evaluator._fnmatch_compile = fnmatch_compile
iam_evaluator._resolve_condition_key = resolve_condition_key
