"""Rules for how an account is set up: how much of Lambda runs at a time, and who decides on new tables."""

from collections.abc import Collection
from itertools import groupby

from botocore.exceptions import ClientError

from lib.base.refusals import code_of, is_denied
from lib.engine.preflight.form import ResourceFindings
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.glue import Crawler, Database, Table
from lib.resources.lambda_ import EventSourceMapping
from lib.target import Target

BY_IAM = "IAM_ALLOWED_PRINCIPALS"
NEW = {"CreateDatabaseDefaultPermissions": "databases", "CreateTableDefaultPermissions": "tables"}
QUOTA = "https://console.aws.amazon.com/servicequotas: Lambda, Concurrent executions"


def check(resources: Collection[Resource], target: Target) -> ResourceFindings:
    """Yield what the account is not set up for. Reads only.

    Args:
        resources: All of a stack.
        target: The AWS to look at.
    """
    yield from _concurrency(resources, target)
    yield from _lake_formation(resources, target)


def _concurrency(resources: Collection[Resource], target: Target) -> ResourceFindings:
    """Find mappings that may take all that Lambda runs at a time: ten in a new account, of all functions."""
    mappings = [one for one in resources if isinstance(one, EventSourceMapping)]
    for region, group in groupby(sorted(mappings, key=_region), key=_region):
        found = list(group)
        try:
            limit = target.client("lambda", region).get_account_settings()["AccountLimit"]
        except ClientError as error:
            yield found[0], _unseen(error, "concurrency-unseen", "how much of Lambda runs at a time there")
            continue
        free, most = limit["UnreservedConcurrentExecutions"], sum(one.maximum_concurrency for one in found)
        if most >= free:
            each = ", ".join(f"{one.what} {one.maximum_concurrency}" for one in found)
            what = (
                f"its pipeline's mappings may have {most} invocations run at a time ({each}), and in "
                f"{region} Lambda runs {free} of all functions without a reservation"
            )
            fix = f"lower maximum_concurrency below {free} together, or ask for a higher quota ({QUOTA})"
            yield found[0], Finding("concurrency-account", what, fix)


def _lake_formation(resources: Collection[Resource], target: Target) -> ResourceFindings:
    """Find that Lake Formation decides on new databases and tables, so that rights in IAM are not enough."""
    parts = [one for one in resources if isinstance(one, Crawler | Database | Table)]
    for region, group in groupby(sorted(parts, key=_region), key=_region):
        first = next(group)
        try:
            answer = target.client("lakeformation", region).get_data_lake_settings()
        except ClientError as error:
            yield first, _unseen(error, "lake-formation-unseen", "whether IAM decides on new tables there")
            continue
        settings = answer["DataLakeSettings"]
        if governed := [what for name, what in NEW.items() if not _is_by_iam(settings.get(name, []))]:
            what = (
                f"in {region} Lake Formation decides on new {' and '.join(governed)}, not IAM alone: "
                "crawler, functions and who queries need rights of Lake Formation, too"
            )
            fix = (
                "have an administrator of the data lake grant the roles of this pipeline, and whoever "
                f"queries, what they need, or add {BY_IAM} to the region's defaults"
            )
            yield first, Finding("lake-formation", what, fix)


def _is_by_iam(permissions: list[dict]) -> bool:
    return any(
        one.get("Principal", {}).get("DataLakePrincipalIdentifier") == BY_IAM
        and "ALL" in one.get("Permissions", [])
        for one in permissions
    )


def _unseen(error: ClientError, rule: str, what: str) -> Finding:
    """Return the warning that something cannot be seen; any other error than a refusal is raised."""
    if not is_denied(error):
        raise error
    return Finding(
        rule,
        f"{what} cannot be seen: {code_of(error)}",
        "let the deployer look, as in lib/policies/deployer-policy.json, or see to it by hand",
    )


def _region(one: Resource) -> str:
    return one.region
