"""Queries that fail, with an Athena that gives the same query for the same token, as MiniStack does not.

https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
"""

from datetime import UTC, datetime, timedelta

import pytest
from support.handler_support import load_handler

load_handler("summarize")
from athena_engine import AthenaEngine, AthenaQueryError  # noqa: E402

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Athena:
    """Its clock stands; queries that are started before it is mended fail."""

    def __init__(self):
        self.now, self.is_mended, self.queries = NOON, False, {}

    def start_query_execution(self, ClientRequestToken, **_):  # noqa: N803
        state = "SUCCEEDED" if self.is_mended else "FAILED"
        self.queries.setdefault(ClientRequestToken, {"State": state, "SubmissionDateTime": self.now})
        return {"QueryExecutionId": ClientRequestToken}

    def get_query_execution(self, QueryExecutionId):  # noqa: N803
        return {"QueryExecution": {"Status": self.queries[QueryExecutionId]}}

    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        data = [[{"VarCharValue": value}] for value in ("name", "1")]
        return [{"ResultSet": {"Rows": [{"Data": row} for row in data]}}]


def invocation(athena):
    return AthenaEngine(
        athena, "w", "d", "t", "request", lambda: 900_000, began=athena.now, sleep=lambda _: None
    )


def test_a_retry_of_the_event_does_not_take_failed_queries_for_its_own():
    athena = Athena()
    for number in (1, 2):
        with pytest.raises(AthenaQueryError):
            invocation(athena).rows("SELECT 1")
        assert len(athena.queries) == 3 * number
        athena.now += timedelta(minutes=1)
    athena.is_mended = True
    assert invocation(athena).rows("SELECT 1") == [["1"]]
    athena.now += timedelta(minutes=1)
    assert invocation(athena).rows("SELECT 1") == [["1"]]
    assert len(athena.queries) == 7
