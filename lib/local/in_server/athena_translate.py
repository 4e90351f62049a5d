"""Athena's queries (Trino) in the words of the engine that MiniStack runs queries with (DuckDB).

sqlglot parses; what it means is said here, with Trino's types, names and order. What is not known to give the
same values in both is refused. https://trino.io/docs/current/sql/select.html
"""

import itertools
from collections.abc import Collection, Mapping
from functools import partial

from sqlglot import exp

from lib.local.in_server import trino_grouping, trino_types, trino_values
from lib.local.in_server.athena_sql import AthenaSqlError
from lib.local.in_server.not_here import not_here
from lib.local.in_server.trino_expressions import Column, Expressions, Scope, Source, direction, only, refused
from lib.local.in_server.trino_types import BIGINT, Type, quoted
from lib.local.in_server.trino_values import Value, cast, text

# Database → table → column → Hive type.
Schema = dict[str, dict[str, dict[str, str]]]
Columns = list[tuple[str, Type]]
# Types that MiniStack does not return as Athena does: what, why, and what to do instead.
_UNLIKE_OUTSIDE = (
    (
        ("array", "map", "row"),
        "arrays, maps or rows",
        "it returns them as text",
        "select its parts, or join it to text (array_join, element_at)",
    ),
    (("varbinary",), "bytes", "it returns them as Python shows them", "select to_hex(…) of it"),
    (
        ("timestamp with time zone",),
        "times with a time zone",
        "it cannot return them",
        "select CAST(… AS timestamp) of it",
    ),
    (("json",), "JSON", "it returns it as text", "select json_format(…) or json_extract_scalar(…) of it"),
    (
        ("interval day to second", "interval year to month"),
        "intervals",
        "it returns numbers",
        "select CAST(… AS varchar) of it",
    ),
)


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
        AthenaSqlError: Athena would refuse it, too: a column does not exist, types do not fit.
        NotOnLocalAwsError: It uses what DuckDB does not have, or has with another meaning.
    """
    sql, columns = Translator(schema, database, texts).query(query, Scope(), named=True)
    for name, kind in columns:
        if kind.is_a("array") and trino_types.is_number(kind.arguments[0]):
            continue
        for kinds, what, why, todo in _UNLIKE_OUTSIDE:
            if kind.is_a(*kinds):
                raise not_here(f"a column of {what} ({name})", why, todo)
    return sql


class Translator:
    """Translates one statement. Within, a query's columns are called _0, _1, …; names are resolved here."""

    def __init__(self, schema: Schema, database: str, texts: Mapping[tuple[str, str], str | None]):
        """Make it; the arguments are those of `translate`."""
        self._schema, self._database, self._texts = schema, database, texts
        self._expressions = Expressions(self.query)
        self._aliases = itertools.count()
        # CTEs by name: what they are called here, and their columns.
        self._ctes: dict[str, tuple[str, Columns]] = {}

    def query(self, query: exp.Expr, scope: Scope, named: bool = False) -> tuple[str, Columns]:
        """Return a query's SQL, and the names and types of its columns.

        Args:
            query: Its tree.
            scope: What names stand for around it.
            named: Its columns have their own names in DuckDB, too: it is the whole statement.
        """
        if isinstance(query, exp.Subquery) and all(
            not part for name, part in query.args.items() if name != "this"
        ):
            return self.query(query.this, scope, named)
        known, clause = dict(self._ctes), ""
        if clauses := query.args.get("with_"):
            clause = self._with(clauses, scope)
        try:
            if isinstance(query, exp.Select):
                sql, columns = self._select(query, scope, named)
            elif isinstance(query, exp.SetOperation):
                sql, columns = self._set_operation(query, scope, named)
            elif isinstance(query, exp.Subquery):
                sql, columns = self._ordered_subquery(query, scope, named)
            elif isinstance(query, exp.Values):
                sql, columns = self._values(query, scope)
            else:
                raise refused(query)
        finally:
            self._ctes = known
        return f"{clause}{sql}", columns

    def _with(self, clauses: exp.With, scope: Scope) -> str:
        only(clauses, "expressions")
        said = []
        for cte in clauses.expressions:
            only(cte, "this", "alias")
            if [each.alias.lower() for each in clauses.expressions].count(cte.alias.lower()) > 1:
                raise AthenaSqlError(f"WITH query name '{cte.alias}' specified more than once")
            sql, columns = self.query(cte.this, scope)
            name = f"cte_{next(self._aliases)}"
            self._ctes[cte.alias.lower()] = (name, _renamed(columns, cte.args["alias"]))
            said.append(f"{name} AS ({sql})")
        return f"WITH {', '.join(said)} "

    # --- SELECT ---

    def _select(self, query: exp.Select, outer: Scope, named: bool) -> tuple[str, Columns]:
        only(
            query, "with_", "expressions", "from_", "joins", "where", "group", "having", "windows",
            "distinct",
            "order", "limit", "offset",
        )  # fmt: skip
        scope = Scope(parent=outer)
        sources = self._from(query, scope)
        scope.windows = {window.name.lower(): window for window in query.args.get("windows") or []}
        # What each item is made of; the columns of a star are made of nothing.
        made = [(each, item) for each in query.expressions for item in self._items(each, scope)]
        nodes = [None if each.is_star else each.unalias() for each, _ in made]
        items = [item for _, item in made]
        columns = [(name or f"_col{position}", found.type) for position, (name, found) in enumerate(items)]
        distinct = ""
        if query.args.get("distinct"):
            only(query.args["distinct"])
            distinct = "DISTINCT "
            for _, found in items:
                trino_values.check_comparable(found.type, "DISTINCT")
        names = [name if named else f"_{position}" for position, (name, _) in enumerate(columns)]
        said = ", ".join(
            f"{found.sql} AS {quoted(name)}" for name, (_, found) in zip(names, items, strict=True)
        )
        parts = [f"SELECT {distinct}{said}", f"FROM {sources}" if sources else ""]
        if where := query.args.get("where"):
            trino_grouping.check_scalar(where.this, "WHERE")
            parts.append(f"WHERE {self._expressions.condition(where.this, scope)}")
        keys = trino_grouping.Keys()
        if group := query.args.get("group"):
            known = [(node, found) for node, (_, found) in zip(nodes, items, strict=True)]
            parts.append(f"GROUP BY {self._group(group, known, scope, keys)}")
        if having := query.args.get("having"):
            trino_grouping.check_having(having.this)
            parts.append(f"HAVING {self._expressions.condition(having.this, scope)}")
        self._check_grouped(query, nodes, items, scope, keys)
        if order := query.args.get("order"):
            scope.outputs = {name: found for name, found in items if name}
            ambiguous = {name for name, _ in items if name and [n for n, _ in items].count(name) > 1}
            parts.append(self._order(order, items, scope, ambiguous, bool(distinct)))
        parts.append(self._limit(query))
        return " ".join(part for part in parts if part), columns

    def _items(self, node: exp.Expr, scope: Scope) -> list[tuple[str, Value]]:
        """What one item of SELECT is: each column of a star, or an expression with its name."""
        if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
            only(node if isinstance(node, exp.Star) else node.this)
            return self._star(node, scope)
        if isinstance(node, exp.Alias):
            only(node, "this", "alias")
            return [(node.alias.lower(), self._expressions.value(node.this, scope))]
        name = ""
        if isinstance(node, exp.Column | exp.Dot):
            name = (node.this if isinstance(node, exp.Column) else node.expression).name.lower()
        return [(name, self._expressions.value(node, scope))]

    def _star(self, node: exp.Star | exp.Column, scope: Scope) -> list[tuple[str, Value]]:
        if isinstance(node, exp.Star):
            if not scope.sources:
                raise AthenaSqlError("SELECT * not allowed in queries without FROM clause")
            merged = {column.name for column in scope.merged}
            found = list(scope.merged)
            found += [c for source in scope.sources for c in source.columns if c.name not in merged]
            return [(column.name, column.value) for column in found]
        parts = [part.name.lower() for part in node.parts[:-1]]
        for source in scope.sources:
            if parts in ([source.name], [source.database, source.name]):
                return [(column.name, column.value) for column in source.columns]
        raise AthenaSqlError(f"COLUMN_NOT_FOUND: Table {'.'.join(parts)} cannot be resolved")

    def _check_grouped(
        self,
        query: exp.Select,
        nodes: list[exp.Expr | None],
        items: list[tuple[str, Value]],
        scope: Scope,
        keys: trino_grouping.Keys,
    ) -> None:
        """Refuse columns beside aggregates that the query is not grouped by, in the query's own words."""
        having, order = query.args.get("having"), query.args.get("order")
        sorted_by = [item.this for item in order.expressions] if order else []
        said = [*(node for node in nodes if node), *([having.this] if having else [])]
        if not query.args.get("group") and not any(map(trino_grouping.aggregates, [*said, *sorted_by])):
            return

        def own(names: Collection[str], column: exp.Column) -> str | None:
            parts = [part.name.lower() for part in column.parts]
            found = None if len(parts) == 1 and parts[0] in names else scope.own(parts)
            return found.sql if found else None

        def sql_of(node: exp.Expr) -> str:
            return self._expressions.value(node, scope).sql

        for node, (name, found) in zip(nodes, items, strict=True):
            if node is None and found.sql not in keys.sqls:
                raise AthenaSqlError(f"EXPRESSION_NOT_AGGREGATE: Column '{name}' not in GROUP BY clause")
        for node in said:
            trino_grouping.check_grouped(node, keys, partial(own, ()), sql_of)
        for node in sorted_by:  # where a name is first what the SELECT calls it
            trino_grouping.check_grouped(node, keys, partial(own, {name for name, _ in items}), sql_of)

    def _group(
        self,
        group: exp.Group,
        items: list[tuple[exp.Expr | None, Value]],
        scope: Scope,
        keys: trino_grouping.Keys,
    ) -> str:
        only(group, "expressions")
        return ", ".join(self._grouped(item, items, scope, keys) for item in group.expressions) or "()"

    def _grouped(
        self,
        node: exp.Expr,
        items: list[tuple[exp.Expr | None, Value]],
        scope: Scope,
        keys: trino_grouping.Keys,
    ) -> str:
        sets: dict[type[exp.Expr], str] = {
            exp.Rollup: "ROLLUP",
            exp.Cube: "CUBE",
            exp.GroupingSets: "GROUPING SETS",
        }
        if type(node) in sets or isinstance(node, exp.Tuple):
            inner = ", ".join(self._grouped(item, items, scope, keys) for item in node.expressions)
            return f"{sets.get(type(node), '')} ({inner})"
        if isinstance(node, exp.Paren):
            return f"({self._grouped(node.this, items, scope, keys)})"
        found = _by_position(node, [value for _, value in items], "GROUP BY")
        made: exp.Expr | None = items[int(node.this) - 1][0] if found else node
        found = found or self._expressions.value(node, scope)
        if made is not None:
            trino_grouping.check_scalar(made, "GROUP BY")
        trino_values.check_comparable(found.type, "GROUP BY")
        keys.add(made, found.sql)
        return found.sql

    def _order(
        self,
        order: exp.Order,
        items: list[tuple[str, Value]],
        scope: Scope,
        ambiguous: set[str],
        distinct: bool = False,
    ) -> str:
        said = []
        for item in order.expressions:
            found = _by_position(item.this, [value for _, value in items], "ORDER BY")
            if found is None and isinstance(item.this, exp.Column) and len(item.this.parts) == 1:
                name = item.this.name.lower()
                if name in ambiguous:
                    raise AthenaSqlError(f"AMBIGUOUS_NAME: Column '{name}' is ambiguous")
                found = scope.outputs.get(name)
            if found is None:
                # In an expression, too, a name is first what the SELECT calls it.
                named = {name: value for name, value in scope.outputs.items() if name not in ambiguous}
                found = self._expressions.value(item.this, Scope(parent=scope, arguments=named))
            trino_values.check_comparable(found.type, "ORDER BY")
            if distinct and found.sql not in [value.sql for _, value in items]:
                raise AthenaSqlError("For SELECT DISTINCT, ORDER BY expressions must appear in select list")
            said.append(f"{found.sql}{direction(item)}")
        return f"ORDER BY {', '.join(said)}"

    def _limit(self, query: exp.Expr) -> str:
        parts = []
        limit, offset = query.args.get("limit"), query.args.get("offset")
        if isinstance(limit, exp.Fetch):
            options = limit.args.get("limit_options")
            if options and (options.args.get("with_ties") or options.args.get("percent")):
                raise refused(query, "it does not know WITH TIES")
            parts.append(f"LIMIT {_count(limit.args.get('count') or exp.Literal.number(1))}")
        elif limit and not (isinstance(limit.expression, exp.Var) and limit.expression.name.upper() == "ALL"):
            only(limit, "expression")
            parts.append(f"LIMIT {_count(limit.expression)}")
        if offset:
            only(offset, "expression")
            parts.append(f"OFFSET {_count(offset.expression)}")
        return " ".join(parts)

    # --- FROM ---

    def _from(self, query: exp.Expr, scope: Scope) -> str:
        found = query.args.get("from_")
        if not found:
            return ""
        only(found, "this")
        said = self._source(found.this, scope)
        for join in [*(found.this.args.get("joins") or []), *(query.args.get("joins") or [])]:
            said += self._join(join, scope)
        return said

    def _join(self, join: exp.Join, scope: Scope) -> str:
        only(join, "this", "method", "side", "kind", "on", "using")
        method, side, kind = ((join.args.get(name) or "").upper() for name in ("method", "side", "kind"))
        if method or kind not in ("", "CROSS", "INNER", "OUTER") or side not in ("", "LEFT", "RIGHT", "FULL"):
            raise refused(join)
        before = list(scope.sources)
        said = self._source(join.this, scope)
        on, using = join.args.get("on"), join.args.get("using")
        if using:
            return f" {side} JOIN {said} ON {self._using(using, before, side, scope)}"
        if on:
            trino_grouping.check_scalar(on, "JOIN")
            return f" {side or 'INNER'} JOIN {said} ON {self._expressions.condition(on, scope)}"
        if side or kind == "INNER":
            raise AthenaSqlError("mismatched input: a join needs ON or USING")
        # MiniStack looks for tables after FROM and JOIN only, so that a comma would hide one.
        return f" CROSS JOIN {said}"

    def _using(self, names: list[exp.Identifier], before: list[Source], side: str, scope: Scope) -> str:
        right = [source for source in scope.sources if source not in before]
        conditions = []
        for identifier in names:
            name = identifier.name.lower()
            a = Scope(sources=before, merged=scope.merged).find([name])
            b = Scope(sources=right).find([name])
            conditions.append(trino_values.compare("=", a, b).sql)
            both = trino_values.together([a, b], "USING")
            if side == "RIGHT":
                both.reverse()
            merged = Value(f"coalesce({both[0].sql}, {both[1].sql})", both[0].type)
            scope.merged = [column for column in scope.merged if column.name != name]
            scope.merged.append(Column(name, merged))
            for source in scope.sources:
                source.columns = [column for column in source.columns if column.name != name]
        return " AND ".join(conditions)

    def _source(self, node: exp.Expr, scope: Scope) -> str:
        """Say what stands after FROM or JOIN, and add what it offers to the scope."""
        if isinstance(node, exp.Table):
            return self._table(node, scope)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, scope)
        if isinstance(node, exp.Lateral):
            only(node, "this", "alias")
            if not isinstance(node.this, exp.Subquery):
                raise refused(node)
            sql, columns = self.query(node.this, scope)
            return f"LATERAL ({sql}) AS {self._offer(node, columns, scope)}"
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            raise refused(node, "it takes joins in parentheses for something else")
        if isinstance(node, exp.Subquery):
            only(node, "this", "alias", "with_", "order", "limit", "offset")
            sql, columns = self.query(_without_alias(node), scope.parent or Scope())
        elif isinstance(node, exp.Values):
            sql, columns = self._values(node, scope)
        else:
            raise refused(node)
        return f"({sql}) AS {self._offer(node, columns, scope)}"

    def _offer(self, node: exp.Expr, columns: Columns, scope: Scope) -> str:
        alias = quoted(f"t{next(self._aliases)}")
        named = _renamed(columns, node.args.get("alias"))
        offered = [
            Column(name, Value(f"{alias}.{quoted(f'_{position}')}", kind))
            for position, (name, kind) in enumerate(named)
        ]
        scope.sources.append(Source(node.alias.lower(), offered))
        return alias

    def _table(self, node: exp.Table, scope: Scope) -> str:
        only(node, "this", "db", "catalog", "alias", "joins")
        name, database = node.name.lower(), node.db.lower()
        if not database and name in self._ctes:
            real, columns = self._ctes[name]
            alias = self._offer(node, columns, scope)
            scope.sources[-1].name = node.alias.lower() or name
            return f"{real} AS {alias}"
        database = database or self._database
        kinds = [(column, kind_of(column, hive)) for column, hive in self._schema[database][name].items()]
        null = (self._texts[database, name],) if (database, name) in self._texts else ()
        said = ", ".join(
            f"{self._read(quoted(column), kind, null)} AS {quoted(f'_{position}')}"
            for position, (column, kind) in enumerate(kinds)
        )
        alias = self._offer(node, kinds, scope)
        source = scope.sources[-1]
        if not node.alias:
            source.name, source.database = name, database
        return f"(SELECT {said} FROM {quoted(database)}.{quoted(name)}) AS {alias}"

    @staticmethod
    def _read(column: str, kind: Type, null: tuple[str | None, ...]) -> str:
        """Say a table's column as Athena reads it.

        An empty field of a CSV is empty text; MiniStack reads NULL. A field that is missing at the end of a
        line is NULL on AWS; here it is empty, too.
        https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html
        """
        if kind.is_a("varchar") and null:
            found = f"coalesce({column}, '')"
            found = f"nullif({found}, {text(null[0])})" if null[0] else found
            return cast(Value(found, trino_types.VARCHAR), kind).sql
        if kind.is_a("array", "map", "row"):
            return column
        read = f"CAST({column} AS {kind.duckdb})"
        return f"trino_rounded({read}, 1000)" if kind.is_a("timestamp") else read

    def _unnest(self, node: exp.Unnest, scope: Scope) -> str:
        only(node, "expressions", "alias", "offset")
        said, columns, lengths = [], [], []
        for item in node.expressions:
            trino_grouping.check_scalar(item, "UNNEST")
            found = self._expressions.value(item, scope)
            if found.type.is_a("map"):
                for part, kind in zip(("map_keys", "map_values"), found.type.arguments, strict=True):
                    said.append(f"unnest({part}({found.sql}))")
                    columns.append(("", kind))
                lengths.append(f"cardinality({found.sql})")
                continue
            if not found.type.is_a("array"):
                raise AthenaSqlError(f"TYPE_MISMATCH: Cannot unnest type: {found.type}")
            lengths.append(f"len({found.sql})")
            element = found.type.arguments[0]
            if not element.is_a("row"):
                said.append(f"unnest({found.sql})")
                columns.append(("", element))
                continue
            for field, name, kind in zip(
                element.duckdb_fields, element.fields, element.arguments, strict=True
            ):
                each = trino_values.new_name()
                said.append(
                    f"unnest(list_transform({found.sql}, lambda {each}:"
                    f" struct_extract({each}, {text(field)})))"
                )
                columns.append((name or "", kind))
        if offset := node.args.get("offset"):
            most = lengths[0] if len(lengths) == 1 else f"greatest({', '.join(lengths)})"
            said.append(f"unnest(range(CAST(1 AS BIGINT), CAST(coalesce({most}, 0) AS BIGINT) + 1))")
            columns.append((offset.name.lower() if isinstance(offset, exp.Identifier) else "", BIGINT))
        named = node.copy()
        alias = named.args.get("alias")
        if alias and alias.columns and isinstance(offset, exp.Identifier):
            # sqlglot has taken the last name for the ordinality's.
            alias.set("columns", [*alias.columns, offset.copy()])
        items = ", ".join(f"{sql} AS {quoted(f'_{position}')}" for position, sql in enumerate(said))
        return f"LATERAL (SELECT {items}) AS {self._offer(named, columns, scope)}"

    # --- Other queries ---

    def _values(self, node: exp.Values, scope: Scope) -> tuple[str, Columns]:
        rows = [
            [self._expressions.value(item, scope) for item in row.expressions]
            if isinstance(row, exp.Tuple)
            else [self._expressions.value(row, scope)]
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            raise AthenaSqlError("TYPE_MISMATCH: Values rows have mismatched sizes")
        fitted = [trino_values.together(list(column), "VALUES") for column in zip(*rows, strict=True)]
        said = ", ".join(f"({', '.join(value.sql for value in row)})" for row in zip(*fitted, strict=True))
        columns = [(f"_col{position}", column[0].type) for position, column in enumerate(fitted)]
        names = ", ".join(quoted(f"_{position}") for position in range(len(columns)))
        return f'SELECT * FROM (VALUES {said}) AS "v" ({names})', columns

    def _set_operation(self, query: exp.SetOperation, scope: Scope, named: bool) -> tuple[str, Columns]:
        only(query, "with_", "this", "expression", "distinct", "order", "limit", "offset")
        sides = [self.query(side, scope) for side in (query.this, query.expression)]
        (left, columns), (right, others) = sides
        if len(columns) != len(others):
            raise AthenaSqlError(
                "TYPE_MISMATCH: the queries of a set operation have different numbers of columns"
            )
        kinds = []
        for (name, one), (_, other) in zip(columns, others, strict=True):
            kind = trino_types.common(one, other)
            if kind is None:
                raise AthenaSqlError(f"TYPE_MISMATCH: column {name} has incompatible types: {one}, {other}")
            kinds.append(kind)
        word = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}[type(query)]
        if query.args.get("distinct") is False:
            word += " ALL"
        elif any(kind.is_a("array", "map", "row", "json") for kind in kinds):
            raise refused(query, "it compares arrays, maps and rows in another way")
        said = f"({_fitted(left, columns, kinds)}) {word} ({_fitted(right, others, kinds)})"
        met = [(name, kind) for (name, _), kind in zip(columns, kinds, strict=True)]
        return self._finished(query, said, met, named)

    def _ordered_subquery(self, query: exp.Subquery, scope: Scope, named: bool) -> tuple[str, Columns]:
        only(query, "with_", "this", "order", "limit", "offset")
        sql, columns = self.query(query.this, scope)
        return self._finished(query, f"({sql})", columns, named)

    def _finished(self, query: exp.Query, said: str, columns: Columns, named: bool) -> tuple[str, Columns]:
        """Say ORDER BY, OFFSET and LIMIT of what has no FROM clause of its own."""
        if not named and not any(query.args.get(name) for name in ("order", "limit", "offset")):
            return said, columns
        alias = quoted(f"t{next(self._aliases)}")
        items = [
            (name, Value(f"{alias}.{quoted(f'_{position}')}", kind))
            for position, (name, kind) in enumerate(columns)
        ]
        scope = Scope(outputs=dict(items))
        order = self._order(query.args["order"], items, scope, set()) if query.args.get("order") else ""
        shown = ", ".join(
            f"{value.sql} AS {quoted(name if named else f'_{position}')}"
            for position, (name, value) in enumerate(items)
        )
        return f"SELECT {shown} FROM ({said}) AS {alias} {order} {self._limit(query)}".strip(), columns


def kind_of(column: str, hive: str) -> Type:
    """Return the type of a table's column.

    Args:
        column: Its name, for the error.
        hive: Its type in the catalogue.

    Raises:
        NotOnLocalAwsError: The local AWS does not read such columns as Athena does.
    """
    found = exp.DataType.build(hive, dialect="hive")
    if found.this == exp.DType.CHAR:
        raise not_here(f"the column {column} of type {hive}", "it does not pad text", "make it a string")
    return trino_types.from_sqlglot(found, hive=True)


def _by_position(node: exp.Expr, items: list[Value], clause: str) -> Value | None:
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdigit():
        return None
    if not 1 <= int(node.this) <= len(items):
        raise AthenaSqlError(f"INVALID_COLUMN_REFERENCE: {clause} position {node.this} is not in select list")
    return items[int(node.this) - 1]


def _count(node: exp.Expr) -> int:
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdigit():
        raise AthenaSqlError(f"mismatched input {node.sql('trino')!r}: a number of rows is needed")
    return int(node.this)


def _renamed(columns: Columns, alias: exp.TableAlias | None) -> Columns:
    names = [column.name.lower() for column in alias.columns] if alias and alias.columns else []
    if names and len(names) != len(columns):
        raise AthenaSqlError(
            f"MISMATCHED_COLUMN_ALIASES: Column alias list has {len(names)} entries but the relation has "
            f"{len(columns)} columns available"
        )
    return [(name, kind) for name, (_, kind) in zip(names, columns, strict=True)] if names else columns


def _fitted(sql: str, columns: Columns, kinds: list[Type]) -> str:
    if [kind for _, kind in columns] == kinds:
        return sql
    names = [quoted(f"_{position}") for position in range(len(columns))]
    read = [
        cast(Value(name, kind), wanted).sql if kind != wanted else name
        for name, (_, kind), wanted in zip(names, columns, kinds, strict=True)
    ]
    said = ", ".join(f"{item} AS {name}" for item, name in zip(read, names, strict=True))
    return f'SELECT {said} FROM ({sql}) AS "s"'


def _without_alias(node: exp.Subquery) -> exp.Expr:
    bare = node.copy()
    bare.set("alias", None)
    return bare
