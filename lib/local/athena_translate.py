"""Athena's SQL (Trino) in the words of the engine that MiniStack runs queries with (DuckDB).

sqlglot translates; the rest is what it does not know of Trino, DuckDB or MiniStack. Known to differ still: a
cast of a double to text, and approx_percentile, which is another estimate.
"""

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from lib.local.athena_sql import AthenaSqlError, NotOnLocalAwsError, not_here

# Database → table → column → Hive type.
Schema = dict[str, dict[str, dict[str, str]]]
# Functions that sqlglot passes on by name, and that DuckDB has with Trino's meaning (tried in the tests).
_SAME_IN_DUCKDB = frozenset({"degrees", "radians"})
# Functions that sqlglot passes on, and that DuckDB does not have or has with another meaning.
_UNLIKE_IN_DUCKDB = (exp.Format, exp.Typeof, exp.WidthBucket)
# Types that MiniStack does not return as Athena does: what, why, and what to do instead.
_UNLIKE_OUTSIDE = (
    (
        ("array", "map", "struct"),
        "arrays, maps or rows",
        "it returns them as text",
        "select its parts, or join it to text (array_join, element_at)",
    ),
    (("varbinary", "binary"), "bytes", "it returns them as Python shows them", "select to_hex(…) of it"),
    (
        ("timestamptz",),
        "times with a time zone",
        "it cannot return them",
        "select CAST(… AS timestamp) of it",
    ),
)
# They make times with a time zone in Trino, of which sqlglot knows nothing.
_ZONED = (exp.CurrentTimestamp, exp.UnixToTime, exp.FromISO8601Timestamp, exp.AtTimeZone)
# Of a date they make a date in Trino, a timestamp in DuckDB.
_DATE_ARITHMETIC = (exp.Add, exp.Sub, exp.DateAdd, exp.DateSub, exp.DateTrunc, exp.TimestampTrunc)


def translate(
    query: exp.Query,
    schema: Schema,
    database: str,
    texts: Mapping[tuple[str, str], str | None],
) -> str:
    """Say a query in DuckDB's SQL, in the form in which MiniStack finds the tables.

    Args:
        query: Its tree, without question marks.
        schema: The columns of the tables that it reads.
        database: That of names without one.
        texts: Tables (database, name) that are made of CSV files → the text that stands for NULL there.

    Returns:
        The same query for DuckDB; its columns are named as Athena names them.

    Raises:
        AthenaSqlError: A column does not exist or is ambiguous.
        NotOnLocalAwsError: It uses what DuckDB does not have, or has with another meaning.
    """
    _refuse_unknown(query)
    typed = MappingSchema(schema, dialect="hive")
    query = _mark_unnamed(query.copy())
    _keep_indexes(query)
    try:
        query = qualify(query, schema=typed, db=database, dialect="athena")
    except OptimizeError as error:
        raise AthenaSqlError(f"COLUMN_NOT_FOUND: {error}") from error
    # Types tell an integer division, which Trino truncates, from another.
    query = annotate_types(query, schema=typed, dialect="athena")
    _name_unnamed(query)
    _refuse_unlike_outside(query)
    _refuse_unnested_rows(query)
    _keep_timestamps(query)
    _keep_dates(query)
    _keep_empty_text(query, schema, texts)
    return _for_ministack(query).sql("duckdb")


def _refuse_unknown(query: exp.Query) -> None:
    for function in query.find_all(exp.Anonymous):
        if function.name.lower() not in _SAME_IN_DUCKDB:
            raise _no_function(function.name)
    for function in query.find_all(*_UNLIKE_IN_DUCKDB):
        raise _no_function(function.sql_name())
    for column in query.find_all(exp.Column):
        if column.name.startswith("$"):
            raise not_here(f'"{column.name}"', "it does not know where a row came from", "run it on AWS")


def _keep_indexes(query: exp.Query) -> None:
    """Let a[i] be the same element: both engines count from 1.

    sqlglot counts from 0 between them, but where the type of the index was unknown it has not subtracted 1,
    and would add 1 once the types are known.
    """
    for bracket in query.find_all(exp.Bracket):
        (index, *_) = bracket.expressions
        if bracket.args.get("offset") is None and index.type and index.type.is_type("unknown"):
            bracket.set("offset", 1)


def _left(query: exp.Query) -> exp.Query:
    """The SELECT that names the columns of the whole."""
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    return query


def _mark_unnamed(query: exp.Query) -> exp.Query:
    """Give each expression without a name one that is replaced when stars have become columns."""
    left = _left(query)
    left.set(
        "expressions",
        [
            item
            if isinstance(item, exp.Alias | exp.Column | exp.Star)
            else exp.alias_(item, f"__unnamed_{i}")
            for i, item in enumerate(left.expressions)
        ],
    )
    return query


def _name_unnamed(query: exp.Query) -> None:
    """Athena calls the third column, if nothing else does, _col2."""
    names = {item.alias: f"_col{i}" for i, item in enumerate(_left(query).expressions)}
    for identifier in query.find_all(exp.Identifier):  # in ORDER BY, too
        if identifier.name.startswith("__unnamed_"):
            identifier.set("this", names[identifier.name])


def _refuse_unlike_outside(query: exp.Query) -> None:
    for item in _left(query).expressions:
        if isinstance(item.unalias(), _ZONED):
            item.type = exp.DataType.build("timestamptz")
        for kinds, what, why, todo in _UNLIKE_OUTSIDE:
            if item.type and item.type.is_type(*kinds):
                raise not_here(f"a column of {what} ({item.alias})", why, todo)


def _refuse_unnested_rows(query: exp.Query) -> None:
    """Refuse what gives one column here, and in Trino one for each field: https://trino.io/docs/current/sql/select.html#unnest."""
    for unnest in query.find_all(exp.Unnest):
        for array in unnest.expressions:
            if array.type and any(inner.is_type("struct") for inner in array.type.expressions):
                todo = "UNNEST(sequence(1, cardinality(a))) AS t (i) gives its indexes, and a[i] its elements"
                raise not_here(
                    f"UNNEST of an array of rows ({array.sql('athena')})", "it gives one column", todo
                )


def _keep_timestamps(query: exp.Query) -> None:
    """Let a timestamp with a precision be rounded to it, and then be what MiniStack returns as timestamp."""
    for cast in list(query.find_all(exp.Cast)):
        if cast.to.is_type("timestamp") and cast.to.expressions:
            cast.replace(exp.Cast(this=cast.copy(), to=exp.DataType.build("timestamp")))


def _keep_dates(query: exp.Query) -> None:
    for node in list(query.find_all(*_DATE_ARITHMETIC)):
        adds_number = isinstance(node, exp.Add | exp.Sub) and not isinstance(node.expression, exp.Interval)
        if node.this.type and node.this.type.this == exp.DataType.Type.DATE and not adds_number:
            node.replace(exp.cast(node.copy(), "date"))


def _keep_empty_text(query: exp.Query, schema: Schema, texts: Mapping[tuple[str, str], str | None]) -> None:
    """Read an empty field of a CSV as Athena does: as empty text. MiniStack reads NULL.

    A field that is missing at the end of a line is NULL on AWS; here it is empty, too.
    https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html
    """
    for table in list(query.find_all(exp.Table)):
        place = (table.db, table.name)
        if place not in texts:
            continue
        columns = [
            exp.alias_(_text(name, texts[place]) if kind == "string" else _column(name), name, quoted=True)
            for name, kind in schema[table.db][table.name].items()
        ]
        alias = table.alias
        table.replace(
            exp.select(*columns).from_(table.copy()).subquery(exp.to_identifier(alias, quoted=True))
        )


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _text(name: str, null: str | None) -> exp.Expression:
    text = exp.func("coalesce", _column(name), exp.Literal.string(""))
    return exp.func("nullif", text, exp.Literal.string(null)) if null else text


def _for_ministack(query: exp.Query) -> exp.Query:
    """Say three things in the way in which MiniStack's search for table names and paths gets them right."""
    for join in query.find_all(exp.Join):
        if not any(join.args.get(part) for part in ("method", "side", "kind", "on", "using")):
            join.set("kind", "CROSS")  # FROM a, b: it looks for names after FROM and JOIN only
    for text in list(query.find_all(exp.Literal)):
        if text.is_string and text.name.startswith(("s3://", "s3a://")):
            # It would put a local path in its place.
            head, tail = text.name.split(":", 1)
            text.replace(exp.func("concat", exp.Literal.string(f"{head}:"), exp.Literal.string(tail)))
    return query


def _no_function(name: str) -> NotOnLocalAwsError:
    return not_here(f"{name}()", "its engine does not have this function, or not the same", "run it on AWS")
