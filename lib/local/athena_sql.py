"""Athena's SQL (Trino) for the engine that MiniStack runs queries with (DuckDB). No AWS calls here.

sqlglot translates. What would run with another meaning, or not at all, is refused: a green local run is to mean
a green real one. https://docs.aws.amazon.com/athena/latest/ug/ddl-sql-reference.html
"""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

# Database → table → column → Hive type.
Schema = dict[str, dict[str, dict[str, str]]]


class NotOnLocalAwsError(RuntimeError):
    """AWS would run this; the local AWS would not, or would only pretend to. Says why, and what to do."""


class AthenaSqlError(ValueError):
    """AWS would not run this either; worded as Athena words it."""


_GLUE = "ask the Glue catalogue with boto3 (get_tables, get_table, get_partitions)"
_CRAWLER = "start the crawler, or write to the Glue catalogue with boto3"
_WRITE = "write the objects with boto3 or pandas, then start the crawler"
# Statement → why the local AWS does not run it, and what to do instead.
_REFUSED = {
    "CREATE TABLE AS": ("it would report success and keep nothing", _WRITE),
    "CREATE VIEW": ("it would report success and keep nothing", "use a WITH clause"),
    "CREATE": ("it would report success and keep nothing", _CRAWLER),
    "DROP": ("it would report success and delete nothing", _CRAWLER),
    "ALTER": ("it does not change the catalogue", _CRAWLER),
    "MSCK": ("it does not look for partitions", _CRAWLER),
    "SHOW": ("it answers with nothing, or fails", _GLUE),
    "DESCRIBE": ("it does not know the catalogue's tables", _GLUE),
    "DESC": ("it does not know the catalogue's tables", _GLUE),
    "INSERT": ("it does not write data", _WRITE),
    "UPDATE": ("it does not write data", _WRITE),
    "DELETE": ("it does not write data", _WRITE),
    "MERGE": ("it does not write data", _WRITE),
    "UNLOAD": ("it does not write data", _WRITE),
    "EXPLAIN": ("its engine plans queries in its own way", "run it on AWS"),
    "PREPARE": ("it keeps no prepared statements", "pass the parameters with the query"),
    "EXECUTE": ("it keeps no prepared statements", "pass the parameters with the query"),
    "VALUES": ("it names the columns in its own way", "use SELECT … FROM (VALUES …) AS t (names)"),
}
# Functions that sqlglot passes on by name, and that DuckDB has with Trino's meaning (tried in the tests).
_SAME_IN_DUCKDB = frozenset({"bit_count", "degrees", "radians", "to_base"})


def parse(sql: str) -> exp.Query | None:
    """Parse one statement of Athena's SQL.

    Args:
        sql: The statement.

    Returns:
        The query's tree; None for the two DDL statements that MiniStack truly runs (CREATE EXTERNAL TABLE,
        DROP TABLE).

    Raises:
        AthenaSqlError: It does not parse, or is not exactly one statement.
        NotOnLocalAwsError: The local AWS would only pretend to run it.
    """
    try:
        words = [token.text.upper() for token in sqlglot.tokenize(sql, dialect="athena")]
        if words and words[0] in _REFUSED and words[0] not in ("CREATE", "DROP"):
            raise _refusal(words[0])
        statements = [statement for statement in sqlglot.parse(sql, dialect="athena") if statement]
    except TokenError as error:
        raise AthenaSqlError(f"a quote or a comment is not closed: {sql!r}") from error
    except ParseError as error:
        at = error.errors[0]
        raise AthenaSqlError(
            f"line {at['line']}:{at['col']}: mismatched input {at['highlight']!r}"
        ) from error
    if len(statements) != 1:
        raise AthenaSqlError(f"Only one sql statement is allowed. Got: {len(statements)}")
    return _query(statements[0], sql)


def tables(query: exp.Query, database: str) -> Iterator[tuple[str, str]]:
    """List the catalogue's tables that a query reads.

    Args:
        query: Its tree.
        database: That of names without one.

    Yields:
        Database and table, in lower case, as the catalogue has them.

    Raises:
        NotOnLocalAwsError: It reads another catalogue, or what is no table.
    """
    names = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise _not_here(f"FROM {table.this.sql('athena')}", "it is no table of the catalogue", _GLUE)
        if table.db == "" and table.name.lower() in names:
            continue
        if table.catalog.lower() not in ("", "awsdatacatalog") or table.db.lower() == "information_schema":
            raise _not_here(table.sql("athena"), "it knows only the Glue catalogue's own tables", _GLUE)
        yield (table.db or database).lower(), table.name.lower()


def bind(query: exp.Query, parameters: list[str]) -> exp.Query:
    """Put execution parameters in the place of a query's question marks.

    Args:
        query: Its tree.
        parameters: SQL literals, in order. https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html

    Returns:
        The tree without question marks.

    Raises:
        AthenaSqlError: Not one literal for each question mark.
    """
    query = query.copy()
    marks = list(query.find_all(exp.Placeholder, bfs=False))
    if len(marks) != len(parameters):
        raise AthenaSqlError(
            f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        )
    for mark, text in zip(marks, parameters, strict=True):
        mark.replace(_literal(text))
    return query


def translate(
    query: exp.Query, schema: Schema, database: str, texts: Mapping[tuple[str, str], str | None]
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
    try:
        query = qualify(query, schema=typed, db=database, dialect="athena")
    except OptimizeError as error:
        raise AthenaSqlError(f"COLUMN_NOT_FOUND: {error}") from error
    # Types tell an integer division, which Trino truncates, from another.
    query = annotate_types(query, schema=typed, dialect="athena")
    _name_unnamed(query)
    _refuse_nested(query)
    _keep_empty_text(query, schema, texts)
    return _for_ministack(query).sql("duckdb")


def _query(statement: exp.Expression, sql: str) -> exp.Query | None:
    if isinstance(statement, exp.Query):
        return statement
    kind = statement.args.get("kind")
    if isinstance(statement, exp.Create) and kind == "TABLE" and not statement.expression:
        if "projection." in sql.lower():
            raise _not_here("partition projection", "it would find no rows", "register partitions by a crawl")
        return None
    if isinstance(statement, exp.Drop) and kind == "TABLE":
        return None
    name = type(statement).__name__.upper()
    if isinstance(statement, exp.Create) and kind in ("TABLE", "VIEW"):
        name = "CREATE TABLE AS" if kind == "TABLE" else "CREATE VIEW"
    if name in _REFUSED:
        raise _refusal(name)
    if isinstance(statement, exp.Command):
        raise _not_here(statement.sql("athena"), "it does not know this statement", "run it on AWS")
    raise AthenaSqlError(f"line 1:1: mismatched input {sql.split()[0]!r}")


def _literal(text: str) -> exp.Expression:
    try:
        value = sqlglot.parse_one(text, dialect="athena")
    except (ParseError, TokenError) as error:
        raise AthenaSqlError(f"Execution parameter {text!r} is not a literal") from error
    bare = value.this if isinstance(value, exp.Neg | exp.Cast) else value
    if not isinstance(bare, exp.Literal | exp.Boolean | exp.Null):
        raise AthenaSqlError(f"Execution parameter {text!r} is not a literal: put text into single quotes")
    return value


def _refuse_unknown(query: exp.Query) -> None:
    for function in query.find_all(exp.Anonymous):
        if function.name.lower() not in _SAME_IN_DUCKDB:
            raise _not_here(f"{function.name}()", "its engine does not have this function", "run it on AWS")
    for column in query.find_all(exp.Column):
        if column.name.startswith("$"):
            raise _not_here(f'"{column.name}"', "it does not know where a row came from", "run it on AWS")


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
    for i, item in enumerate(_left(query).expressions):
        if item.alias.startswith("__unnamed_"):
            item.set("alias", exp.to_identifier(f"_col{i}", quoted=True))


def _refuse_nested(query: exp.Query) -> None:
    for item in _left(query).expressions:
        if item.type and item.type.is_type("array", "map", "struct"):
            todo = "select its parts, or join it to text (array_join, element_at)"
            raise _not_here(
                f"a column of arrays, maps or rows ({item.alias})", "it returns them as text", todo
            )


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
        table.replace(exp.select(*columns).from_(table.copy()).subquery(exp.to_identifier(alias, quoted=True)))


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


def _refusal(statement: str) -> NotOnLocalAwsError:
    return _not_here(statement, *_REFUSED[statement])


def _not_here(what: str, why: str, todo: str) -> NotOnLocalAwsError:
    return NotOnLocalAwsError(f"The local AWS cannot do this: {what}, for {why}. Instead: {todo}.")
