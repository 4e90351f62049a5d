"""Crawling: from objects in S3 to tables in the Glue Data Catalog."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import pandas as pd

from lib.base.errors import RunbookError
from lib.base.retry import wait_until

POLL_S = 0.5
# Glue starts its machines first: a crawl of a few files takes one to three minutes on AWS.
CRAWL_TIMEOUT_S = 900


def crawl(
    client, crawler: str, timeout_s: float = CRAWL_TIMEOUT_S, sleep: Callable[[float], None] = time.sleep
) -> dict:
    """Run a crawler and wait until it has finished; if it runs already, wait for that run, and run it again.

    Args:
        client: A Glue client of the crawler's region.
        crawler: Its name.
        timeout_s: How long to wait for each run, in seconds.
        sleep: Waits between two looks.

    Returns:
        Glue's `LastCrawl`: `Status`, `StartTime` and more.

    Raises:
        RunbookError: If the crawl fails.
        WaitError: If it has not finished in time.
    """

    def until_ready(before: dict | None = None) -> dict:
        return wait_until(
            lambda: client.get_crawler(Name=crawler)["Crawler"],
            lambda found: found["State"] == "READY" and found.get("LastCrawl", {}) != before,
            timeout_s,
            POLL_S,
            sleep,
            f"crawler {crawler} has not finished within {timeout_s} s; see its log in Glue's console",
            what=f"Crawler {crawler}",
        )

    # A crawl that is under way may have passed by what is new; one that begins from here on has not.
    before = until_ready().get("LastCrawl", {})
    with suppress(client.exceptions.CrawlerRunningException):
        client.start_crawler(Name=crawler)
    # Glue tells of a crawl a moment after it has ended, and until then of the one before.
    last = until_ready(before)["LastCrawl"]
    if last["Status"] != "SUCCEEDED":
        raise RunbookError(
            f"crawler {crawler}: {last['Status']}: {last.get('ErrorMessage', 'no reason given')}"
        )
    return last


def tables(client, database: str) -> pd.DataFrame:
    """Return the tables of a database.

    Args:
        client: A Glue client of the database's region.
        database: Its name.

    Returns:
        One row a table, sorted: table, columns and partition keys with their types, location.
    """
    pages = client.get_paginator("get_tables").paginate(DatabaseName=database)
    rows = [
        (
            table["Name"],
            ", ".join(_column(each) for each in table["StorageDescriptor"]["Columns"]),
            ", ".join(_column(each) for each in table.get("PartitionKeys", [])),
            table["StorageDescriptor"]["Location"],
        )
        for page in pages
        for table in page["TableList"]
    ]
    return pd.DataFrame(sorted(rows), columns=["table", "columns", "partitioned by", "location"])


def _column(column: Mapping[str, str]) -> str:
    return f"{column['Name']} {column['Type']}"
