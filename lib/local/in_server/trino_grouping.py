"""Where aggregates and window functions may stand in Trino's SQL, and which columns beside aggregates.

The engine refuses the same, but names its own columns. What is not known to be wrong here is left to it.
https://trino.io/docs/current/sql/select.html#group-by-clause
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from lib.local.in_server.athena_sql import AsWritten, AthenaSqlError
from lib.local.in_server.trino_aggregates import AGGREGATES

# What stands around the call of a function.
_AROUND = (exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls)


@dataclass
class Keys:
    """What a query is grouped by: each expression, and its SQL in DuckDB's words."""

    nodes: list[exp.Expr] = field(default_factory=list)
    sqls: list[str] = field(default_factory=list)

    def add(self, node: exp.Expr | None, sql: str) -> None:
        """Add one; a column of a star has no expression of its own."""
        self.sqls.append(sql)
        if node is not None:
            self.nodes.append(node)


def check_scalar(node: exp.Expr, clause: str) -> None:
    """Refuse aggregates and window functions in a clause that knows single rows only.

    Args:
        node: The clause's expression.
        clause: Its name, such as WHERE.

    Raises:
        AthenaSqlError: It has one.
    """
    if found := [_said(each) for each in _calls(node)]:
        raise AthenaSqlError(
            f"EXPRESSION_NOT_SCALAR: {place(node)}{clause} clause cannot contain aggregations, window "
            f"functions or grouping operations: [{', '.join(found)}]"
        )


def check_having(node: exp.Expr) -> None:
    """Refuse window functions in HAVING.

    Raises:
        AthenaSqlError: It has one.
    """
    if found := [_said(each) for each in _calls(node) if isinstance(each, exp.Window)]:
        raise AthenaSqlError(
            f"NESTED_WINDOW: {place(node)}HAVING clause cannot contain window functions or row pattern "
            f"measures: [{', '.join(found)}]"
        )


def check_nested(call: exp.Expr) -> None:
    """Refuse an aggregate within an aggregate, and a window function within either.

    Args:
        call: The aggregate or the window function.

    Raises:
        AthenaSqlError: It has one.
    """
    is_window, function = isinstance(call, exp.Window), call
    while isinstance(function, _AROUND):
        function = function.this
    name = "listagg" if isinstance(function, exp.GroupConcat) else function.name.lower()
    found = [each for part in _parts(call) for each in _calls(part)]
    windows = [_said(each) for each in found if isinstance(each, exp.Window)]
    others = [_said(each) for each in found if not isinstance(each, exp.Window)]
    if windows:
        what = "window function" if is_window else "aggregation"
        raise AthenaSqlError(
            f"NESTED_WINDOW: {place(call)}Cannot nest window functions or row pattern measures inside {what} "
            f"'{name}': [{', '.join(windows)}]"
        )
    if others and not is_window:
        raise AthenaSqlError(
            f"NESTED_AGGREGATION: {place(call)}Cannot nest aggregations inside aggregation '{name}': "
            f"[{', '.join(others)}]"
        )


def aggregates(node: exp.Expr) -> bool:
    """Return whether an expression makes one row of many: it has an aggregate that is no window function."""
    for each in _calls(node):
        if not isinstance(each, exp.Window) or any(aggregates(part) for part in _parts(each)):
            return True
    return False


def check_grouped(
    node: exp.Expr, keys: Keys, own: Callable[[exp.Column], str | None], sql_of: Callable[[exp.Expr], str]
) -> None:
    """Refuse a column that is neither in an aggregate nor what the query is grouped by.

    Args:
        node: An expression of a query that is grouped.
        keys: What it is grouped by.
        own: Returns the SQL of a column of this query; None of another's.
        sql_of: Returns an expression's SQL.

    Raises:
        AthenaSqlError: It has one.
    """
    if any("lambda " in key for key in keys.sqls):
        return  # their arguments have other names each time
    kinds = {type(key.unnest()) for key in keys.nodes} - {exp.Column}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, exp.Query | exp.Lambda) or _is_aggregate(each):
            continue
        if type(each) in kinds and sql_of(each) in keys.sqls:
            continue
        if isinstance(each, exp.Column):
            sql = own(each)
            if sql is not None and sql not in keys.sqls:
                raise AthenaSqlError(
                    f"EXPRESSION_NOT_AGGREGATE: {place(node)}'{_said(node)}' must be an aggregate expression "
                    "or appear in GROUP BY clause"
                )
        else:
            waiting.extend(_parts(each))


def place(node: exp.Expr) -> str:
    """Return where an expression begins in the query, as a message says it; "" if that is not known."""
    known = [each.meta for each in node.walk() if each.meta.get("line")]
    if not known:
        return ""
    first = min(known, key=lambda meta: meta["start"])
    return f"line {first['line']}:{first['col'] - (first['end'] - first['start'])}: "


def _calls(node: exp.Expr) -> Iterator[exp.Expr]:
    """Find the outermost aggregates and window functions of an expression, but not those of queries in it."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, exp.Window) or _is_aggregate(each):
            yield each
        elif not isinstance(each, exp.Query):
            waiting.extend(reversed(list(each.iter_expressions())))


def _is_aggregate(node: exp.Expr) -> bool:
    named = isinstance(node, exp.Anonymous) and node.name.lower() in AGGREGATES
    return named or isinstance(node, exp.GroupConcat | exp.Filter)


def _parts(node: exp.Expr) -> Iterable[exp.Expr]:
    """What an expression is made of; of a window function, what it is given and its window."""
    if not isinstance(node, exp.Window):
        return node.iter_expressions()
    function: exp.Expr = node
    parts: list[exp.Expr] = []
    while isinstance(function, _AROUND):
        parts += [part for part in function.iter_expressions() if part is not function.this]
        function = function.this
    return [*function.iter_expressions(), *parts]


def _said(node: exp.Expr) -> str:
    return node.sql(AsWritten, normalize_functions=False)
