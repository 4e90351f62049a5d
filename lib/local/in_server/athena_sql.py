"""Which of Athena's statements the local AWS can truly run, and what they read. No AWS calls here.

What MiniStack would only pretend to run is refused: a green local run is to mean a green real one.
https://docs.aws.amazon.com/athena/latest/ug/ddl-sql-reference.html
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokens import Token, TokenType

from lib.local.in_server.not_here import NotOnLocalAwsError, not_here


class AthenaSqlError(ValueError):
    """AWS would not run this either; worded as Athena words it."""


def _literal_of_a_type(_: TrinoParser, this: exp.Expr, kind: exp.DataType) -> exp.Cast:
    """Tell DECIMAL '1.5', which has two digits, from CAST('1.5' AS decimal), which has 38 and no fraction."""
    cast = exp.Cast(this=this, to=kind)
    cast.meta[LITERAL] = True
    return cast


# A number with an exponent before a sign; texts, names and comments are taken whole, for none is within them.
_BEFORE_A_SIGN = re.compile(
    r"""'[^']*(?:'|$) | "[^"]*(?:"|$) | --[^\r\n]* | /\*.*?(?:\*/|$) | [^\W\d]\w*
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+)(?=[+-])""",
    re.DOTALL | re.VERBOSE,
)


class AsWritten(Trino):
    """Trino's dialect without what sqlglot knows of its functions: they keep their names and arguments."""

    INDEX_OFFSET = 0

    class Tokenizer(Trino.Tokenizer):
        """The tokenizer; sqlglot takes 5e0-1 for one number, since it allows a sign anywhere after the e."""

        def tokenize(self, sql: str) -> list[Token]:
            """Return the tokens of a text, with their places in it.

            Args:
                sql: The text.
            """
            ends = [found.end() for found in _BEFORE_A_SIGN.finditer(sql) if found["number"]]
            if not ends:
                return super().tokenize(sql)
            parts = (sql[start:end] for start, end in zip([0, *ends], [*ends, len(sql)], strict=True))
            apart = " ".join(parts)
            blanks = [end + before for before, end in enumerate(ends)]
            tokens = super().tokenize(apart)
            for token in tokens:
                before = bisect_left(blanks, token.start)
                line = max(apart.rfind("\n", 0, token.start), apart.rfind("\r", 0, token.start))
                token.col -= before - bisect_left(blanks, line)
                token.start, token.end = token.start - before, token.end - before
            return tokens

    class Parser(TrinoParser):
        """The parser; what has a syntax of its own (CAST, EXTRACT, …) is still parsed."""

        FUNCTIONS = {}
        FUNCTION_PARSERS = {
            name: parser
            for name, parser in TrinoParser.FUNCTION_PARSERS.items()
            if name in ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM", "LISTAGG")
        }
        TYPE_LITERAL_PARSERS: ClassVar[dict[Any, Any]] = dict.fromkeys(exp.DType, _literal_of_a_type)


LITERAL = "literal"
# sqlglot takes them; Trino does not.
_FOREIGN = {TokenType.DCOLON: "::", TokenType.DIV: "DIV", TokenType.ILIKE: "ILIKE", TokenType.RLIKE: "RLIKE"}
# Functions whose arguments have words of their own, which sqlglot would call a mistake.
_WORDY = ("JSON_ARRAY", "JSON_EXISTS", "JSON_OBJECT", "JSON_QUERY", "JSON_TABLE", "JSON_VALUE")
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
        # Athena's dialect would read SHOW and its like as one word.
        first = next((token.text.upper() for token in sqlglot.tokenize(sql)), "")
        if first in _REFUSED and first not in ("CREATE", "DROP"):
            raise _refusal(first)
        if first not in ("CREATE", "DROP"):
            _check_tokens(AsWritten().tokenize(sql))
        dialect = "athena" if first in ("CREATE", "DROP") else AsWritten
        statements = [statement for statement in sqlglot.parse(sql, dialect=dialect) if statement]
    except TokenError as error:
        raise AthenaSqlError(f"a quote or a comment is not closed, or a literal is none: {sql!r}") from error
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
            raise not_here(f"FROM {table.this.sql('athena')}", "it is no table of the catalogue", _GLUE)
        if table.db == "" and table.name.lower() in names:
            continue
        if table.catalog.lower() not in ("", "awsdatacatalog") or table.db.lower() == "information_schema":
            raise not_here(table.sql("athena"), "it knows only the Glue catalogue's own tables", _GLUE)
        yield (table.db or database).lower(), table.name.lower()


def bind(sql: str, parameters: list[str]) -> str:
    """Put execution parameters in the place of a query's question marks.

    Args:
        sql: The statement.
        parameters: SQL literals, in order. https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html

    Returns:
        The statement without question marks.

    Raises:
        AthenaSqlError: Not one literal for each question mark.
    """
    if "?" not in sql and not parameters:
        return sql
    try:
        # In the text's own order, which is not that of a tree.
        marks = [token for token in Trino().tokenize(sql) if token.token_type == TokenType.PLACEHOLDER]
    except TokenError:
        marks = []  # a statement of Hive's, or one that parse refuses
    if len(marks) != len(parameters):
        raise AthenaSqlError(
            f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        )
    for mark, text in reversed(list(zip(marks, parameters, strict=True))):
        _check_literal(text)
        sql = f"{sql[: mark.start]} {text} {sql[mark.end + 1 :]}"
    return sql


def _check_tokens(tokens: list[Token]) -> None:
    """Refuse what sqlglot would read as something else than Trino does."""
    for token, after, third in zip(tokens, [*tokens[1:], None], [*tokens[2:], None, None], strict=False):
        if token.token_type in _FOREIGN or token.text in ("==", "<=>"):
            raise _mismatched(token)
        is_name = token.token_type != TokenType.STRING and after and after.token_type == TokenType.L_PAREN
        if is_name and token.text.upper() in _WORDY:
            why = "its engine does not have this function, or not the same"
            raise not_here(f"{token.text.lower()}()", why, "run it on AWS")
        touches = token.token_type == TokenType.NUMBER and after and after.start == token.end + 1
        if after and touches and after.token_type in (TokenType.VAR, TokenType.NUMBER):
            why = "it knows digits, a point and an exponent only"
            raise not_here(f"the number {token.text}{after.text}", why, "write it so")
        if token.token_type == TokenType.LIMIT and third and third.token_type == TokenType.OFFSET:
            raise _mismatched(third)  # it stands before LIMIT


def _mismatched(token: Token) -> AthenaSqlError:
    return AthenaSqlError(f"line {token.line}:{token.col}: mismatched input {token.text!r}")


def _query(statement: exp.Expr, sql: str) -> exp.Query | None:
    if isinstance(statement, exp.Query):
        return statement
    kind = statement.args.get("kind")
    if isinstance(statement, exp.Create) and kind == "TABLE" and not statement.expression:
        if "projection." in sql.lower():
            raise not_here("partition projection", "it would find no rows", "register partitions by a crawl")
        return None
    if isinstance(statement, exp.Drop) and kind == "TABLE":
        return None
    name = type(statement).__name__.upper()
    if isinstance(statement, exp.Create) and kind in ("TABLE", "VIEW"):
        name = "CREATE TABLE AS" if kind == "TABLE" else "CREATE VIEW"
    if name in _REFUSED:
        raise _refusal(name)
    if isinstance(statement, exp.Command):
        raise not_here(statement.sql("athena"), "it does not know this statement", "run it on AWS")
    raise AthenaSqlError(f"line 1:1: mismatched input {sql.split()[0]!r}")


def _check_literal(text: str) -> None:
    try:
        value = sqlglot.parse_one(text, dialect=AsWritten)
    except (ParseError, TokenError) as error:
        raise AthenaSqlError(f"Execution parameter {text!r} is not a literal") from error
    bare = value.this if isinstance(value, exp.Neg | exp.Cast) else value
    if not isinstance(bare, exp.Literal | exp.Boolean | exp.Null | exp.HexString):
        raise AthenaSqlError(f"Execution parameter {text!r} is not a literal: put text into single quotes")


def _refusal(statement: str) -> NotOnLocalAwsError:
    return not_here(statement, *_REFUSED[statement])
