"""Corrections of MiniStack's IAM: `corrections/iam.py` says what of it, and why."""

import re
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from itertools import count, takewhile

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam, s3

from lib.local.in_server.corrections import iam as corrections

BUCKET = "arn:aws:s3:::"
MOST_KEPT = 4096  # of policies, and of patterns in them


@corrections.BATCHES.replacing("ministack.core.iam_actions:extract_iam_action")
def extract_iam_action(*request) -> str | None:
    """Return the permission that a call needs, such as `sqs:SendMessage`."""
    action = extract_iam_action.original(*request)
    return action.removesuffix("Batch") if action and action.startswith("sqs:") else action


@corrections.PRINCIPAL_ARN.replacing("ministack.core.iam_evaluator:_resolve_condition_key")
def resolve_condition_key(key: str, context) -> object:
    """Return the value of a condition key; `aws:PrincipalArn` of a role's session is the role's ARN."""
    value = resolve_condition_key.original(key, context)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in value:
        return value
    name = iam_evaluator._role_name_from_assumed_arn(value)
    role = iam._roles.get_scoped(context.principal_account, None, name)
    return role["Arn"] if role else value


@corrections.RESOURCE_ACCOUNT.replacing("ministack.core.iam_evaluator:_resolve_condition_key")
def resolve_resource_account(key: str, context) -> object:
    """Return the value of a condition key; the account of a bucket, or of an object, is its owner's."""
    if key.lower() in ("aws:resourceaccount", "s3:resourceaccount") and context.resource_arn.startswith(
        BUCKET
    ):
        bucket = context.resource_arn.removeprefix(BUCKET).partition("/")[0]
        if owner := s3._bucket_owner_account(bucket):
            return owner
    return resolve_resource_account.original(key, context)


@corrections.POLICIES.replacing("ministack.core.iam_evaluator:parse_policy_document")
def parse_policy_document(document: str | dict) -> list[iam_evaluator.ParsedStatement]:
    """Return the statements of a policy; nobody changes them."""
    return _statements(document) if isinstance(document, str) else parse_policy_document.original(document)


@lru_cache(MOST_KEPT)
def _statements(document: str) -> list[iam_evaluator.ParsedStatement]:
    return parse_policy_document.original(document)


@corrections.WILDCARDS.replacing("ministack.core.iam_evaluator:_fnmatch_compile")
@lru_cache(MOST_KEPT)
def fnmatch_compile(pattern: str, ignore_case: bool) -> re.Pattern:
    """Return a pattern of IAM's as a regular expression of the whole text, of however many lines."""
    compiled = fnmatch_compile.original(pattern, ignore_case)
    whole = compiled.pattern.removeprefix("^").removesuffix("$") + r"\Z"
    return re.compile(whole, compiled.flags | re.DOTALL)


@corrections.SLASHES.replacing("ministack.core.iam_actions:_s3_action")
def s3_action(method: str, path: str, query_params: dict) -> str | None:
    """Return the permission that a call to S3 needs, without the service's name."""
    return s3_action.original(method, without_empty_names(path), query_params)


@corrections.SLASHES.replacing("ministack.core.iam_actions:s3_additional_checks")
def s3_additional_checks(method: str, path: str, *request) -> list[tuple[str, str]]:
    """Return what a call to S3 needs besides."""
    return s3_additional_checks.original(method, without_empty_names(path), *request)


def without_empty_names(path: str) -> str:
    """Return a path whose key is not only slashes."""
    bucket, _, key = path.lstrip("/").partition("/")
    return f"/{bucket}/%2F" if key and not key.strip("/") else path


@corrections.SLASHES.replacing("ministack.core.iam_actions:extract_resource_arn")
def extract_resource_arn(service: str, method: str, path: str, *request) -> str:
    """Return what IAM is asked about: of an object, its whole key."""
    bucket, _, key = path.lstrip("/").partition("/")
    if service == "s3" and bucket and key:
        return f"arn:aws:s3:::{bucket}/{key}"
    return extract_resource_arn.original(service, method, path, *request)


BOUNDARY = "iam:permissionsboundary"
NAMES_A_BOUNDARY = ("iam:CreateRole", "iam:PutRolePermissionsBoundary")
_named_boundary: ContextVar[str] = ContextVar("named_boundary", default="")  # by the request


@corrections.BOUNDARY_KEY.replacing("ministack.core.iam_actions:extract_iam_action")
def note_boundary(
    service: str, method: str, path: str, headers: dict, body: bytes, asked: dict
) -> str | None:
    """Return the permission that a call needs, and note the permissions boundary that it names."""
    _named_boundary.set(iam._p(asked, "PermissionsBoundary") if service == "iam" else "")
    return note_boundary.original(service, method, path, headers, body, asked)


@corrections.BOUNDARY_KEY.replacing("ministack.core.iam_evaluator:_resolve_condition_key")
def resolve_boundary(key: str, context) -> object:
    """Return the value of a condition key; the boundary is the request's, or that of the role."""
    if key.lower() != BOUNDARY:
        return resolve_boundary.original(key, context)
    if context.action in NAMES_A_BOUNDARY:
        return _named_boundary.get() or None
    name = context.resource_arn.rpartition("/")[2]
    role = iam._roles.get_scoped(context.principal_account, None, name)
    return role and role.get("PermissionsBoundary") or None


# The keys of a request that is simulated, in lower case; and the limits of who would make it.
_simulated: ContextVar[dict[str, list[str]] | None] = ContextVar("simulated", default=None)
_limits: ContextVar[tuple] = ContextVar("limits", default=())


@corrections.SIMULATION.replacing("ministack.core.iam_evaluator:_resolve_condition_key")
def resolve_simulated(key: str, context) -> object:
    """Return the value of a condition key; in a simulation what was said of it."""
    if (said := _simulated.get()) is None:
        return resolve_simulated.original(key, context)
    if (values := said.get(key.lower())) is not None:
        return values if len(values) != 1 else values[0]
    return None if key.lower() == BOUNDARY else resolve_simulated.original(key, context)


@corrections.SIMULATION.replacing("ministack.core.iam_evaluator:evaluate")
def evaluate(context, policies, *limits):
    """Return what policies come to; in a simulation also within the boundary of the user or role."""
    return evaluate.original(context, policies, *limits, *_limits.get())


@corrections.SIMULATION.replacing("ministack.services.iam:_IAM_HANDLERS[SimulatePrincipalPolicy]")
def simulate_principal_policy(asked: dict) -> tuple:
    """Say what a user or role may do, of each resource, in the context that is given."""
    keys = {}
    for number in _numbers(asked, "ContextEntries.member.{}.ContextKeyName"):
        entry = f"ContextEntries.member.{number}"
        values = f"{entry}.ContextKeyValues.member.{{}}"
        keys[iam._p(asked, f"{entry}.ContextKeyName").lower()] = [
            iam._p(asked, values.format(each)) for each in _numbers(asked, values)
        ]
    numbers = [*_numbers(asked, "ResourceArns.member.{}")] or [1]
    resources = [asked.get(f"ResourceArns.member.{number}", ["*"]) for number in numbers]
    kind, _, name = iam._p(asked, "PolicySourceArn").rpartition(":")[2].partition("/")
    has_boundary = {"user": iam._users, "role": iam._roles}.get(kind)
    within = has_boundary and iam_evaluator._permissions_boundary(has_boundary, name, get_account_id())
    token, token_of_limits = _simulated.set(keys), _limits.set(tuple(within or ()))
    try:
        answers = [
            simulate_principal_policy.original({**asked, "ResourceArns.member.1": one}) for one in resources
        ]
    finally:
        _simulated.reset(token)
        _limits.reset(token_of_limits)
    status, headers, body = answers[0]
    results = [
        re.search(b"<EvaluationResults>(.*)</EvaluationResults>", answer[2], re.DOTALL) for answer in answers
    ]
    first = results[0]
    if status != 200 or not first or not all(results):
        return answers[0]
    together = b"".join(found[1] for found in results if found)
    start, end = first.span(1)
    return status, headers, body[:start] + together + body[end:]


def _numbers(asked: dict, name: str) -> Iterator[int]:
    """Yield the numbers of the members of a list in a request."""
    return takewhile(lambda number: iam._p(asked, name.format(number)), count(1))


# Root of the bucket's account can always do these: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
ABOUT_THE_POLICY = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")


@corrections.BUCKET_POLICIES.replacing("ministack.core.iam_evaluator:enforce")
def enforce(
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict | None = None,
):
    """Return why a request is denied; None if it is not, neither by the policy of the bucket."""
    denied = enforce.original(access_key_id, iam_action, service, region, resource_arn, service_context)
    is_bound_already = denied or not iam_evaluator.is_root_access_key(access_key_id)
    if service != "s3" or is_bound_already or iam_action in ABOUT_THE_POLICY:
        return denied
    policy, account_id = iam_evaluator._resource_policy(service, resource_arn) or ("", "")
    if not policy:
        return None
    is_root = access_key_id or iam_evaluator._signed_request.get()
    result = iam_evaluator.evaluate_resource_policy(
        policy,
        iam_evaluator.EvalContext(
            principal_arn=f"arn:aws:iam::{account_id}:root" if is_root else "*",
            principal_type="Root" if is_root else "Anonymous",
            principal_account=account_id if is_root else "",
            action=iam_action,
            resource_arn=resource_arn,
            region=region,
            service_context={key.lower(): value for key, value in (service_context or {}).items()},
        ),
    )
    result.resource_policy_arn = resource_arn
    return result if result.decision == "Deny" else None
