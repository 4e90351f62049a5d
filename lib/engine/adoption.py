"""Buckets that are adopted: looked at before the first write, and found again from the account alone.

See docs/decisions/0023-a-bucket-that-is-adopted.md.
"""

from collections.abc import Iterable

from botocore.exceptions import ClientError

from lib.base.errors import ParameterError
from lib.engine.ledger import Ledger
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, TAG_ENV, Adopted, Scope
from lib.resources.iam import Role
from lib.resources.s3 import Bucket, bucket_names, encryption_key, tags_of
from lib.resources.s3_adopted import AdoptedBucket
from lib.target import Target

RIGHTS = "docs/real-account.md, 6, has the policy"
LOOKS = {  # what must be readable: the call, and the right that it needs
    "get_bucket_tagging": "s3:GetBucketTagging",
    "get_bucket_notification_configuration": "s3:GetBucketNotification",
    "get_bucket_versioning": "s3:GetBucketVersioning",
    "get_bucket_encryption": "s3:GetEncryptionConfiguration",
    "list_object_versions": "s3:ListBucketVersions",
}


def adopt(target: Target, scope: Scope, bucket: Bucket, adopted: Adopted) -> AdoptedBucket:
    """Return the bucket that a pipeline works on in the place of one that it would make. Reads only.

    Args:
        target: The AWS to look at.
        scope: The pipeline's.
        bucket: As it would be made.
        adopted: The one in its place.

    Returns:
        It, with the key that it encrypts with.

    Raises:
        ParameterError: If it cannot be adopted: one line says why, and what to do.
    """
    _require_there(target, scope, adopted)
    client = target.client("s3", adopted.region)
    _require_readable(client, adopted)
    _require_nobody_has_it(target, client, scope, adopted)
    found = AdoptedBucket(
        bucket.what,
        bucket.region,
        role=bucket.role,
        adopted=adopted,
        default_key=key_arn(target, adopted),
    )
    found.scope = scope
    return found


def known(parameters: Parameters, roles: Iterable[Adopted]) -> tuple[Adopted, ...]:
    """Return the buckets that an environment has adopted, or may have: by its roles, parameters and ledger.

    Args:
        parameters: Whose.
        roles: What its roles say.
    """
    scope = parameters.scope()
    found = [*roles, *scope.adopted]
    for arn, facts in Ledger.of(parameters).entries().items():
        name = arn.removeprefix("arn:aws:s3:::").partition("#")[0]
        if arn.startswith("arn:aws:s3:::") and "#" in arn and not name.startswith(scope.beginning):
            found.append(Adopted(facts["pipeline"], "", name, facts["region"], ""))
    return tuple({(one.pipeline, one.region, one.name): one for one in reversed(found)}.values())


def _require_there(target: Target, scope: Scope, adopted: Adopted) -> None:
    """Refuse a bucket that does not exist, or is not in the account or region that the parameters say."""
    name, where = adopted.name, adopted.parameter
    client = target.client("s3", adopted.region)
    is_listed_here = name in bucket_names(target.client("s3", target.home_region), name)
    try:
        region = client.head_bucket(Bucket=name, ExpectedBucketOwner=scope.account_id).get("BucketRegion")
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            raise ParameterError(
                f"{where}: there is no bucket {name!r}. Correct the name, or leave it empty to have one "
                "made; nothing was written"
            ) from error
        if not is_listed_here:
            raise ParameterError(_of_another_account(adopted, scope)) from error
        raise ParameterError(
            f"{where}: bucket {name!r} is in account {scope.account_id}, but may not be looked at "
            f"(S3 answers {status}). Give the deployer its rights ({RIGHTS}), and see whether the "
            "bucket's own policy denies them; nothing was written"
        ) from error
    if not is_listed_here:
        raise ParameterError(_of_another_account(adopted, scope))
    if region and region != adopted.region:
        raise ParameterError(
            f"{where}: bucket {name!r} is in {region}, and the parameters say {adopted.region}: "
            "set the region of the pipeline to the bucket's, or name another bucket; nothing was written"
        )


def _of_another_account(adopted: Adopted, scope: Scope) -> str:
    return (
        f"{adopted.parameter}: bucket {adopted.name!r} belongs to another account than "
        f"{scope.account_id}. Name a bucket of this account; nothing was written"
    )


def _require_readable(client, adopted: Adopted) -> None:
    """Refuse a bucket of which the deployer may not see what it has to know."""
    denied = []
    for call, right in LOOKS.items():
        more = {"MaxKeys": 1} if call == "list_object_versions" else {}
        try:
            getattr(client, call)(Bucket=adopted.name, **more)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
                denied.append(right)
            elif error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # that nothing is set
                raise
    if denied:
        raise ParameterError(
            f"{adopted.parameter}: bucket {adopted.name!r} does not let us use {', '.join(denied)}. Give the "
            f"deployer its rights ({RIGHTS}), and see whether the bucket's own policy denies them; "
            "nothing was written"
        )


def _require_nobody_has_it(target: Target, client, scope: Scope, adopted: Adopted) -> None:
    """Refuse a bucket that a runbook made, or that another environment has adopted for the same keys."""
    tags = tags_of(client, adopted.name)
    if env := tags.get(TAG_ENV):
        raise ParameterError(
            f"{adopted.parameter}: bucket {adopted.name!r} was made by the runbook for env {env!r}, whose "
            "destruction deletes it: name one that is yours; nothing was written"
        )
    for name, text in Role.descriptions(target.client("iam", GLOBAL_REGION)):
        if name.startswith(scope.beginning):
            continue
        for other in Adopted.described("", text):
            if other.shared_prefixes(adopted):
                raise ParameterError(
                    f"{adopted.parameter}: bucket {adopted.name!r} is adopted already, by role {name}, for "
                    f"keys that begin with {_words(other)}; ours begin with {_words(adopted)}. Choose "
                    "prefixes that no key has in common, or another bucket; nothing was written"
                )


def _words(adopted: Adopted) -> str:
    return " or ".join(repr(each) if each else "anything" for each in adopted.prefixes)


def key_arn(target: Target, adopted: Adopted) -> str:
    """Return the ARN of the key that a bucket encrypts with; empty if that is one of AWS's own.

    Args:
        target: The AWS to look at.
        adopted: The bucket.

    Raises:
        ParameterError: If the key is not named by its ARN, and may not be looked at.
    """
    key = encryption_key(target.client("s3", adopted.region), adopted.name)
    if not key or key.startswith("alias/aws/") or ":alias/aws/" in key:
        return ""
    if ":key/" in key:
        return key
    try:
        return target.client("kms", adopted.region).describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    except ClientError as error:
        raise ParameterError(
            f"{adopted.parameter}: bucket {adopted.name!r} encrypts with the KMS key {key!r}, "
            f"which we may not look at ({error.response['Error']['Code']}), so that the roles cannot be "
            "given it. Allow kms:DescribeKey on it, or set the bucket's default to the key's ARN; nothing "
            "was written"
        ) from error
