"""Athena, which profiles what one function cannot hold. Its SQL is Trino's.

https://trino.io/docs/current/functions/aggregate.html
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from botocore.client import BaseClient
from column_types import Column
from profile_sql import MAX_VALUE_CHARACTERS, Functions, null_if_token
from table_queries import TableQueries

# The column after the file's: OpenCSVSerDe puts there what a line has more than the header, else null.
SURPLUS = "surplus"
FUNCTIONS = Functions(
    surplus=f"count({SURPLUS})",
    casts_forgive=False,
    length="length({c})",
    matches="regexp_extract({c}, {p}) = {c}",
    distinct="approx_distinct({v})",
    quartiles="approx_percentile({v}, ARRAY[0.25, 0.5, 0.75])",
    shortened=f"substr({{c}}, 1, {MAX_VALUE_CHARACTERS})",
    candidates="json_format(CAST(map_keys(approx_most_frequent(10, {c}, 1000)) AS json))",
    are_exact=False,
    columns_at_once=25,  # queries hold 262,144 bytes, and 25 columns' candidates 200,000 at most
)
ATTEMPTS = 3
# An event has three invocations at most, each with so many attempts.
ATTEMPTS_OF_ALL_INVOCATIONS = 3 * ATTEMPTS
FIRST_POLL_S, LONGEST_POLL_S = 0.1, 5.0
# Before Lambda's timeout: to log, and to raise so that Lambda invokes again.
MARGIN_MS = 10_000


class AthenaQueryError(Exception):
    """A query failed ATTEMPTS times."""


class TimeIsUpError(Exception):
    """The function's time ends before the query; the next attempt of the same event goes on with it."""


@dataclass(frozen=True)
class AthenaEngine(TableQueries):
    """Reads one table of the catalogue, whose columns c0, c1, … are texts.

    Attributes:
        client: Athena's.
        workgroup: Where queries run; it says where results go.
        database: The table's.
        table: Its name.
        invocation: Lambda's request id, which is the same in each attempt of an event.
            https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        remaining_ms: Returns how many milliseconds the function has left.
        began: When this invocation began, with time zone.
        sleep: Waits so many seconds.
    """

    client: BaseClient
    workgroup: str
    database: str
    table: str
    invocation: str
    remaining_ms: Callable[[], int]
    began: datetime
    sleep: Callable[[float], None] = time.sleep
    functions: Functions = FUNCTIONS

    def relation(self, columns: Sequence[Column]) -> str:
        """Return what to select these columns from."""
        texts = ", ".join(f"{null_if_token(column.text)} AS {column.text}" for column in columns)
        return f'(SELECT {texts}, {SURPLUS} FROM "{self.database}"."{self.table}") AS source'

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """Return the rows of a query, all values as texts.

        Raises:
            AthenaQueryError: It failed ATTEMPTS times.
            TimeIsUpError: It still runs.
        """
        reasons = []
        for attempt in range(ATTEMPTS_OF_ALL_INVOCATIONS):
            status = self._wait(query := self._start(sql, attempt))
            if status["State"] == "SUCCEEDED":
                return self._results(query)
            if status["SubmissionDateTime"] >= self.began:  # else it failed in an earlier invocation
                reasons.append(status.get("StateChangeReason", status["State"]))
            if len(reasons) == ATTEMPTS:
                break
        raise AthenaQueryError(f"{self.database}.{self.table}: {'; '.join(reasons)}")

    def _start(self, sql: str, attempt: int) -> str:
        """Start a query, or find the one that an earlier attempt of the event started."""
        token = sha256(f"{self.invocation} {self.table} {attempt} {sql}".encode()).hexdigest()
        return self.client.start_query_execution(
            QueryString=sql, WorkGroup=self.workgroup, ClientRequestToken=token
        )["QueryExecutionId"]

    def _wait(self, query: str) -> dict:
        """Return the status of a query that has ended."""
        poll_s = FIRST_POLL_S
        while True:
            status = self.client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            if status["State"] not in ("QUEUED", "RUNNING"):
                return status
            if self.remaining_ms() < MARGIN_MS + poll_s * 1000:
                raise TimeIsUpError(f"Query {query} is {status['State']}")
            self.sleep(poll_s)
            poll_s = min(poll_s * 1.5, LONGEST_POLL_S)

    def _results(self, query: str) -> list[Sequence[Any]]:
        pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=query)
        rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
        return [[value.get("VarCharValue") for value in row] for row in rows[1:]]  # the first has the names
