"""A stand-in for the Glue crawler: MiniStack's reports success after 5 s and writes no table.

As on AWS, StartCrawler itself succeeds, and GetCrawler tells how the crawl ended. What it wrote is then
truly in the catalogue; how it ended is known to this process only.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from lib.base.shown import printable
from lib.local.in_server.crawler_role import CrawlerRoleError, require_rights
from lib.local.in_server.glue_classify import Schema, classify
from lib.local.in_server.glue_grouping import ARCHIVE_CLASSES, S3Object, Table, group, is_excluded, split
from lib.local.in_server.glue_tables import write

# Glue reads the beginning of an object.
SAMPLE_BYTES = 2 * 1024 * 1024
# Objects read for the schema of one table.
SAMPLE_OBJECTS = 100
# What S3 answers of what is archived by Intelligent-Tiering, and of what is under a customer's key.
UNREADABLE = frozenset({"InvalidObjectState", "InvalidRequest"})

MakeClient = Callable[[str, str], BaseClient]
Announce = Callable[[str], None]


class CrawlStandIn:
    """Crawls when StartCrawler is called, and tells GetCrawler how it went."""

    def __init__(self, client: MakeClient, announce: Announce):
        """Make a stand-in.

        Args:
            client: Makes a client from a service's name and a region.
            announce: Called with a line when the stand-in is used.
        """
        self._client = client
        self._announce = announce
        self._started = ""
        self._last: dict[tuple[str, str], dict] = {}

    def before_start(self, params: dict, context: dict, **_: object) -> None:
        """Keep the name that StartCrawler was called with (botocore: provide-client-params)."""
        context["runbook_crawler"] = params.get("Name")

    def after_start(self, http_response: Any, context: dict, **_: object) -> None:
        """Crawl, once MiniStack has accepted the call (botocore: after-call)."""
        if http_response.status_code >= 300:
            return
        name, region = context["runbook_crawler"], context["client_region"]
        self._announce(
            "stand-in: Glue crawler: the local AWS writes no tables; schemas are read from the objects here"
        )
        glue = self._client("glue", region)
        # MiniStack would say SUCCEEDED after 5 s whatever happens.
        with suppress(glue.exceptions.CrawlerNotRunningException):  # an earlier start's 5 s ended just now
            glue.stop_crawler(Name=name)
        self._last[region, name] = self._crawl(name, region)

    def after_get(self, parsed: dict, context: dict, **_: object) -> None:
        """Put into GetCrawler's answer how the last crawl ended (botocore: after-call)."""
        crawler = parsed.get("Crawler", {})
        if last := self._last.get((context["client_region"], crawler.get("Name", ""))):
            crawler["LastCrawl"] = last

    def _crawl(self, name: str, region: str) -> dict[str, Any]:
        """Crawl, and return `LastCrawl` as AWS words it."""
        started = datetime.now(UTC)
        try:
            crawl(lambda service: self._client(service, region), name, self._announce)
        except (ClientError, CrawlerRoleError) as error:
            return {"Status": "FAILED", "ErrorMessage": str(error), "StartTime": started}
        return {"Status": "SUCCEEDED", "StartTime": started}


def crawl(client: Callable[[str], BaseClient], name: str, announce: Announce) -> None:
    """Read a crawler's S3 targets and bring its database up to date.

    Args:
        client: Makes a client of the crawler's region from a service's name.
        name: The crawler's.
        announce: Called with a line for what cannot be read, and so is left out.

    Raises:
        CrawlerRoleError: The crawler's role may not do what the crawl needs, or does not trust Glue.
        ClientError: A bucket or the database is missing, or the session may not read it.
    """
    glue, s3 = client("glue"), client("s3")
    crawler = glue.get_crawler(Name=name)["Crawler"]
    targets = crawler["Targets"].get("S3Targets", [])
    require_rights(
        client("iam"), crawler, glue.meta.region_name, [split(target["Path"]) for target in targets]
    )
    classifiers = [glue.get_classifier(Name=known)["Classifier"] for known in crawler["Classifiers"]]
    grouping = json.loads(crawler.get("Configuration") or "{}").get("Grouping", {})
    found = [
        (split(target["Path"])[0], table)
        for target in targets
        for table in _tables(s3, target, grouping, classifiers, announce)
    ]
    write(glue, crawler, found)


def _tables(
    s3: BaseClient, target: dict, grouping: dict, classifiers: list[dict], announce: Announce
) -> Iterator[Table]:
    bucket, prefix = split(target["Path"])

    def sample(objects: list[S3Object]) -> Iterator[tuple[S3Object, Schema]]:
        for item in objects[-SAMPLE_OBJECTS:]:
            try:
                schema = _schema(s3, bucket, item, classifiers)
            except ClientError as error:
                if error.response["Error"]["Code"] not in UNREADABLE:
                    raise
                announce(f"Glue crawler: left out: s3://{bucket}/{printable(item.key, keep='')}: {error}")
                continue
            if schema:
                yield item, schema

    objects = []
    for item in _list(s3, bucket, prefix, target.get("Exclusions", [])):
        if item.storage_class in ARCHIVE_CLASSES:
            announce(
                f"Glue crawler: left out: s3://{bucket}/{printable(item.key, keep='')}: archived "
                f"({item.storage_class}); Athena skips it, too. To read it, have S3 restore it, and copy it "
                "into another class"
            )
        else:
            objects.append(item)
    yield from group(target["Path"], objects, grouping, sample)


def _schema(s3: BaseClient, bucket: str, item: S3Object, classifiers: list[dict]) -> Schema | None:
    body = s3.get_object(Bucket=bucket, Key=item.key, Range=f"bytes=0-{SAMPLE_BYTES - 1}")["Body"]
    with body:
        return classify(body.read(), item.size > SAMPLE_BYTES, classifiers)


def _list(s3: BaseClient, bucket: str, prefix: str, exclusions: list[str]) -> Iterator[S3Object]:
    """Objects below the include path; empty ones (folder markers too) say nothing about a table."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            relative = found["Key"].removeprefix(prefix)
            if found["Size"] and not any(is_excluded(relative, pattern) for pattern in exclusions):
                yield S3Object(found["Key"], found["Size"], found.get("StorageClass", "STANDARD"))
