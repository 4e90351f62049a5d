"""Which of a table's partitions Athena reads for a query, for what it scans. No AWS calls here.

When in doubt it is all of them, so that a limit that holds here holds on AWS.
https://docs.aws.amazon.com/athena/latest/ug/partitions.html
"""

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from sqlglot import exp

Read = Callable[[dict[str, str]], bool]

_COMPARED: dict[type[exp.Expr], Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
_WHOLE = ("tinyint", "smallint", "int", "integer", "bigint")


def kept(objects: Iterable[dict], query: exp.Query, database: str, table: dict[str, Any]) -> list[dict]:
    """Return those of a table's objects that are in the partitions for which a query asks.

    Args:
        objects: All of them, each in a folder name=value for each partition key.
        query: Its tree.
        database: The table's.
        table: As Glue describes it.
    """
    types = {key["Name"].lower(): key.get("Type", "string").lower() for key in table.get("PartitionKeys", [])}
    found = list(objects)
    named = [
        each
        for each in query.find_all(exp.Table)
        if each.name.lower() == table["Name"].lower() and each.db.lower() in ("", database)
    ]
    # A table that is named more than once may be read in one place and not in another.
    if not types or len(named) != 1:
        return found
    conditions = [_read(part, types, named[0]) for part in _conditions(named[0])]
    reads = [read for read in conditions if read]
    return [each for each in found if all(read(_values(each["Key"])) for read in reads)]


def _conditions(table: exp.Table) -> list[exp.Expr]:
    """Return what must all hold of a row of a table that is its SELECT's only source."""
    select = table.parent.parent if isinstance(table.parent, exp.From) else None
    if not isinstance(select, exp.Select) or select.args.get("joins") or table.args.get("joins"):
        return []
    where, found = select.args.get("where"), []
    waiting = [where.this] if where else []
    while waiting:
        each = waiting.pop().unnest()
        if isinstance(each, exp.And):
            waiting += [each.this, each.expression]
        else:
            found.append(each)
    return found


def _read(node: exp.Expr, types: dict[str, str], table: exp.Table) -> Read | None:
    """Return whether a condition holds of a partition; None if it is not of keys and literals alone."""
    column = node.this.unnest() if isinstance(node.this, exp.Expr) else None
    if not isinstance(column, exp.Column) or column.name.lower() not in types:
        return None
    if column.table and column.table.lower() != table.alias_or_name.lower():
        return None
    name = column.name.lower()
    if isinstance(node, exp.In) and node.expressions and not node.args.get("query"):
        items = [_literal(item, types[name]) for item in node.expressions]
        return None if None in items else lambda values: _typed(values[name], types[name], items.__contains__)
    if type(node) in _COMPARED:
        compared, other = _COMPARED[type(node)], _literal(node.expression, types[name])
        return (
            None
            if other is None
            else lambda values: _typed(values[name], types[name], lambda value: compared(value, other))
        )
    if isinstance(node, exp.Between):
        low, high = (_literal(node.args[each], types[name]) for each in ("low", "high"))
        if low is None or high is None or node.args.get("symmetric"):
            return None
        return lambda values: _typed(values[name], types[name], lambda value: low <= value <= high)
    return None


def _literal(node: exp.Expr, kind: str) -> str | int | None:
    """Return a literal of a key's type; None if it is none."""
    if not isinstance(node, exp.Literal):
        return None
    if kind == "string":
        return node.this if node.is_string else None
    return int(node.this) if kind in _WHOLE and not node.is_string and node.this.isdigit() else None


def _typed(value: str, kind: str, holds: Callable[[Any], bool]) -> bool:
    if kind not in _WHOLE:
        return "%" in value or holds(value)  # in a folder's name a colon, for one, may be escaped
    return holds(int(value)) if re.fullmatch("[+-]?[0-9]+", value) else True


def _values(key: str) -> dict[str, str]:
    parts = (part.partition("=") for part in key.split("/")[:-1])
    return {name.lower(): value for name, equals, value in parts if equals}
