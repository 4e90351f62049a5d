"""The S3 Inventory that the audit needs: which buckets' reports, of what, and where they go.

In one place for 70_audit, which has S3 write the reports, and for `inventory_reports`, which reads them.
"""

from collections.abc import Iterator

from lib.engine.stack import Stack
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.base import Resource, Scope
from lib.resources.policies import let_inventory_in
from lib.resources.s3 import Bucket
from lib.resources.s3_adopted import AdoptedBucket
from lib.resources.s3_inventory import InventoryConfiguration

# Each optional field that is compared, and its column in a report: name and type.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html#storage-inventory-location-manifest
FIELDS = {"Size": ("size", "bigint"), "ETag": ("e_tag", "string")}
REPORTS_EXPIRE_DAYS = 30  # four reports at least, as one comes on each Sunday


def report_bucket(scope: Scope, region: str) -> Bucket:
    """Return the bucket that takes the reports of a region's buckets.

    Args:
        scope: The audit's.
        region: Of the buckets, and hence of the reports: S3 writes them nowhere else.
            https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketInventoryConfiguration.html
    """
    bucket = Bucket("inventory", region, expire_days=REPORTS_EXPIRE_DAYS)
    bucket.scope = scope
    return bucket


def configurations(
    pipeline: Pipeline, scope: Scope, frequency: str = "Daily"
) -> tuple[InventoryConfiguration, InventoryConfiguration]:
    """Return the configurations of a pipeline's source and destination.

    Args:
        pipeline: One whose two ends are buckets.
        scope: The audit's.
        frequency: `Daily` or `Weekly`.
    """
    return _both(pipeline.name, (pipeline.source_bucket, pipeline.destination_bucket), scope, frequency)


def describe(stack: Stack) -> None:
    """Describe in the audit's stack what its parameters want of S3 Inventory; as a rule, nothing.

    Args:
        stack: The audit's.
    """
    for resource, wanted in described(stack.parameters, stack.scope):
        stack.add(resource, wanted)
        if not wanted:  # the reports that are there stay until they expire
            stack.keep(report_bucket(stack.scope, resource.region))


def described(parameters: Parameters, scope: Scope) -> Iterator[tuple[Resource, bool]]:
    """Yield report buckets and configurations, each with whether the parameters want it. Asks AWS nothing.

    Args:
        parameters: `audit.inventory` says how often, `audit.inventory_of` of what.
        scope: The audit's.
    """
    frequency, wanted = parameters.audit.inventory, parameters.audit.inventory_of
    every = [
        (configuration, bool(frequency) and name in wanted)
        for name, ends in _ends(parameters).items()
        for configuration in _both(name, ends, scope, frequency or "Daily")
    ]
    for region in sorted({configuration.region for configuration, _ in every}):
        sources = [one.source for one, is_wanted in every if is_wanted and one.region == region]
        if sources:
            reports = report_bucket(scope, region)
            accounts = dict.fromkeys([scope.account_id, *(one.account_id for one in sources)])
            of_each = {
                account: [one.arn for one in sources if one.account_id == account] for account in accounts
            }
            reports.statements = [
                let_inventory_in(reports.arn, arns, account, "" if account == scope.account_id else account)
                for account, arns in of_each.items()
                if arns
            ]
            yield reports, True
    yield from every


def _ends(parameters: Parameters) -> dict[str, tuple[Bucket, Bucket]]:
    """Return what `audit.inventory_of` can name: pipelines from bucket to bucket, deployed or not."""
    ends = {}
    for name in parameters.pipelines():
        expected = parameters.expected(name)
        if expected and expected.copies:
            regions = (expected.source_region, expected.destination_region)
            source, destination = zip(expected.copies, regions, strict=True)
            scope = parameters.scope(name)
            ends[name] = (_bucket(scope, *source), _bucket(scope, *destination))
    return ends


def _bucket(scope: Scope, what: str, region: str) -> Bucket:
    adopted = scope.adoption(what)
    bucket = AdoptedBucket(what, region, adopted=adopted) if adopted else Bucket(what, region)
    bucket.scope = scope
    return bucket


def _both(
    name: str, ends: tuple[Bucket, Bucket], scope: Scope, frequency: str
) -> tuple[InventoryConfiguration, InventoryConfiguration]:
    source, destination = ends
    return (
        _configuration("source", source, name, scope, frequency),
        _configuration("destination", destination, name, scope, frequency),
    )


def _configuration(
    side: str, bucket: Bucket, name: str, scope: Scope, frequency: str
) -> InventoryConfiguration:
    reports = report_bucket(scope, bucket.region)
    configuration = InventoryConfiguration(
        f"{name}-{side}",
        bucket.region,
        source=bucket,
        destination=reports,
        frequency=frequency,
        optional_fields=tuple(FIELDS),
    )
    configuration.scope = scope
    return configuration
