"""Crawling: from objects in S3 to tables in the Glue Data Catalog."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import pandas as pd
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.errors import RunbookError, WaitError

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

    def look() -> dict:
        return client.get_crawler(Name=crawler)["Crawler"]

    def too_long(state):
        raise WaitError(
            f"crawler {crawler} has not finished within {timeout_s} s; see its log in Glue's console"
        )

    retrying = Retrying(
        retry=retry_if_result(lambda answer: answer["State"] != "READY"),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(POLL_S),
        sleep=sleep,
        retry_error_callback=too_long,
    )
    # A crawl that is under way may have passed by what is new; one that begins from here on has not.
    retrying(look)
    with suppress(client.exceptions.CrawlerRunningException):
        client.start_crawler(Name=crawler)
    last = retrying(look)["LastCrawl"]
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
