"""What the local SQL engine gives is what Trino gives, or it refuses: trino_expressions.yaml."""

import math
import re

import duckdb
import pytest
from support.trino_expressions import PAGES, shown

from lib.local.in_server import trino_macros
from lib.local.in_server.athena_sql import AthenaSqlError, parse
from lib.local.in_server.athena_translate import Translator, translate
from lib.local.in_server.not_here import NotOnLocalAwsError
from lib.local.in_server.trino_expressions import Scope


def pages(kind):
    return [pytest.param(page[kind], id=page["source"].split("/")[-1]) for page in PAGES if kind in page]


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


def close(found, expected):
    """Doubles may differ in their last digit, since sums are made in another order."""
    return found == expected or math.isclose(found, expected, rel_tol=1e-14)


def refusal(connection, sql):
    """The error with which a statement ends."""
    with pytest.raises((AthenaSqlError, NotOnLocalAwsError, duckdb.Error)) as raised:
        rows(connection, sql)
    return raised.value


@pytest.mark.parametrize("expressions", pages("same"))
def test_values_and_types_are_trinos(connection, expressions):
    wanted = {sql: each if isinstance(each, dict) else {"is": each} for sql, each in expressions.items()}
    found = {}
    for sql, each in wanted.items():
        values = rows(connection, sql)
        found[sql] = {"is": each["is"] if is_close(values, each["is"]) else listed(values)}
        if "type" in each:
            columns = Translator({}, "default", {}).query(parse(statement(sql)), Scope())[1]
            found[sql]["type"] = str(columns[0][1])
    assert found == wanted


def listed(values):
    text = ";".join("|".join(map(shown, row)) for row in values)
    return None if text == "null" else text


def is_close(values, wanted):
    """Doubles may differ in their last digit, since sums are made in another order."""
    alone = len(values) == 1 and isinstance(values[0][0], float) and math.isfinite(values[0][0])
    return alone and wanted is not None and math.isclose(values[0][0], float(wanted), rel_tol=1e-14)


@pytest.mark.parametrize("expressions", pages("error"))
def test_errors_of_athena_are_errors(connection, expressions):
    for sql, message in expressions.items():
        assert re.search(message, str(refusal(connection, sql))), sql


@pytest.mark.parametrize("expressions", pages("refused"))
def test_what_would_be_another_value_is_refused(connection, expressions):
    for sql, message in expressions.items():
        error = refusal(connection, sql)
        assert re.search(message, str(error)), sql
        assert isinstance(error, NotOnLocalAwsError) or "trino: " in str(error), sql


def test_there_are_enough():
    assert sum(len(page.get(kind, {})) for page in PAGES for kind in ("same", "error", "refused")) > 800
