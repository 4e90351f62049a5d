"""Trino's expressions, as sqlglot has parsed them, in DuckDB's words. What is not listed here is refused.

https://trino.io/docs/current/sql.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from lib.local.in_server import trino_aggregates as aggregates
from lib.local.in_server import trino_functions as functions
from lib.local.in_server import trino_grouping, trino_macros, trino_types, trino_values
from lib.local.in_server.athena_sql import LITERAL, AthenaSqlError
from lib.local.in_server.not_here import NotOnLocalAwsError, not_here
from lib.local.in_server.trino_types import BIGINT, BOOLEAN, DATE, TEXT, UNKNOWN, VARBINARY, Type
from lib.local.in_server.trino_values import Value, cast, text

Compile = Callable[[exp.Expr, "Scope"], tuple[str, list[tuple[str, Type]]]]


@dataclass
class Column:
    """A column that can be named: its name, and what it is."""

    name: str
    value: Value


@dataclass
class Source:
    """What a FROM clause offers under one name."""

    name: str
    columns: list[Column]
    database: str = ""


@dataclass
class Scope:
    """What names stand for."""

    sources: list[Source] = field(default_factory=list)
    parent: "Scope | None" = None
    # Columns that USING has made one of two, which only go by their bare name.
    merged: list[Column] = field(default_factory=list)
    # Arguments of lambdas.
    arguments: dict[str, Value] = field(default_factory=dict)
    # What the SELECT calls its columns, for ORDER BY.
    outputs: dict[str, Value] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)

    def find(self, parts: list[str]) -> Value:
        """Return what a name stands for, such as `a`, `t.a` or `t.a.field`.

        Raises:
            AthenaSqlError: Nothing, or more than one thing.
        """
        scope: Scope | None = self
        while scope:
            if found := scope.own(parts):
                return found
            scope = scope.parent
        raise AthenaSqlError(f"COLUMN_NOT_FOUND: Column '{'.'.join(parts)}' cannot be resolved")

    def own(self, parts: list[str]) -> Value | None:
        """Return what a name stands for here, not around it."""
        if parts[0] in self.arguments:
            return _fields(self.arguments[parts[0]], parts[1:])
        for size in (3, 2):
            if len(parts) < size:
                continue
            for source in self.sources:
                named = [source.database, source.name] if size == 3 else [source.name]
                if named == parts[: size - 1]:
                    found = [column.value for column in source.columns if column.name == parts[size - 1]]
                    if found:
                        return _fields(_only(found, parts), parts[size:])
        found = [column.value for column in self.merged if column.name == parts[0]]
        if not found:
            found = [column.value for s in self.sources for column in s.columns if column.name == parts[0]]
        return _fields(_only(found, parts), parts[1:]) if found else None


def _only(found: list[Value], parts: list[str]) -> Value:
    if len(found) > 1:
        raise AthenaSqlError(f"AMBIGUOUS_NAME: Column '{'.'.join(parts)}' is ambiguous")
    return found[0]


def _fields(value: Value, names: list[str]) -> Value:
    for name in names:
        value = functions.dereference(value, name)
    return value


def refused(node: exp.Expr, why: str = "it does not know this, or in another way") -> NotOnLocalAwsError:
    """Return the error for what is not translated."""
    shown = node.sql("trino")
    return not_here(shown if len(shown) < 100 else f"{shown[:100]}…", why, "write it in another way")


def only(node: exp.Expr, *names: str) -> None:
    """Refuse a part of an expression that is none of these.

    Raises:
        NotOnLocalAwsError: It has another.
    """
    for name, part in node.args.items():
        if name not in names and part not in (None, False, []):
            raise refused(node)


class Expressions:
    """Translates expressions; queries in them are translated by whom it is given."""

    def __init__(self, compile_query: Compile):
        """Make it.

        Args:
            compile_query: Returns a query's SQL and its columns.
        """
        self._compile = compile_query

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        """Return what an expression is.

        Args:
            node: The expression.
            scope: What its names stand for.

        Raises:
            AthenaSqlError: Athena would refuse it, too.
            NotOnLocalAwsError: DuckDB would do something else.
        """
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            if type(node) in _ARITHMETIC:
                only(node, "this", "expression", "typed", "safe")
                return trino_values.calculate(_ARITHMETIC[type(node)], *self._sides(node, scope))
            if isinstance(node, exp.Binary) and type(node) in _COMPARISONS:
                return self._comparison(node, scope)
            raise refused(node)
        return method(node, scope)

    def condition(self, node: exp.Expr, scope: Scope) -> str:
        """Return a condition's SQL."""
        return trino_values.coerce(self.value(node, scope), BOOLEAN, "condition").sql

    def _sides(self, node: exp.Expr, scope: Scope) -> list[Value]:
        return [self.value(node.this, scope), self.value(node.expression, scope)]

    # --- Names and literals ---

    def _column(self, node: exp.Column, scope: Scope) -> Value:
        if isinstance(node.this, exp.Star):
            raise refused(node)
        parts = [part.name.lower() for part in node.parts]
        if parts[-1].startswith("$"):
            raise not_here(f'"{parts[-1]}"', "it does not know where a row came from", "run it on AWS")
        return scope.find(parts)

    def _identifier(self, node: exp.Identifier, scope: Scope) -> Value:
        return scope.find([node.name.lower()])

    def _dot(self, node: exp.Dot, scope: Scope) -> Value:
        if not isinstance(node.expression, exp.Identifier):
            raise refused(node)
        return functions.dereference(self.value(node.this, scope), node.expression.name)

    def _paren(self, node: exp.Paren, scope: Scope) -> Value:
        return self.value(node.this, scope)

    def _literal(self, node: exp.Literal, _: Scope) -> Value:
        if node.is_string:
            return Value(text(node.this), Type("varchar", (len(node.this),)), constant=node.this)
        return trino_values.number(node.this)

    def _boolean(self, node: exp.Boolean, _: Scope) -> Value:
        return Value("TRUE" if node.this else "FALSE", BOOLEAN)

    def _null(self, _: exp.Null, __: Scope) -> Value:
        return Value("NULL", UNKNOWN)

    def _hexstring(self, node: exp.HexString, _: Scope) -> Value:
        digits = re.sub(r"\s", "", node.this)
        if len(digits) % 2 or not re.fullmatch(r"[0-9A-Fa-f]*", digits):
            raise AthenaSqlError(f"Binary literal must contain an even number of hex digits: {node.this}")
        return Value(f"unhex('{digits}')", VARBINARY)

    def _interval(self, node: exp.Interval, _: Scope) -> Value:
        amount, unit = node.this, node.args.get("unit")
        name = unit.name.upper() if isinstance(unit, exp.Var) else ""
        months = {"YEAR": 12, "MONTH": 1}
        if not isinstance(amount, exp.Literal) or not (name in months or name in trino_values.MILLISECONDS):
            raise refused(node)
        number = re.fullmatch(r"([+-]?)([0-9]+)(?:\.([0-9]{1,3}))?", amount.this)
        if not number or (number[3] and name != "SECOND"):
            raise AthenaSqlError(f"Invalid INTERVAL {name} value: {amount.this}")
        whole = int(number[2]) * (months.get(name) or trino_values.MILLISECONDS[name])
        whole += int((number[3] or "").ljust(3, "0"))
        signed = -whole if number[1] == "-" else whole
        return Value(f"CAST({signed} AS BIGINT)", trino_types.MONTHS if name in months else trino_types.DAYS)

    def _currentdate(self, node: exp.CurrentDate, _: Scope) -> Value:
        only(node)
        return Value("CAST(timezone('UTC', now()) AS DATE)", DATE)

    def _currenttimestamp(self, node: exp.CurrentTimestamp, _: Scope) -> Value:
        only(node)
        return functions.call("now", [])

    def _localtimestamp(self, node: exp.Localtimestamp, _: Scope) -> Value:
        only(node)
        return Value(functions.call("now", []).sql, trino_types.timestamp())

    def _cast(self, node: exp.Cast, scope: Scope) -> Value:
        only(node, "this", "to", "safe")
        if node.meta.get(LITERAL):
            return self._typed_literal(node)
        return cast(self.value(node.this, scope), trino_types.from_sqlglot(node.to))

    def _trycast(self, node: exp.TryCast, scope: Scope) -> Value:
        only(node, "this", "to", "safe")
        return cast(self.value(node.this, scope), trino_types.from_sqlglot(node.to), safe=True)

    def _typed_literal(self, node: exp.Cast) -> Value:
        if not isinstance(node.this, exp.Literal) or not node.this.is_string:
            raise refused(node)
        written, kind = node.this.this, node.to.this.name
        if node.to.expressions:
            raise refused(node)
        match kind:
            case "DECIMAL":
                return trino_values.exact(written)
            case "TIMESTAMP" | "TIMESTAMPTZ":
                return trino_values.point_in_time(written)
            case "JSON":
                return functions.call("json_parse", [self._literal(node.this, Scope())])
            case "DATE" if not re.fullmatch(r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s*", written):
                raise AthenaSqlError(f"INVALID_LITERAL: {written!r} is not a valid date literal")
        return cast(self._literal(node.this, Scope()), trino_types.from_sqlglot(node.to))

    # --- Operators ---

    def _comparison(self, node: exp.Binary, scope: Scope) -> Value:
        operator = _COMPARISONS[type(node)]
        right = node.expression
        if isinstance(right, exp.Any | exp.All):
            return self._quantified(node, operator, scope)
        return trino_values.compare(operator, *self._sides(node, scope))

    def _quantified(self, node: exp.Binary, operator: str, scope: Scope) -> Value:
        query = node.expression.this.unnest()
        if not isinstance(query, exp.Query | exp.Values):
            raise refused(node)
        left = self.value(node.this, scope)
        sql, kind = self._single_column(query, scope)
        if trino_types.common(left.type, kind) is None:
            raise trino_values.mismatch(f"Cannot apply operator: {left.type} {operator} {kind}")
        if left.type != kind or kind.is_a("double", "real", "array", "map", "row", "json"):
            raise refused(node, "it compares only values of one type so")
        word = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
        return Value(f"({left.sql} {operator} {word} ({sql}))", BOOLEAN)

    def _neg(self, node: exp.Neg, scope: Scope) -> Value:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return trino_values.number(node.this.this, "-")
        value = self.value(node.this, scope)
        if not trino_types.is_number(value.type) and not value.type.name.startswith("interval"):
            raise trino_values.mismatch(f"Cannot negate {value.type}")
        return Value(f"(-{value.sql})", value.type)

    def _and(self, node: exp.And, scope: Scope) -> Value:
        return Value(
            f"({' AND '.join(self.condition(part, scope) for part in node.flatten(unnest=False))})", BOOLEAN
        )

    def _or(self, node: exp.Or, scope: Scope) -> Value:
        return Value(
            f"({' OR '.join(self.condition(part, scope) for part in node.flatten(unnest=False))})", BOOLEAN
        )

    def _not(self, node: exp.Not, scope: Scope) -> Value:
        return Value(f"(NOT {self.condition(node.this, scope)})", BOOLEAN)

    def _is(self, node: exp.Is, scope: Scope) -> Value:
        if not isinstance(node.expression, exp.Null):
            raise refused(node)
        return Value(f"({self.value(node.this, scope).sql} IS NULL)", BOOLEAN)

    def _nullsafeeq(self, node: exp.NullSafeEQ, scope: Scope) -> Value:
        sides = trino_values.together(self._sides(node, scope), "IS NOT DISTINCT FROM")
        trino_values.check_comparable(sides[0].type, "IS DISTINCT FROM")
        return Value("({} IS NOT DISTINCT FROM ({}))".format(*(side.sql for side in sides)), BOOLEAN)

    def _nullsafeneq(self, node: exp.NullSafeNEQ, scope: Scope) -> Value:
        same = self._nullsafeeq(exp.NullSafeEQ(this=node.this, expression=node.expression), scope)
        return Value(f"(NOT {same.sql})", BOOLEAN)

    def _between(self, node: exp.Between, scope: Scope) -> Value:
        only(node, "this", "low", "high")
        value, low, high = (self.value(node.args[name], scope) for name in ("this", "low", "high"))
        pair = (trino_values.compare(">=", value, low), trino_values.compare("<=", value, high))
        return Value(f"({pair[0].sql} AND {pair[1].sql})", BOOLEAN)

    def _in(self, node: exp.In, scope: Scope) -> Value:
        only(node, "this", "expressions", "query")
        value = self.value(node.this, scope)
        if query := node.args.get("query"):
            return self._in_query(node, value, query, scope)
        items = [self.value(item, scope) for item in node.expressions]
        value, *items = trino_values.together([value, *items], "IN")
        trino_values.check_comparable(value.type, "IN")
        if value.type.is_a("double", "real"):
            either = " OR ".join(trino_values.compare("=", value, item).sql for item in items)
            return Value(f"({either})", BOOLEAN)
        return Value(f"({value.sql} IN ({', '.join(item.sql for item in items)}))", BOOLEAN)

    def _in_query(self, node: exp.In, value: Value, query: exp.Expr, scope: Scope) -> Value:
        sql, kind = self._single_column(query.unnest(), scope)
        met = trino_types.common(value.type, kind)
        if met is None:
            raise trino_values.mismatch(f"{value.type} IN (SELECT {kind})")
        trino_values.check_comparable(met, "IN")
        if kind != met:
            column = cast(Value('"_0"', kind), met).sql
            sql = f'SELECT {column} FROM ({sql}) AS "q"'
        found = f"({cast(value, met).sql if value.type != met else value.sql} IN ({sql}))"
        if met.is_a("double", "real"):
            raise refused(node, "it takes NaN for equal to NaN")
        return Value(found, BOOLEAN)

    def _like(self, node: exp.Like, scope: Scope, escape: str | None = None) -> Value:
        only(node, "this", "expression")
        if isinstance(node.expression, exp.Any | exp.All):
            raise refused(node)
        value, pattern = (trino_values.coerce(side, TEXT, "LIKE") for side in self._sides(node, scope))
        if escape is None:
            return Value(f"({value.sql} LIKE {pattern.sql})", BOOLEAN)
        if not isinstance(pattern.constant, str):
            raise refused(node, "it must know a pattern that is escaped")
        if len(escape) != 1 or re.search(
            f"{re.escape(escape)}(?![%_{re.escape(escape)}])",
            re.sub(f"{re.escape(escape)}{re.escape(escape)}", "", pattern.constant),
        ):
            raise AthenaSqlError(
                "INVALID_FUNCTION_ARGUMENT: Escape character must be followed by '%', '_' or the escape "
                "character itself"
            )
        return Value(f"({value.sql} LIKE {pattern.sql} ESCAPE {text(escape)})", BOOLEAN)

    def _escape(self, node: exp.Escape, scope: Scope) -> Value:
        if not isinstance(node.this, exp.Like) or not isinstance(node.expression, exp.Literal):
            raise refused(node)
        return self._like(node.this, scope, node.expression.this)

    def _dpipe(self, node: exp.DPipe, scope: Scope) -> Value:
        left, right = self._sides(node, scope)
        if UNKNOWN in (left.type, right.type):
            other = right if left.type == UNKNOWN else left
            kind = other.type if other.type.is_a("array") or other.type == VARBINARY else TEXT
            left, right = (cast(side, kind) if side.type == UNKNOWN else side for side in (left, right))
        return functions.concatenate(left, right)

    def _attimezone(self, node: exp.AtTimeZone, scope: Scope) -> Value:
        zone = node.args["zone"]
        if not isinstance(zone, exp.Literal):
            raise refused(node, "it must know the zone")
        return functions.call("at_timezone", [self.value(node.this, scope), self._literal(zone, scope)])

    def _case(self, node: exp.Case, scope: Scope) -> Value:
        subject = self.value(node.this, scope) if node.this else None
        conditions = [
            trino_values.compare("=", subject, self.value(branch.this, scope)).sql
            if subject
            else self.condition(branch.this, scope)
            for branch in node.args["ifs"]
        ]
        results = [self.value(branch.args["true"], scope) for branch in node.args["ifs"]]
        default = node.args.get("default")
        results.append(self.value(default, scope) if default else Value("NULL", UNKNOWN))
        *results, otherwise = trino_values.together(results, "CASE")
        branches = " ".join(
            f"WHEN {condition} THEN {result.sql}"
            for condition, result in zip(conditions, results, strict=True)
        )
        return Value(f"(CASE {branches} ELSE {otherwise.sql} END)", otherwise.type)

    def _if(self, node: exp.If, scope: Scope) -> Value:
        return self._case(exp.Case(ifs=[node.copy()], default=node.args.get("false")), scope)

    def _array(self, node: exp.Array, scope: Scope) -> Value:
        items = [self.value(item, scope) for item in node.expressions]
        if not items:
            return Value("CAST([] AS INTEGER[])", trino_types.array(UNKNOWN))
        items = trino_values.together(items, "ARRAY")
        return Value(f"[{', '.join(item.sql for item in items)}]", trino_types.array(items[0].type))

    def _bracket(self, node: exp.Bracket, scope: Scope) -> Value:
        only(node, "this", "expressions")
        if len(node.expressions) != 1:
            raise refused(node)
        return functions.subscript(self.value(node.this, scope), self.value(node.expressions[0], scope))

    def _tuple(self, node: exp.Tuple, scope: Scope) -> Value:
        return functions.call("row", [self.value(item, scope) for item in node.expressions])

    # --- Functions with a syntax of their own ---

    def _extract(self, node: exp.Extract, scope: Scope) -> Value:
        return functions.date_part(node.this.name.lower(), self.value(node.expression, scope))

    def _substring(self, node: exp.Substring, scope: Scope) -> Value:
        only(node, "this", "start", "length")
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return functions.call("substr", [self.value(part, scope) for part in parts if part])

    def _strposition(self, node: exp.StrPosition, scope: Scope) -> Value:
        only(node, "this", "substr")
        return functions.call(
            "strpos", [self.value(node.this, scope), self.value(node.args["substr"], scope)]
        )

    def _trim(self, node: exp.Trim, scope: Scope) -> Value:
        only(node, "this", "expression", "position")
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position") or "", "trim")
        value = self.value(node.this, scope)
        if not node.expression:
            return functions.call(name, [value])
        subject, characters = (
            trino_values.coerce(side, TEXT, "trim") for side in (value, self.value(node.expression, scope))
        )
        return Value(f"{name}({subject.sql}, {characters.sql})", TEXT)

    def _exists(self, node: exp.Exists, scope: Scope) -> Value:
        return Value(f"EXISTS ({self._compile(node.this, scope)[0]})", BOOLEAN)

    def _subquery(self, node: exp.Subquery, scope: Scope) -> Value:
        sql, kind = (
            self._single_column(node.unnest(), scope) if _is_bare(node) else self._single_column(node, scope)
        )
        return Value(f"({sql})", kind)

    def _select(self, node: exp.Select, scope: Scope) -> Value:
        sql, kind = self._single_column(node, scope)
        return Value(f"({sql})", kind)

    def _single_column(self, query: exp.Expr, scope: Scope) -> tuple[str, Type]:
        sql, columns = self._compile(query, scope)
        if len(columns) != 1:
            raise AthenaSqlError(f"Multiple columns returned by subquery: {len(columns)}")
        return sql, columns[0][1]

    # --- Functions by name ---

    def _anonymous(self, node: exp.Anonymous, scope: Scope) -> Value:
        name = node.name.lower()
        if name in aggregates.AGGREGATES:
            return self._aggregate(node, scope)
        if name in aggregates.WINDOWS:
            raise AthenaSqlError(f"Window function {name} requires an OVER clause")
        if name in _WITH_LAMBDAS:
            return _WITH_LAMBDAS[name](self, node, scope)
        if name == "try" and len(node.expressions) == 1:
            return self._try(node.expressions[0], scope)
        if any(isinstance(argument, exp.Lambda) for argument in node.expressions):
            raise functions.no_function(name)
        if name not in _HERE and not functions.is_known(name):
            raise functions.no_function(name)  # before its arguments: words such as NFD are no columns
        arguments = [self.value(argument, scope) for argument in node.expressions]
        match name, arguments:
            case "coalesce", [_, _, *_]:
                arguments = trino_values.together(arguments, name)
                kind = arguments[0].type
                return Value(f"coalesce({', '.join(value.sql for value in arguments)})", kind)
            case "nullif", [first, second]:
                same = trino_values.compare("=", first, second).sql
                return Value(f"(CASE WHEN {same} THEN NULL ELSE {first.sql} END)", first.type)
            case "current_timestamp" | "localtimestamp", [Value(constant=int(digits))]:
                if not 0 <= digits <= trino_types.FINEST_TIMESTAMP:
                    raise refused(node)
                exact = cast(
                    Value("timezone('UTC', now())", trino_types.timestamp(6)), trino_types.timestamp(digits)
                )
                zoned = name == "current_timestamp"
                return Value(exact.sql, trino_types.zoned(digits) if zoned else exact.type)
        return functions.call(name, arguments)

    def _try(self, node: exp.Expr, scope: Scope) -> Value:
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and not node.meta.get(LITERAL):
            return cast(self.value(node.this, scope), trino_types.from_sqlglot(node.to), safe=True)
        if node.find(exp.Query, exp.Window) or any(
            called.name.lower() in aggregates.AGGREGATES for called in node.find_all(exp.Anonymous)
        ):
            raise refused(node, "it tries neither aggregates nor queries")
        if isinstance(node, exp.Anonymous) and node.name.lower() in ("date_parse", "parse_datetime"):
            arguments = [self.value(argument, scope) for argument in node.expressions]
            return functions.parse_date(node.name.lower(), arguments, safe=True)
        value = self.value(node, scope)
        unsure = [
            name for name in trino_macros.used(value.sql) if "'LOCAL: " in trino_macros.all_macros()[name]
        ]
        if unsure:
            raise refused(node, "it could not tell its own failures from Athena's in a try()")
        return Value(f"TRY({value.sql})", value.type)

    def _arguments_and_result(
        self, node: exp.Expr, kinds: list[Type], scope: Scope
    ) -> tuple[list[str], Value]:
        """Return the names of a lambda's arguments, and what it gives."""
        if not isinstance(node, exp.Lambda) or len(node.expressions) != len(kinds):
            raise trino_values.mismatch(f"a lambda with {len(kinds)} arguments is needed")
        names = [trino_values.new_name() for _ in kinds]
        known = {
            argument.name.lower(): Value(name, kind)
            for argument, name, kind in zip(node.expressions, names, kinds, strict=True)
        }
        return names, self.value(node.this, Scope(parent=scope, arguments=known))

    def _with_array(self, node: exp.Anonymous, scope: Scope, count: int) -> Value:
        array = self.value(node.expressions[0], scope) if node.expressions else Value("NULL", UNKNOWN)
        if len(node.expressions) != count or not array.type.is_a("array"):
            raise functions.unfit(node.name.lower(), [array])
        return array

    def _transform(self, node: exp.Anonymous, scope: Scope) -> Value:
        array = self._with_array(node, scope, 2)
        (name,), result = self._arguments_and_result(node.expressions[1], [array.type.arguments[0]], scope)
        return Value(
            f"list_transform({array.sql}, lambda {name}: {result.sql})", trino_types.array(result.type)
        )

    def _filter_array(self, node: exp.Anonymous, scope: Scope) -> Value:
        array = self._with_array(node, scope, 2)
        (name,), result = self._arguments_and_result(node.expressions[1], [array.type.arguments[0]], scope)
        kept = trino_values.coerce(result, BOOLEAN, "filter").sql
        return Value(f"list_filter({array.sql}, lambda {name}: {kept})", array.type)

    def _match(self, node: exp.Anonymous, scope: Scope) -> Value:
        array = self._with_array(node, scope, 2)
        (name,), result = self._arguments_and_result(node.expressions[1], [array.type.arguments[0]], scope)
        matched = (
            f"list_transform({array.sql}, lambda {name}: {trino_values.coerce(result, BOOLEAN, 'match').sql})"
        )
        word = node.name.lower().removesuffix("_match")
        matched = f"trino_{'all' if word == 'all' else 'any'}_match({matched})"
        return Value(f"(NOT {matched})" if word == "none" else matched, BOOLEAN)

    def _reduce(self, node: exp.Anonymous, scope: Scope) -> Value:
        array = self._with_array(node, scope, 4)
        initial = self.value(node.expressions[1], scope)
        element = array.type.arguments[0]
        if trino_types.common(element, initial.type) != initial.type:
            raise refused(node, "its states are of the elements' type")
        names, step = self._arguments_and_result(node.expressions[2], [initial.type, element], scope)
        step = trino_values.coerce(step, initial.type, "reduce")
        items = cast(array, trino_types.array(initial.type))
        reduced = f"list_reduce({items.sql}, lambda {names[0]}, {names[1]}: {step.sql}, {initial.sql})"
        if (
            isinstance(node.expressions[3], exp.Lambda)
            and node.expressions[3].this == node.expressions[3].expressions[0]
        ):
            return Value(reduced, initial.type)
        (name,), result = self._arguments_and_result(node.expressions[3], [initial.type], scope)
        return Value(f"list_transform([{reduced}], lambda {name}: {result.sql})[1]", result.type)

    # --- Aggregates and windows ---

    def _aggregate(self, node: exp.Expr, scope: Scope, over: str = "", condition: str = "") -> Value:
        """Return what an aggregate or a window function gives, with what surrounds it."""
        nulls = ""
        if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
            nulls = " IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""
            node = node.this
        if isinstance(node, exp.GroupConcat):
            return self._listagg(node, scope, over, condition)
        if not over:
            trino_grouping.check_nested(node)
        if not isinstance(node, exp.Anonymous):
            raise refused(node)
        name, given, order, distinct = node.name.lower(), list(node.expressions), "", False
        if given and isinstance(given[-1], exp.Order):
            order = " " + self.order(given[-1], scope)
            given[-1] = given[-1].this
        if given and isinstance(given[0], exp.Distinct):
            only(given[0], "expressions")
            distinct, given = True, given[0].expressions
            if given and isinstance(given[-1], exp.Order):
                order, given = " " + self.order(given[-1], scope), [*given[:-1], given[-1].this]
        star = [isinstance(item, exp.Star) for item in given] == [True] and name == "count"
        arguments = [] if star else [self.value(item, scope) for item in given]

        def say(function: str, *sqls: str, distinct: bool = distinct) -> str:
            inner = f"{'DISTINCT ' if distinct else ''}{', '.join(sqls)}{order}{nulls}"
            where = f" FILTER (WHERE {condition})" if condition else ""
            return f"{function}({inner}){where}{over}"

        if name in aggregates.AGGREGATES:
            if nulls:
                raise refused(node)
            found = aggregates.aggregate(name, arguments, say)
        elif over and not condition and not order and not distinct:
            found = aggregates.window(name, arguments, say)
        else:
            raise functions.no_function(name)
        return Value(f"({found.sql})", found.type)

    def _listagg(self, node: exp.GroupConcat, scope: Scope, over: str, condition: str) -> Value:
        only(node, "this", "separator")
        trino_grouping.check_nested(node)
        if over or not isinstance(node.this, exp.Order):
            raise refused(node)
        order, value, distinct = self.order(node.this, scope), node.this.this, ""
        if isinstance(value, exp.Distinct):
            distinct, value = "DISTINCT ", value.expressions[0]
        separator = node.args.get("separator") or exp.Literal.string("")
        where = f" FILTER (WHERE {condition})" if condition else ""

        def say(function: str, *sqls: str) -> str:
            return f"{function}({distinct}{', '.join(sqls)} {order}){where}"

        return aggregates.aggregate("listagg", [self.value(value, scope), self.value(separator, scope)], say)

    def _groupconcat(self, node: exp.GroupConcat, scope: Scope) -> Value:
        return self._listagg(node, scope, "", "")

    def _filter(self, node: exp.Filter, scope: Scope) -> Value:
        return self._aggregate(node.this, scope, condition=self.condition(node.expression.this, scope))

    def _window(self, node: exp.Window, scope: Scope) -> Value:
        only(node, "this", "partition_by", "order", "spec", "over", "alias")
        trino_grouping.check_nested(node)
        function, condition = node.this, ""
        if isinstance(function, exp.Filter):
            condition = self.condition(function.expression.this, scope)
            function = function.this
        named = node.args.get("alias")
        if named:
            if named.name.lower() not in scope.windows:
                raise AthenaSqlError(f"Cannot resolve WINDOW name {named.name}")
            base = scope.windows[named.name.lower()]
            if any(node.args.get(part) for part in ("partition_by", "order", "spec")) or base.args.get(
                "alias"
            ):
                raise refused(node)
            node = base
        partition = [self.value(item, scope).sql for item in node.args.get("partition_by") or []]
        parts = [f"PARTITION BY {', '.join(partition)}" if partition else ""]
        if order := node.args.get("order"):
            parts.append(self.order(order, scope))
        if spec := node.args.get("spec"):
            parts.append(self._frame(spec, scope))
        over = f" OVER ({' '.join(part for part in parts if part)})"
        return self._aggregate(function, scope, over, condition)

    def _frame(self, spec: exp.WindowSpec, scope: Scope) -> str:
        only(spec, "kind", "start", "start_side", "end", "end_side")
        kind = spec.args["kind"].upper()

        def edge(name: str) -> str:
            found, side = spec.args.get(name), (spec.args.get(f"{name}_side") or "").upper()
            if found is None:
                return "CURRENT ROW"
            if isinstance(found, str):
                return f"{found.upper()} {side}".strip()
            if kind == "RANGE":
                raise refused(spec, "it must know what is added to what")
            return f"{trino_values.coerce(self.value(found, scope), BIGINT, kind).sql} {side}"

        return f"{kind} BETWEEN {edge('start')} AND {edge('end')}"

    def order(self, node: exp.Order, scope: Scope) -> str:
        """Return an ORDER BY clause of an aggregate or a window."""
        return "ORDER BY " + ", ".join(
            f"{self.sortable(item.this, scope)}{direction(item)}" for item in node.expressions
        )

    def sortable(self, node: exp.Expr, scope: Scope) -> str:
        """Return what to sort by."""
        value = self.value(node, scope)
        trino_values.check_comparable(value.type, "ORDER BY")
        return value.sql


def direction(item: exp.Ordered) -> str:
    """Return how to sort: NULL comes last in Trino, unless it is told otherwise."""
    only(item, "this", "desc", "nulls_first")
    descending = " DESC" if item.args.get("desc") else " ASC"
    return f"{descending} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"


def _is_bare(node: exp.Subquery) -> bool:
    return not any(part for name, part in node.args.items() if name != "this")


_ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
# What `_anonymous` says itself; and what is no function, though sqlglot takes it for one before VALUES.
_HERE = ("coalesce", "nullif", "current_timestamp", "localtimestamp", "all", "any", "some")
_WITH_LAMBDAS = {
    "transform": Expressions._transform,
    "filter": Expressions._filter_array,
    "any_match": Expressions._match,
    "all_match": Expressions._match,
    "none_match": Expressions._match,
    "reduce": Expressions._reduce,
}
