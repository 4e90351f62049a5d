"""Queries: SQL through PyAthena into pandas, with a deadline."""

import logging
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import pandas as pd
from pyathena import connect
from pyathena.async_cursor import AsyncCursor
from pyathena.error import DatabaseError
from pyathena.pandas.util import as_pandas

from lib.errors import RunbookError, WaitError
from lib.target import Target

QUERY_TIMEOUT_S = 300
# What PyAthena logs, with a traceback, it also raises.
logging.getLogger("pyathena").addHandler(logging.NullHandler())
logging.getLogger("pyathena").propagate = False


class Athena:
    """A workgroup and a database to query; the SQL is Athena's on both targets."""

    def __init__(self, target: Target, region: str, workgroup: str, database: str):
        """Connect; nothing is asked yet.

        Args:
            target: The AWS to work on.
            region: Of the workgroup.
            workgroup: The workgroup's name; it decides where results go and what a query may scan.
            database: The database whose tables need no prefix.
        """
        self._connection = connect(
            session=target.session,
            region_name=region,
            work_group=workgroup,
            schema_name=database,
            endpoint_url=target.endpoint_url,
            verify=target.ca_bundle,
            config=target.config,
            cursor_class=AsyncCursor,
            poll_interval=0.2,
        )

    def query(self, sql: str, timeout_s: float = QUERY_TIMEOUT_S, **values: Any) -> pd.DataFrame:
        """Run one statement.

        Args:
            sql: In Athena's dialect; `%(name)s` stands for a value.
            timeout_s: How long to wait, in seconds; then the query is cancelled.
            values: The values by name; PyAthena quotes them, so that no value can be SQL.

        Returns:
            The rows.

        Raises:
            RunbookError: If Athena refuses or fails the query.
            WaitError: If it is not done in time.
        """
        cursor = self._connection.cursor()
        try:
            query_id, future = cursor.execute(sql, values or None)
        except DatabaseError as error:
            raise RunbookError(f"Athena refuses the query: {error}") from error
        try:
            result = future.result(timeout=timeout_s)
        except FutureTimeoutError as error:
            cursor.cancel(query_id)
            raise WaitError(f"the query is not done after {timeout_s} s and was cancelled: {sql}") from error
        if result.state != "SUCCEEDED":
            raise RunbookError(f"Athena: {result.state}: {result.state_change_reason}")
        return as_pandas(result)
