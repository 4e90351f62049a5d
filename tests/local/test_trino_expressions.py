"""What the local SQL engine gives is what Trino gives, or it refuses: trino_expressions.yaml."""

import math
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from lib.local import trino_macros
from lib.local.athena_sql import AthenaSqlError, NotOnLocalAwsError, parse
from lib.local.athena_translate import Translator, translate
from lib.local.trino_expressions import Scope

PAGES = yaml.safe_load(Path(__file__).with_name("trino_expressions.yaml").read_text("utf-8"))


def cases(kind):
    return [
        pytest.param(sql, expected, id=f"{page['source'].split('/')[-1]} {sql}")
        for page in PAGES
        for sql, expected in page.get(kind, {}).items()
    ]


def statement(sql):
    return sql if sql.startswith(("SELECT", "WITH")) else f"SELECT {sql}"


@pytest.fixture(scope="module")
def connection():
    connection = duckdb.connect(":memory:")
    # As in the server, but with every macro at once.
    connection.execute(trino_macros.SETTINGS)
    connection.execute(trino_macros.definitions(" ".join(trino_macros.all_macros())))
    return connection


def rows(connection, sql):
    return connection.execute(translate(parse(statement(sql)), {}, "default", {})).fetchall()


def shown(value):
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case float() if math.isnan(value):
            return "NaN"
        case Decimal():
            return format(value, "f")
        case datetime() if value.microsecond:
            return value.isoformat(" ", "milliseconds" if value.microsecond % 1000 == 0 else "microseconds")
    return str(value)


def close(found, expected):
    """Doubles may differ in their last digit, since sums are made in another order."""
    return found == expected or math.isclose(found, expected, rel_tol=1e-14)


@pytest.mark.parametrize(("sql", "expected"), cases("same"))
def test_the_value_is_trinos(connection, sql, expected):
    wanted = expected["is"] if isinstance(expected, dict) else expected
    found = rows(connection, sql)
    if found and len(found) == 1 and isinstance(found[0][0], float) and wanted not in (None, "NaN"):
        assert close(found[0][0], float(wanted))
    else:
        text = ";".join("|".join(map(shown, row)) for row in found)
        assert text == ("null" if wanted is None else wanted)
    if isinstance(expected, dict) and "type" in expected:
        columns = Translator({}, "default", {}).query(parse(statement(sql)), Scope())[1]
        assert str(columns[0][1]) == expected["type"]


@pytest.mark.parametrize(("sql", "message"), cases("error"))
def test_what_is_an_error_on_athena_is_one_here(connection, sql, message):
    with pytest.raises((AthenaSqlError, duckdb.Error, NotOnLocalAwsError), match=message):
        rows(connection, sql)


@pytest.mark.parametrize(("sql", "message"), cases("refused"))
def test_what_would_be_another_value_is_refused(connection, sql, message):
    with pytest.raises((NotOnLocalAwsError, duckdb.Error), match=message) as raised:
        rows(connection, sql)
    assert (
        isinstance(raised.value, NotOnLocalAwsError)
        or "LOCAL: " in str(raised.value)
        or "trino: " in str(raised.value)
    )


def test_there_are_enough():
    assert sum(len(page.get(kind, {})) for page in PAGES for kind in ("same", "error", "refused")) > 400
