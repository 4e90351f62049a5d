"""`%%sql` cells, through JupySQL: they query as `Athena.query` does, and give the same DataFrame.

A notebook needs two lines: `from lib import sql_magic` and `sql_magic.load(analyst)`. From then on

    %%sql
    SELECT faa, name FROM airports WHERE alt > :feet

binds the variable `feet` of the notebook as a value, so that it cannot be SQL. `{{feet}}` would paste its
text into the SQL: that is JupySQL's way to name a table or a column, and nothing for values.
https://jupysql.ploomber.io/en/latest/user-guide/template.html
"""

import atexit
from typing import Any

import pandas as pd
from IPython import get_ipython
from sql._current import _set_sql_magic
from sql.connection import ConnectionManager, SQLAlchemyConnection
from sql.magic import SqlMagic
from sqlalchemy import text

from lib.base.errors import RunbookError
from lib.lake.query import QUOTED, Athena

# https://jupysql.ploomber.io/en/latest/api/configuration.html
_SETTINGS = {"autopandas": True, "displaycon": False, "feedback": 0, "named_parameters": "enabled"}


class AthenaConnection(SQLAlchemyConnection):
    """JupySQL's connection, whose queries run through `Athena.query`: with its deadline, types and errors."""

    def __init__(self, analyst: Athena):
        """Make it JupySQL's current connection; nothing is asked yet.

        Args:
            analyst: Whom to ask.
        """
        super().__init__(analyst.engine(), alias="athena")
        self._analyst = analyst

    def raw_execute(
        self, query: str, parameters: dict[str, Any] | None = None, with_: Any = None
    ) -> "_Answer":
        """Run one statement; JupySQL calls it.

        Args:
            query: With `:name` for a value.
            parameters: The notebook's variables.
            with_: Names of saved queries to put in front.

        Returns:
            The rows, as JupySQL wants them.

        Raises:
            RunbookError: If a variable is not there.
        """
        query = self._resolve_cte(query, with_) if with_ else query
        # SQLAlchemy would look for names in quotes, too: '10:30' is text, and no variable.
        query = QUOTED.sub(lambda quoted: quoted[0].replace(":", r"\:"), query)
        compiled = text(query).compile(dialect=self._connection.dialect)
        given = parameters or {}
        if missing := compiled.params.keys() - given.keys():
            raise RunbookError(f"the query has :{min(missing)}, but the notebook has no such variable")
        values = {name: given[name] for name in compiled.params}
        # SQLAlchemy has doubled the percent signs; `query` undoes that if there are values.
        sql = str(compiled) if values else str(compiled).replace("%%", "%")
        return _Answer(self._analyst.query(sql, **values))


class _Answer:
    """A DataFrame that JupySQL takes for a result; its hook for Spark lets the DataFrame through as it is."""

    def __init__(self, rows: pd.DataFrame):
        self._rows = rows
        self.dataframe = self

    def keys(self) -> list[str]:
        return list(self._rows.columns)

    def fetchmany(self, size: int) -> list[tuple]:
        return list(self._rows.head(size).itertuples(index=False, name=None))

    def toPandas(self) -> pd.DataFrame:  # noqa: N802 (Spark's name)
        return self._rows


def load(analyst: Athena) -> None:
    """Let the notebook's `%%sql` cells query through an analyst.

    Args:
        analyst: Whom to ask; the last one loaded is asked.
    """
    shell = get_ipython()
    # Not by %load_ext sql, which would also read settings and connections from files that lie about.
    magic = SqlMagic(shell)
    for name, value in _SETTINGS.items():
        setattr(magic, name, value)
    _set_sql_magic(magic)
    shell.register_magics(magic)
    atexit.unregister(ConnectionManager.close_all)  # it would print when the kernel ends
    AthenaConnection(analyst)
