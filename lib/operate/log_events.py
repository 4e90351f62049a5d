"""What functions have logged, as CloudWatch Logs has it."""

from collections.abc import Iterator

import pandas as pd
from tenacity import wait_exponential

from lib.base.json_text import json_object

# Each look reads the log anew, since late lines may be of an earlier time, and each page of it is a call, of
# which an account may make 5 to 25 a second in a region. https://docs.aws.amazon.com/general/latest/gr/cwl_region.html
POLL_S = 2
SOON = wait_exponential(multiplier=0.25, max=POLL_S)  # for lines that are about to come
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
OF_KEYS = '{ $.key = "*" }'


def events(client, log_group: str, since: pd.Timestamp, pattern: str) -> Iterator[tuple[pd.Timestamp, str]]:
    """Yield what is in a log: when each line was written, and the line.

    Args:
        client: A CloudWatch Logs client of the log group's region.
        log_group: The log group's name.
        since: From when on.
        pattern: A filter pattern; MiniStack gives all lines, whatever the pattern.
    """
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=log_group, startTime=int(since.timestamp() * 1000), filterPattern=pattern
    )
    for event in (event for page in pages for event in page["events"]):
        yield pd.Timestamp(event["timestamp"], unit="ms", tz="UTC"), event["message"]


def lines(client, log_group: str, since: pd.Timestamp, pattern: str = OF_KEYS) -> Iterator[dict]:
    """Yield the lines of a log that name a key, as the JSON objects that they are.

    Args:
        client: A CloudWatch Logs client of the log group's region.
        log_group: The log group's name.
        since: From when on.
        pattern: Of them only those that match it.
    """
    return (line for _, line in timed_lines(client, log_group, since, pattern))


def timed_lines(
    client, log_group: str, since: pd.Timestamp, pattern: str = OF_KEYS
) -> Iterator[tuple[pd.Timestamp, dict]]:
    """Yield when each line was written, and the line; as `lines`."""
    for when, text in events(client, log_group, since, pattern):
        if isinstance((line := json_object(text)).get("key"), str):
            yield when, line
