"""What a query gives: its rows with the types that pandas has for them, and what it cost."""

from dataclasses import dataclass

import pandas as pd
from pyathena.result_set import AthenaResultSet

from lib.resources.prices import prices

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Billing:
    """What Athena asks for a query, by the bytes that it scans.

    DDL and failed queries are free, cancelled ones are not: https://aws.amazon.com/athena/pricing/

    Attributes:
        usd_per_tb: US dollars for 1024 * 1024 MB; some regions ask for more than `prices.yaml` says.
        minimum_mb: A query costs at least that much.
    """

    usd_per_tb: float = prices()["athena_scan"].usd
    minimum_mb: int = 10

    def billed_mb(self, scanned_bytes: int) -> int:
        """Return what is billed for so many bytes: whole megabytes, rounded up, and not too few."""
        return max(self.minimum_mb, -(-scanned_bytes // MEGABYTE))

    def line(self, scanned_bytes: int, statement_type: str | None = "DML") -> str:
        """Say in one line what a query scanned and what that costs.

        Args:
            scanned_bytes: As Athena counts them.
            statement_type: Athena's: `DML`, `DDL` or `UTILITY` (EXPLAIN, SHOW, DESCRIBE).

        Returns:
            The line; the same for the same bytes.
        """
        scanned = f"scanned {scanned_bytes:,} bytes"
        if statement_type != "DML" and not scanned_bytes:
            return f"{scanned}; not billed"
        billed = self.billed_mb(scanned_bytes)
        return f"{scanned}; billed {billed:,} MB: ${billed / MEGABYTE * self.usd_per_tb:.5f}"


BILLING = Billing()
# By the column's type, never by what happens to be in it: a column of integers stays one if some are NULL,
# and if there are no rows. Decimals stay Decimal, since they are exact; text stays pandas' str.
_DTYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), "Int64"),
    **dict.fromkeys(("float", "real", "double"), "float64"),
    **dict.fromkeys(("varchar", "char", "string"), "str"),
    # Athena's finest timestamps have picoseconds, PyAthena and Python microseconds.
    **dict.fromkeys(("date", "timestamp"), "datetime64[us]"),
    "timestamp with time zone": "datetime64[us, UTC]",
    "boolean": "boolean",
}


def frame(result: AthenaResultSet) -> pd.DataFrame:
    """Return a query's rows.

    Args:
        result: PyAthena's result of a query that succeeded.

    Returns:
        The rows. NULL is what pandas calls missing: `NA` in integers and booleans, `NaN`, `NaT`, None. In
        `attrs`: `query_execution_id`, `scanned_bytes`, and `output_location`, the CSV file in S3.
    """
    columns = result.description or []
    # As objects: pandas' own guess makes floats of integers if some are NULL, and loses digits.
    rows = pd.DataFrame(result.fetchall(), columns=[name for name, *_ in columns], dtype=object)
    for position, (_, kind, *_) in enumerate(columns):
        if dtype := _DTYPES.get(kind):
            rows.isetitem(position, _as_type(rows.iloc[:, position], dtype))
    rows.attrs = {
        "query_execution_id": result.query_id,
        "scanned_bytes": result.data_scanned_in_bytes or 0,
        "output_location": result.output_location,
    }
    return rows


def _as_type(column: pd.Series, dtype: str) -> pd.Series:
    if dtype.startswith("datetime64"):
        return pd.to_datetime(column, utc="UTC" in dtype).astype(dtype)
    return column.astype(dtype)
