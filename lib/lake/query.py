"""Queries: SQL through PyAthena into pandas, with a deadline, and what each scanned and cost."""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import closing, contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pandas as pd
from botocore.exceptions import ClientError
from pyathena import connect
from pyathena.async_cursor import AsyncCursor
from pyathena.connection import Connection
from pyathena.cursor import Cursor
from pyathena.error import DatabaseError
from pyathena.result_set import AthenaResultSet

from lib.base.errors import RunbookError, WaitError
from lib.engine.ledger import note_put
from lib.lake.query_result import BILLING, frame
from lib.lake.query_values import Literals, plain
from lib.target import Target

if TYPE_CHECKING:
    import sqlalchemy

QUERY_TIMEOUT_S = 300
POLL_S = 0.2
# As Athena names it: Table 'awsdatacatalog.database.table' does not exist
_MISSING_TABLE = re.compile(r"TABLE_NOT_FOUND.*'\w+\.([^.']+)\.([^.']+)'")
# What SQL does not look into: comments, text in quotes and quoted names.
QUOTED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
# What PyAthena logs, with a traceback, it also raises.
logging.getLogger("pyathena").addHandler(logging.NullHandler())
logging.getLogger("pyathena").propagate = False


class Athena:
    """A workgroup and a database to query; the SQL is Athena's on both targets."""

    def __init__(self, target: Target, region: str, *, workgroup: str, database: str, quiet: bool = False):
        """Connect; nothing is asked yet.

        Args:
            target: The AWS to work on.
            region: Of the workgroup.
            workgroup: The workgroup's name; it decides where results go and what a query may scan.
            database: The database whose tables need no prefix.
            quiet: Do not print what each query scanned and cost.
        """
        self._target, self._region, self._quiet = target, region, quiet
        self._options = {
            "session": target.session,
            "region_name": region,
            "work_group": workgroup,
            "schema_name": database,
            "endpoint_url": target.endpoint_url,
            "verify": target.ca_bundle,
            "config": target.config,
            "poll_interval": POLL_S,
            "formatter": Literals(),
        }
        self._connection = connect(cursor_class=AsyncCursor, **self._options)

    def query(self, sql: str, timeout_s: float = QUERY_TIMEOUT_S, **values: Any) -> pd.DataFrame:
        """Run one statement, and print what it scanned and cost.

        Args:
            sql: In Athena's dialect; `%(name)s` stands for a value, beside values `%%` for a percent sign.
            timeout_s: How long to wait, in seconds; then the query is cancelled.
            values: The values by name, as literals of their own types (`query_values`), so that no value
                can be SQL: a float is a double, a Decimal a decimal of its digits. Times with a time zone are
                given in UTC, what pandas calls missing is NULL, a list is for `IN %(names)s`.

        Returns:
            The rows, as `query_result.frame` describes them. `to_csv` saves them; Athena has done so, too,
            where `attrs["output_location"]` says.

        Raises:
            RunbookError: If Athena refuses or fails the query, or a value is missing or cannot be bound.
            WaitError: If it is not done in time.
        """
        with self._result(sql, timeout_s, values) as result:
            rows = frame(result)
        self._tell(result)
        return rows

    def stream(self, sql: str, timeout_s: float = QUERY_TIMEOUT_S, **values: Any) -> Iterator[tuple]:
        """Run one statement, and give its rows one by one; no more than a page of them is in memory.

        Args:
            sql: As for `query`.
            timeout_s: How long to wait for the query itself, in seconds; then it is cancelled.
            values: As for `query`.

        Yields:
            A row, as PyAthena gives it.

        Raises:
            RunbookError: As for `query`.
            WaitError: As for `query`.
        """
        with self._result(sql, timeout_s, values) as result:
            self._tell(result)
            yield from result

    @contextmanager
    def _result(self, sql: str, timeout_s: float, values: dict[str, Any]) -> Iterator[AthenaResultSet]:
        """Run one statement; its rows are fetched as they are read, page by page."""
        with closing(self._connection.cursor()) as cursor:
            try:
                query_id, future = _start(cursor, sql, values)
                result = self._wait(cursor, query_id, future, timeout_s)
            except DatabaseError as error:
                raise RunbookError(self._explain(f"Athena refuses the query: {error}")) from error
            if result.state != "SUCCEEDED":
                raise RunbookError(self._explain(f"Athena: {result.state}: {result.state_change_reason}"))
            yield result

    def engine(self) -> "sqlalchemy.Engine":
        """Return an SQLAlchemy engine of the same session and workgroup, for what wants one (JupySQL).

        What runs through it has no deadline of ours.
        """
        import sqlalchemy  # a third of a second, for JupySQL only

        engine = sqlalchemy.create_engine("awsathena+rest://", creator=self._connect)
        sqlalchemy.event.listen(engine, "after_cursor_execute", lambda *args: self._tell(args[1]))
        return engine

    def _connect(self) -> Connection:
        return connect(**self._options)

    @staticmethod
    def _wait(cursor: AsyncCursor, query_id: str, future: Future, timeout_s: float) -> AthenaResultSet:
        try:
            return future.result(timeout=timeout_s)
        except FutureTimeoutError as error:
            cursor.cancel(query_id).result()
            raise WaitError(
                f"the query is not done after {timeout_s} s and was cancelled; what it scanned is billed. "
                "Scan less (partitions, columns), or wait longer: timeout_s"
            ) from error
        except KeyboardInterrupt:
            cursor.cancel(query_id).result()
            raise

    def _tell(self, result: AthenaResultSet | Cursor) -> None:
        bucket, _, key = (result.output_location or "").removeprefix("s3://").partition("/")
        note_put(bucket, key)
        if not self._quiet:
            print(BILLING.line(result.data_scanned_in_bytes or 0, result.statement_type))

    def _explain(self, message: str) -> str:
        """Add to an error of Athena what tables there are, if one is missing."""
        missing = _MISSING_TABLE.search(message)
        if not missing:
            return message
        database, name = missing.groups()
        glue = self._target.client("glue", self._region)
        try:
            pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
            known = sorted(table["Name"] for page in pages for table in page["TableList"])
        except ClientError as error:  # no such database, or not ours to see
            return f"{message}. Tables in {database}: {error}"
        hint = "".join(f" Did you mean {close}?" for close in get_close_matches(name, known, n=1))
        return f"{message}.{hint} Tables in {database}: {', '.join(known) or 'none'}"


def _start(cursor: AsyncCursor, sql: str, values: dict[str, Any]) -> tuple[str, Future]:
    for name in values:
        if any(f"%({name})s" in quoted for quoted in QUOTED.findall(sql)):
            # There, what the value's own quotes enclose would be SQL.
            raise RunbookError(
                f"%({name})s stands in quotes or in a comment: take them away, it brings its own"
            )
    try:
        bound = {name: plain(value) for name, value in values.items()}
        return cursor.execute(sql, bound or None)
    except KeyError as error:
        raise RunbookError(f"the query has %({error.args[0]})s, but there is no such value") from error
    except (TypeError, ValueError) as error:
        raise RunbookError(
            f"the values cannot be put into the query: {error}. Beside values, %% is a percent sign"
        ) from error
