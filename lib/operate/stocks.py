"""The stock ticks of *ingest*: which runs there were, and what of them is stored."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pandas as pd

from lib.base.errors import WaitError
from lib.base.retry import wait_until
from lib.base.times import iso8601
from lib.base.waits import Wait
from lib.operate import facts, log_events
from lib.operate.watch import POLL_S
from lib.resources.schedules import interval, latest_due

# A schedule fires within the minute: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
STARTS_WITHIN = timedelta(minutes=1)


def stored(
    client,
    table: str,
    *,
    run: dict,
    tickers: Sequence[str],
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Watch until as many items are stored as a run has produced rows, or the time is up.

    Args:
        client: A DynamoDB client of the table's region.
        table: The table's name.
        run: What the function that wrote the files says of it: `time`, `rows`.
        tickers: Whose rows it produced.
        timeout_s: How long to watch, in seconds.
        sleep: Waits between two looks.

    Returns:
        One row a ticker: ticker, items of the run's minute.
    """
    with Wait("Stored", total=run["rows"], unit="row", timeout_s=timeout_s) as progress:

        def count() -> Counter[str]:
            counts = Counter({ticker: _count(client, table, ticker, run["time"]) for ticker in tickers})
            progress.update(counts.total() - progress.n)
            return counts

        counts = wait_until(count, lambda seen: seen.total() >= run["rows"], timeout_s, POLL_S, sleep)
    return pd.DataFrame(counts.items(), columns=["ticker", "items"])


def scheduled_run(
    client,
    log_group: str,
    *,
    since: pd.Timestamp,
    timeout_s: float,
    schedule: str = "",
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict:
    """Wait for a run that the schedule has fired.

    Args:
        client: A CloudWatch Logs client of the function's region.
        log_group: That of the function which writes the files.
        since: From when on, but no longer ago than the schedule takes to fire again; runs that were due
            earlier, such as those invoked by hand for a time long past, do not count.
        timeout_s: How long to wait, in seconds.
        schedule: The rule's, by which whoever waits is told when to expect it.
        sleep: Waits between two looks.
        clock: Tells the seconds.

    Returns:
        Its `time`, and how many `files` and `rows` it wrote.

    Raises:
        WaitError: If there was none in time.
        RunbookError: If no handler says what it logs there.
    """
    done = facts.of(facts.handler_of(log_group)).done
    deadline = clock() + timeout_s
    now = pd.Timestamp.now("UTC")
    due = latest_due(schedule, now.to_pydatetime())
    expected = f"due by {due:%H:%M:%S} UTC" if due else ""
    since = max(since, now - (interval(schedule) or timedelta()) - STARTS_WITHIN)
    with Wait("The schedule fires", timeout_s=timeout_s, expected=expected):
        while clock() < deadline:
            for line in log_events.lines(client, log_group, since):
                is_run = line.get("message") in done and "scheduled_time" in line
                if is_run and pd.Timestamp(line["scheduled_time"]) >= since.floor("min"):
                    return {"time": line["scheduled_time"], "files": line["files"], "rows": line["rows"]}
            sleep(log_events.POLL_S)
    raise WaitError(
        f"{log_group} tells of no scheduled run within {timeout_s} s: is the rule enabled, and may it invoke "
        "the function? A new rule may take some minutes to fire for the first time"
    )


def _count(client, table: str, ticker: str, minute: str) -> int:
    """Return how many items a ticker has in a minute."""
    begin = pd.Timestamp(minute).floor("min")
    first, last = begin, begin + pd.Timedelta("59.999s")
    values = {":ticker": ticker, ":first": iso8601(first), ":last": iso8601(last)}
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="PK = :ticker AND SK BETWEEN :first AND :last",
        ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
        Select="COUNT",
        ConsistentRead=True,
    )
    return sum(page["Count"] for page in pages)
