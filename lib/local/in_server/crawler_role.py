"""Whether a crawler's role may do what its crawl needs, told as a whole before anything is read.

https://docs.aws.amazon.com/glue/latest/dg/crawler-prereqs.html
"""

from collections.abc import Iterator
from typing import Any

from botocore.client import BaseClient

from lib.local.in_server.trust import trusts

_CATALOGUE = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable"]


class CrawlerRoleError(RuntimeError):
    """The crawler's role lacks a right, or Glue may not assume it: on AWS the crawl would fail."""


def require_rights(
    iam: BaseClient, crawler: dict[str, Any], region: str, targets: list[tuple[str, str]]
) -> str:
    """Ask IAM whether the crawler's role may list and read its targets and write its database.

    Args:
        iam: An IAM client that may call GetRole and SimulatePrincipalPolicy.
        crawler: As `glue.get_crawler` returns it.
        region: The crawler's.
        targets: Bucket and prefix of each S3 target.

    Returns:
        The role's ARN.

    Raises:
        CrawlerRoleError: With what is missing.
    """
    name = crawler["Role"].rpartition("/")[2]
    role = iam.get_role(RoleName=name)["Role"]
    if not trusts(role["AssumeRolePolicyDocument"], "glue.amazonaws.com"):
        raise CrawlerRoleError(
            f"Service is unable to assume role {role['Arn']}: let it trust glue.amazonaws.com."
        )
    catalogue = f"arn:aws:glue:{region}:{role['Arn'].split(':')[4]}"
    missing = [
        f"{result['EvalActionName']} on {resource}"
        for actions, resource, context in _needs(catalogue, crawler["DatabaseName"], targets)
        for result in iam.simulate_principal_policy(
            PolicySourceArn=role["Arn"], ActionNames=actions, ResourceArns=[resource], ContextEntries=context
        )["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]
    if missing:
        raise CrawlerRoleError(f"{role['Arn']} is not authorized to perform: {', '.join(missing)}.")
    return role["Arn"]


def _needs(
    catalogue: str, database: str, targets: list[tuple[str, str]]
) -> Iterator[tuple[list[str], str, list[dict]]]:
    """Actions, the resource they are needed on, and the request's context."""
    for bucket, prefix in targets:
        listed = {"ContextKeyName": "s3:prefix", "ContextKeyType": "string", "ContextKeyValues": [prefix]}
        yield ["s3:ListBucket"], f"arn:aws:s3:::{bucket}", [listed]
        yield ["s3:GetObject"], f"arn:aws:s3:::{bucket}/{prefix}*", []
    # AWS wants a right on a table for the catalogue and the database that it is in, too.
    # https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    for resource in ("catalog", f"database/{database}", f"table/{database}/*"):
        yield _CATALOGUE, f"{catalogue}:{resource}", []
