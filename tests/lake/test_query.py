"""Queries on the local AWS: types, bound values, deadlines, errors, and what a query costs."""

import math
import secrets
import sys
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from support.cleanup import remove

from lib.base.errors import RunbookError, WaitError
from lib.engine.stack import Stack
from lib.lake import sql_magic
from lib.lake.query import Athena
from lib.lake.query_result import BILLING, MEGABYTE
from lib.resources import athena, glue, s3

HERE = "us-east-1"
ROWS = b'{"name":"ANC","alt":152}\n{"name":"ASE","alt":7820}\n{"name":"O\'Hare","alt":null}\n'
TYPES = """SELECT * FROM (VALUES
  (9007199254740993, cast(1 AS tinyint), 1.5e0, cast(0.5 AS real), true, 'a', DATE '2024-02-29',
   TIMESTAMP '2024-02-29 10:00:00.123', cast(1.50 AS decimal(10, 2))),
  (null, null, null, null, null, null, null, null, null)
) AS t (big, tiny, double, real, flag, text, day, time, exact) WHERE %(rows)s > 0"""


class Place:
    """A database with one table, and its analysts."""

    def __init__(self, stack):
        self.target = stack.target
        bucket = stack.add(s3.Bucket("files", HERE))
        self.database = stack.add(glue.Database("tables", HERE))
        columns = {"name": "string", "alt": "bigint"}
        stack.add(
            glue.Table(
                "airports",
                HERE,
                database=self.database,
                bucket=bucket,
                key_prefix="airports/",
                columns=columns,
            )
        )
        self.workgroup = stack.add(
            athena.WorkGroup("queries", HERE, results=stack.add(s3.Bucket("results", HERE)))
        )
        stack.apply()
        self.s3 = self.target.client("s3", HERE)
        self.s3.put_object(Bucket=bucket.name, Key="airports/a.json", Body=ROWS)
        self.analyst = self.new_analyst()

    def new_analyst(self, **options):
        return Athena(
            self.target, HERE, workgroup=self.workgroup.name, database=self.database.name, **options
        )


@pytest.fixture(scope="module")
def place(target, parameters):
    stack = Stack(target, parameters, f"t{secrets.token_hex(4)}")
    yield Place(stack)
    remove(stack)


@pytest.fixture
def query(place):
    return place.analyst.query


DTYPES = {
    "big": "Int64",
    "tiny": "Int64",
    "double": "float64",
    "real": "float64",
    "flag": "boolean",
    "text": "str",
    "day": "datetime64[us]",
    "time": "datetime64[us]",
    "exact": "object",
}


def test_types_do_not_depend_on_the_rows(query):
    found, nothing = query(TYPES, rows=1), query(TYPES, rows=0)
    assert found.dtypes.astype(str).to_dict() == DTYPES
    assert nothing.dtypes.astype(str).to_dict() == DTYPES
    assert len(nothing) == 0
    assert found.iloc[0].tolist() == [
        2**53 + 1,
        1,
        1.5,
        0.5,
        True,
        "a",
        pd.Timestamp("2024-02-29"),
        pd.Timestamp("2024-02-29 10:00:00.123"),
        Decimal("1.50"),
    ]
    assert found.iloc[1].isna().all()


def test_columns_of_one_name(query):
    assert query("SELECT 1 AS a, 'x' AS a").values.tolist() == [[1, "x"]]


BOUND = {
    "text": ("it's 100 % \\ \n -- ü", "it's 100 % \\ \n -- ü"),
    "number": (np.int64(2**62), 2**62),
    "float": (np.float64(1.5e-7), 1.5e-7),
    "bool": (np.bool_(True), True),
    "float like an integer": (3.0, 3.0),
    "float below zero": (-2.5, -2.5),
    "smallest float": (5e-324, 5e-324),
    "largest float": (1.7976931348623157e308, 1.7976931348623157e308),
    "infinity": (math.inf, math.inf),
    "float32": (np.float32(0.1), float(np.float32(0.1))),
    "integer beyond 64 bits": (2**64, Decimal(2**64)),
    "smallest integer": (-(2**63), -(2**63)),
    "integer below zero": (-1, -1),
    "decimal": (Decimal("1.10"), Decimal("1.10")),
    "decimal of many digits": (Decimal("1.23456789"), Decimal("1.23456789")),
    "decimal with an exponent": (Decimal("1E+3"), Decimal(1000)),
    "small decimal": (Decimal("-1E-30"), Decimal("-1E-30")),
    "question mark": ("what? %s ? :x {y}", "what? %s ? :x {y}"),
    "path": ("s3://bucket/key", "s3://bucket/key"),
    "NUL": ("a\x00b", "a\x00b"),
    "date": (date(2024, 2, 29), pd.Timestamp("2024-02-29")),
    "timestamp": (pd.Timestamp("2024-02-29 10:00:00.000001"), pd.Timestamp("2024-02-29 10:00:00.000001")),
    "datetime64": (np.datetime64("2024-02-29T10:00"), pd.Timestamp("2024-02-29 10:00")),
    "time with a zone": (
        datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
        pd.Timestamp("2024-07-01 10:00"),
    ),
}


@pytest.mark.parametrize("kind", BOUND)
def test_values(query, kind):
    value, expected = BOUND[kind]
    assert query("SELECT %(value)s AS a", value=value)["a"].tolist() == [expected]


def test_a_value_keeps_its_type(query):
    sql = "SELECT %(whole)s / 2 AS a, %(float)s / 3 AS b, %(exact)s / 3 AS c, 5 -%(less)s AS d"
    found = query(sql, whole=7, float=1.0, exact=Decimal("1.0"), less=-1)
    assert found.iloc[0].tolist() == [3, 1 / 3, Decimal("0.3"), 6]
    assert found.dtypes.astype(str).tolist() == ["Int64", "float64", "object", "Int64"]
    assert query("SELECT 1 AS a WHERE 0.0001 < %(x)s", x=Decimal("0.0002"))["a"].tolist() == [1]
    assert query("SELECT to_hex(%(x)s) AS a", x=b"\x00\xff'")["a"].tolist() == ["00FF27"]
    assert query("SELECT 1 AS a WHERE 1.5e-7 IN %(x)s", x=[None, 2.0, 1.5e-7])["a"].tolist() == [1]


REFUSED_VALUES = {
    "empty list": ([], "empty list"),
    "list in a list": ([[1]], "list in a list"),
    "infinite decimal": (Decimal("Infinity"), "at most 38 digits"),
    "decimal of too many digits": (Decimal("0." + "1" * 39), "at most 38 digits"),
    "integer of too many digits": (10**38, "at most 38 digits"),
    "nanoseconds": (pd.Timestamp("2024-01-01 00:00:00.000000001"), "nanoseconds"),
    "datetime64 with nanoseconds": (np.datetime64("2024-01-01T00:00:00.000000001"), "nanoseconds"),
    "half a character": ("\ud800", "half of a character"),
    "duration": (pd.Timedelta("1s"), "Timedelta"),
    "time": (time(10), "time"),
}


@pytest.mark.parametrize("kind", REFUSED_VALUES)
def test_what_would_be_another_value_is_refused(query, kind):
    value, message = REFUSED_VALUES[kind]
    with pytest.raises(RunbookError, match=message):
        query("SELECT %(x)s AS a", x=value)


@settings(max_examples=30)
@given(
    value=st.one_of(
        st.integers(-(10**38) + 1, 10**38 - 1),
        st.floats(allow_nan=False),
        st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20), max_value=10**20),
        st.datetimes(min_value=datetime(1000, 1, 1)),
        st.dates(min_value=date(1000, 1, 1)),
    )
)
def test_any_number_and_time_comes_back(place, value):
    (found,) = place.new_analyst(quiet=True).query("SELECT %(x)s AS a", x=value)["a"].tolist()
    assert found == (pd.Timestamp(value) if isinstance(value, date) else value)


@pytest.mark.parametrize("missing", [None, math.nan, np.nan, pd.NA, pd.NaT])
def test_missing_values_are_null(query, missing):
    assert query("SELECT count(*) AS n FROM airports WHERE %(x)s IS NULL", x=missing)["n"].tolist() == [3]


@pytest.mark.parametrize(
    "names", [["ANC", "O'Hare"], ("ANC", "O'Hare"), np.array(["ANC", "O'Hare"], dtype=object)]
)
def test_lists(query, names):
    sql = "SELECT name FROM airports WHERE name IN %(names)s AND name LIKE '%%A%%' ORDER BY 1"
    assert query(sql, names=names)["name"].tolist() == ["ANC"]
    assert query(sql.replace("LIKE '%%A%%'", "> ''"), names=pd.Series(names))["name"].tolist() == [
        "ANC",
        "O'Hare",
    ]


ATTACKS = ["' OR '1'='1", "\\' OR 1=1 --", "'; DROP TABLE airports; --", "%(x)s", "%s", "x' UNION SELECT 'a"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_value_cannot_be_sql(query, attack):
    assert query("SELECT name FROM airports WHERE name = %(x)s", x=attack).empty
    assert query("SELECT %(x)s AS a", x=attack)["a"].tolist() == [attack]


@settings(max_examples=15)
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30))
def test_any_text_comes_back(place, value):
    assert place.new_analyst(quiet=True).query("SELECT %(x)s AS a", x=value)["a"].tolist() == [value]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '%(x)s'",
        "SELECT 'it''s %(x)s'",
        'SELECT 1 AS "%(x)s"',
        "SELECT 1 -- %(x)s",
        "SELECT 1 /* %(x)s */",
    ],
)
def test_a_value_in_quotes_is_refused(query, sql):
    with pytest.raises(RunbookError, match="in quotes or in a comment"):
        query(sql, x=" OR 1=1 --")


def test_mistakes_with_values(query):
    with pytest.raises(RunbookError, match=r"%\(y\)s, but there is no such value"):
        query("SELECT %(y)s", x=1)
    with pytest.raises(RunbookError, match="%% is a percent sign"):
        query("SELECT %(x)s WHERE 'a' LIKE 'a%'", x=1)
    with pytest.raises(RunbookError, match="cannot be put into the query.*dict"):
        query("SELECT %(x)s", x={})


def test_without_values_a_percent_sign_is_itself(query):
    assert query("SELECT name FROM airports WHERE name LIKE 'A%' ORDER BY 1")["name"].tolist() == [
        "ANC",
        "ASE",
    ]


def test_what_it_scanned_and_cost(place, query, capsys):
    found = query("SELECT count(*) AS n FROM airports")
    assert f"scanned {len(ROWS)} bytes; billed 10 MB: $0.00005\n" in capsys.readouterr().out
    assert found.attrs["scanned_bytes"] == len(ROWS)
    bucket, _, key = found.attrs["output_location"].removeprefix("s3://").partition("/")
    assert found.attrs["query_execution_id"] in key
    assert place.s3.get_object(Bucket=bucket, Key=key)["Body"].read().split() == [b'"n"', b'"3"']
    place.new_analyst(quiet=True).query("SELECT 1 AS a")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("scanned_bytes", "line"),
    [
        (0, "scanned 0 bytes; billed 10 MB: $0.00005"),
        (10 * MEGABYTE, "scanned 10,485,760 bytes; billed 10 MB: $0.00005"),
        (10 * MEGABYTE + 1, "scanned 10,485,761 bytes; billed 11 MB: $0.00005"),
        (MEGABYTE**2, "scanned 1,099,511,627,776 bytes; billed 1,048,576 MB: $5.00000"),
    ],
)
def test_price(scanned_bytes, line):
    assert BILLING.line(scanned_bytes) == line


def test_ddl_is_not_billed():
    assert BILLING.line(0, "DDL") == "scanned 0 bytes; not billed"


def test_a_missing_table(query):
    with pytest.raises(
        RunbookError, match=r"TABLE_NOT_FOUND.*Did you mean airports\? Tables in .*: airports$"
    ):
        query("SELECT * FROM airport")


def test_errors_keep_athenas_words(query):
    with pytest.raises(RunbookError, match=r"line 1:\d+: mismatched input 'airports'"):
        query("SELECT * FORM airports")
    with pytest.raises(RunbookError, match="FAILED.*INVALID_CAST_ARGUMENT: Cannot cast 'ANC' to INT"):
        query("SELECT cast(name AS integer) FROM airports")


def test_a_query_that_takes_too_long_is_cancelled(place):
    stopped = []
    events = place.target.session.events
    events.register(
        "provide-client-params.athena.StopQueryExecution", lambda params, **_: stopped.append(params)
    )
    running = "after-call.athena.GetQueryExecution"
    events.register(running, never_done)
    try:
        with pytest.raises(WaitError, match=r"not done after 0.001 s and was cancelled"):
            place.new_analyst().query("SELECT 1 AS a", timeout_s=0.001)
    finally:
        events.unregister(running, never_done)
    assert len(stopped) == 1


def never_done(parsed, **_):
    """Have a query that is done run on: whether one is caught running is a matter of the machine."""
    parsed["QueryExecution"]["Status"]["State"] = "RUNNING"


def test_engine(place, capsys):
    with place.analyst.engine().connect() as connection:
        sql = sqlalchemy.text("SELECT name FROM airports WHERE alt > :feet AND name LIKE 'A%'")
        assert connection.execute(sql, {"feet": 1000}).fetchall() == [("ASE",)]
    assert f"scanned {len(ROWS)} bytes; billed" in capsys.readouterr().out


@pytest.fixture
def shell(place):
    shell = InteractiveShell.instance()
    shell.user_ns.update(feet=1000, evil="' OR '1'='1", table="airports")
    sql_magic.load(place.analyst)
    yield shell
    InteractiveShell.clear_instance()


def run(shell, cell):
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result


def test_sql_cells(shell, capsys):
    found = run(shell, "%%sql\nSELECT name, alt FROM {{table}} WHERE alt > :feet AND name LIKE 'A%'")
    assert found.values.tolist() == [["ASE", 7820]]
    assert found.dtypes.astype(str).tolist() == ["str", "Int64"]
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"scanned {len(ROWS)} bytes; billed 10 MB: $0.00005"
    assert err == ""
    assert run(shell, "%%sql\nSELECT name FROM airports WHERE name = :evil").empty
    assert run(shell, "%%sql\nSELECT ':evil 10:30 100%' AS a -- :nobody")["a"].tolist() == [
        ":evil 10:30 100%"
    ]
    assert run(shell, "%%sql kept <<\nSELECT 1 AS a") is None
    assert shell.user_ns["kept"]["a"].tolist() == [1]
    assert len(run(shell, "%%sql\nSELECT x FROM UNNEST(sequence(1, 2500)) AS t (x)")) == 2500


def test_errors_of_sql_cells(shell):
    with pytest.raises(RunbookError, match="Did you mean airports"):
        run(shell, "%%sql\nSELECT * FROM airport")
    with pytest.raises(RunbookError, match=":nobody, but the notebook has no such variable"):
        run(shell, "%%sql\nSELECT :nobody")


def test_sql_cells_tell_nobody(shell):
    run(shell, "%%sql\nSELECT 1 AS a")
    assert not [name for name in sys.modules if "posthog" in name or "telemetry" in name]
