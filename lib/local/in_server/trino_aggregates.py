"""Trino's aggregates and window functions in DuckDB's words; one that is not here is refused.

https://trino.io/docs/current/functions/aggregate.html · https://trino.io/docs/current/functions/window.html
"""

from collections.abc import Callable

from lib.local.in_server import trino_types as types
from lib.local.in_server import trino_values as values
from lib.local.in_server.trino_functions import no_function, unfit, wrong_count
from lib.local.in_server.trino_types import BIGINT, BOOLEAN, DOUBLE, TEXT
from lib.local.in_server.trino_values import Value

# Says a call of DuckDB's aggregate with all that surrounds it: DISTINCT, ORDER BY, FILTER, OVER.
Call = Callable[..., str]

_OF_DOUBLES = {
    "stddev": ("stddev_samp", 1),
    "stddev_samp": ("stddev_samp", 1),
    "stddev_pop": ("stddev_pop", 1),
    "variance": ("var_samp", 1),
    "var_samp": ("var_samp", 1),
    "var_pop": ("var_pop", 1),
    "corr": ("corr", 2),
    "covar_pop": ("covar_pop", 2),
    "covar_samp": ("covar_samp", 2),
    "regr_slope": ("regr_slope", 2),
    "regr_intercept": ("regr_intercept", 2),
}
_OF_BOOLEANS = {"bool_and": "bool_and", "every": "bool_and", "bool_or": "bool_or"}
AGGREGATES = frozenset(
    (
        *_OF_DOUBLES,
        *_OF_BOOLEANS,
        "count",
        "count_if",
        "sum",
        "avg",
        "min",
        "max",
        "min_by",
        "max_by",
        "arbitrary",
        "any_value",
        "array_agg",
        "set_agg",
        "approx_distinct",
        "approx_most_frequent",
        "approx_percentile",
        "geometric_mean",
        "histogram",
        "map_agg",
        "listagg",
        "grouping",
    )
)
WINDOWS = frozenset(
    (
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
    )
)


def aggregate(name: str, arguments: list[Value], say: Call) -> Value:
    """Return what an aggregate gives.

    Args:
        name: In lower case.
        arguments: What it is given; none for count(*).
        say: Says a call of DuckDB's: `say("sum", "x")`.

    Raises:
        AthenaSqlError: It does not take these.
        NotOnLocalAwsError: DuckDB's result would differ.
    """
    if name in _OF_DOUBLES:
        function, count = _OF_DOUBLES[name]
        said = say(function, *_as(DOUBLE, name, arguments, count))
        # What has no such number is NULL in Trino, not NaN.
        return Value(f"CASE WHEN isfinite({said}) THEN {said} END" if count == 2 else said, DOUBLE)
    if name in _OF_BOOLEANS:
        return Value(say(_OF_BOOLEANS[name], *_as(BOOLEAN, name, arguments, 1)), BOOLEAN)
    match name, arguments:
        case "count", []:
            return Value(say("count", "*"), BIGINT)
        case "count", [value]:
            return Value(say("count", value.sql), BIGINT)
        case "count_if", [_]:
            (condition,) = _as(BOOLEAN, name, arguments, 1)
            return Value(say("count", f"CASE WHEN {condition} THEN 1 END"), BIGINT)
        case "approx_distinct", [value]:
            # Athena's is an estimate, within 2.3 % of this.
            return Value(f"{say('count', value.sql, distinct=True)}", BIGINT)
        case "approx_most_frequent", [buckets, value, capacity]:
            if not value.type.is_a("varchar", *(kind.name for kind in types.INTEGERS)):
                raise unfit(name, arguments)
            # Athena's counts may be a little too large; these are right.
            many = values.coerce(buckets, BIGINT, name).sql
            values.coerce(capacity, BIGINT, name)
            kind = types.mapping(value.type, BIGINT)
            found = f"trino_most_frequent({say('histogram', value.sql)}, {many})"
            return Value(f"CAST({found} AS {kind.duckdb})", kind)
        case "approx_percentile", [value, share]:
            return _percentile(value, share, say)
        case "sum", [value]:
            return _sum(value, say)
        case "avg", [value]:
            return _average(value, say)
        case "min" | "max", [value]:
            values.check_comparable(value.type, f"{name}()")
            return Value(say(name, _no_nan(value)), value.type)
        case "min_by" | "max_by", [value, order]:
            values.check_comparable(order.type, f"{name}()")
            function = "arg_min_null" if name == "min_by" else "arg_max_null"
            return Value(say(function, value.sql, _no_nan(order)), value.type)
        case "arbitrary" | "any_value", [value]:
            return Value(say("any_value", value.sql), value.type)
        case "array_agg", [value]:
            return Value(say("list", value.sql), types.array(value.type))
        case "set_agg", [value]:
            return Value(say("list", value.sql, distinct=True), types.array(value.type))
        case "geometric_mean", [_]:
            (number,) = _as(DOUBLE, name, arguments, 1)
            return Value(f"exp({say('avg', f'ln({number})')})", DOUBLE)
        case "histogram", [value]:
            kind = types.mapping(value.type, BIGINT)
            return Value(f"CAST({say('histogram', _no_nan(value))} AS {kind.duckdb})", kind)
        case "map_agg", [key, value]:
            keys, items = say("list", key.sql), say("list", value.sql)
            return Value(f"trino_map({keys}, {items})", types.mapping(key.type, value.type))
        case "listagg", [_, _]:
            return Value(say("string_agg", *_as(TEXT, name, arguments, 2)), TEXT)
        case "grouping", [_, *_]:
            return Value(f"CAST(grouping({', '.join(value.sql for value in arguments)}) AS BIGINT)", BIGINT)
    raise wrong_count(name, len(arguments))


def _as(kind: types.Type, name: str, arguments: list[Value], count: int) -> list[str]:
    if len(arguments) != count:
        raise wrong_count(name, len(arguments))
    return [values.coerce(argument, kind, name).sql for argument in arguments]


def _no_nan(value: Value) -> str:
    return f"trino_number({value.sql})" if value.type.is_a("double", "real") else value.sql


def _sum(value: Value, say: Call) -> Value:
    kind = value.type
    if kind in types.INTEGERS or kind.is_a("interval day to second", "interval year to month"):
        result = BIGINT if kind in types.INTEGERS else kind
        return Value(f"CAST({say('sum', value.sql)} AS BIGINT)", result)
    if kind.is_a("decimal"):
        return Value(say("sum", value.sql), types.decimal(types.MAX_PRECISION, kind.arguments[1]))
    if kind.is_a("double", "real"):
        return Value(f"CAST({say('sum', value.sql)} AS {kind.duckdb})", kind)
    raise unfit("sum", [value])


def _percentile(value: Value, share: Value, say: Call) -> Value:
    """Return a percentile, or an array of them: both engines estimate, from the same kind of digest."""
    kind = BIGINT if value.type in types.INTEGERS else value.type if value.type.is_a("real") else DOUBLE
    shares = types.array(DOUBLE) if share.type.is_a("array") else DOUBLE
    result = types.array(kind) if share.type.is_a("array") else kind
    of, at = (
        values.coerce(each, wanted, "approx_percentile") for each, wanted in ((value, kind), (share, shares))
    )
    places = f"CAST({at.sql} AS FLOAT{'[]' if share.type.is_a('array') else ''})"
    return Value(f"CAST({say('approx_quantile', _no_nan(of), places)} AS {result.duckdb})", result)


def _average(value: Value, say: Call) -> Value:
    kind = value.type
    if kind in types.INTEGERS or kind.is_a("double", "real"):
        result = kind if kind.is_a("real") else DOUBLE
        return Value(f"CAST({say('avg', value.sql)} AS {result.duckdb})", result)
    if not kind.is_a("decimal"):
        raise unfit("avg", [value])
    scale = kind.arguments[1]
    total, count = say("sum", value.sql), f"nullif({say('count', value.sql)}, 0)"
    return Value(values.divide(total, f"CAST({count} AS DECIMAL(19,0))", 0, scale, kind), kind)


def window(name: str, arguments: list[Value], say: Call) -> Value:
    """Return what a window function gives that is no aggregate.

    Args:
        name: In lower case.
        arguments: What it is given.
        say: Says a call of DuckDB's.

    Raises:
        AthenaSqlError: It does not take these.
        NotOnLocalAwsError: The local AWS does not have it.
    """
    match name, arguments:
        case "row_number" | "rank" | "dense_rank", []:
            return Value(say(name), BIGINT)
        case "percent_rank" | "cume_dist", []:
            return Value(say(name), DOUBLE)
        case "ntile", [_]:
            return Value(say(name, *_as(BIGINT, name, arguments, 1)), BIGINT)
        case "first_value" | "last_value", [value]:
            return Value(say(name, value.sql), value.type)
        case "nth_value", [value, position]:
            at = values.coerce(position, BIGINT, name).sql
            return Value(say(name, value.sql, at), value.type)
        case "lag" | "lead", [value, *others] if len(others) < 3:
            extra = [values.coerce(other, BIGINT, name).sql for other in others[:1]]
            extra += [values.coerce(other, value.type, name).sql for other in others[1:]]
            return Value(say(name, value.sql, *extra), value.type)
    if name in WINDOWS:
        raise wrong_count(name, len(arguments))
    raise no_function(f"{name}")
