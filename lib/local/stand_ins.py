"""What the local AWS lacks, supplied through botocore's events: callers use plain boto3 and PyAthena.

https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
"""

from collections.abc import Callable

import boto3
from botocore.client import BaseClient

from lib.local.in_server.athena_query import QueryStandIn
from lib.local.in_server.dynamodb_export import ExportStandIn
from lib.local.in_server.glue_crawler import CrawlStandIn
from lib.local.in_server.missing import (
    NO_LOG_FILES,
    NO_REPORTS,
    is_logging,
    no_account_block,
    saying,
    succeeded,
)

MakeClient = Callable[[str, str], BaseClient]


def install(
    session: boto3.Session,
    client: MakeClient,
    service_client: MakeClient,
    announce: Callable[[str], None],
) -> None:
    """Register the stand-ins on a session; clients made from it afterwards have them.

    Args:
        session: The session of the local target.
        client: Makes a client from a service's name and a region, with the rights of the session.
        service_client: The same with the rights of a user that plays AWS's own services
            (lib/local/stand-in-policy.json): Glue writes tables, which the deployer need not be allowed to.
        announce: Called with a line the first time each stand-in is used, and only then.
    """
    said: set[str] = set()

    def announce_once(line: str) -> None:
        if line not in said:
            said.add(line)
            announce(line)

    crawler = CrawlStandIn(service_client, announce_once)
    session.events.register("provide-client-params.glue.StartCrawler", crawler.before_start)
    session.events.register("after-call.glue.StartCrawler", crawler.after_start)
    session.events.register("after-call.glue.GetCrawler", crawler.after_get)

    query = QueryStandIn(client, announce_once)
    session.events.register("provide-client-params.athena.StartQueryExecution", query.before_start)
    session.events.register("after-call.athena.StartQueryExecution", query.after_start)
    session.events.register("after-call.athena.GetQueryExecution", query.after_get)

    export = ExportStandIn(client, service_client, announce_once)
    session.events.register("provide-client-params.dynamodb.ExportTableToPointInTime", export.before_start)
    session.events.register("before-call.dynamodb.ExportTableToPointInTime", export.before_call)
    session.events.register("after-call.dynamodb.ExportTableToPointInTime", export.after_start)
    session.events.register("after-call.dynamodb.DescribeExport", export.after_get)

    for call, line, when in (
        ("cloudtrail.StartLogging", NO_LOG_FILES, succeeded),
        ("cloudtrail.GetTrailStatus", NO_LOG_FILES, is_logging),
        ("s3.PutBucketInventoryConfiguration", NO_REPORTS, succeeded),
    ):
        session.events.register(f"after-call.{call}", saying(announce_once, line, when))
    session.events.register("before-call.s3-control.GetPublicAccessBlock", no_account_block)
