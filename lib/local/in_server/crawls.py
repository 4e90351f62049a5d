"""What a Glue crawler does: MiniStack's reports success after 5 s and writes no table. See `glue.py`."""

import json
from collections.abc import Callable, Iterator

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from lib.base.shown import printable
from lib.local.in_server import clients
from lib.local.in_server.crawler_role import require_rights
from lib.local.in_server.glue_classify import Schema, classify
from lib.local.in_server.glue_grouping import ARCHIVE_CLASSES, S3Object, Table, group, is_excluded, split
from lib.local.in_server.glue_tables import write

# Glue reads the beginning of an object.
SAMPLE_BYTES = 2 * 1024 * 1024
# Objects read for the schema of one table.
SAMPLE_OBJECTS = 100
# What S3 answers of what is archived by Intelligent-Tiering, and of what is under a customer's key.
UNREADABLE = frozenset({"InvalidObjectState", "InvalidRequest"})

Announce = Callable[[str], None]


def crawl(crawler: dict, region: str, announce: Announce) -> None:
    """Read a crawler's S3 targets with the rights of its role, and bring its database up to date.

    Args:
        crawler: As GetCrawler returns it.
        region: The crawler's.
        announce: Called with a line for what cannot be read, and so is left out.

    Raises:
        CrawlerRoleError: The crawler's role may not do what the crawl needs, or does not trust Glue.
        ClientError: A bucket or the database is missing, or the role may not read it.
    """
    aws = clients.of_aws()
    glue, targets = aws("glue"), crawler["Targets"].get("S3Targets", [])
    role = require_rights(aws("iam"), crawler, region, [split(target["Path"]) for target in targets])
    s3 = clients.of_role(role)("s3")
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
