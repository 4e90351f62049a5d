"""Trino's functions of values, one by one, in DuckDB's words; one that is not here is refused.

https://trino.io/docs/current/functions.html
"""

import re
from collections.abc import Callable
from typing import Any

from lib.local.in_server import trino_patterns as patterns
from lib.local.in_server import trino_types as types
from lib.local.in_server import trino_values as values
from lib.local.in_server.athena_sql import AthenaSqlError
from lib.local.in_server.not_here import NotOnLocalAwsError, not_here
from lib.local.in_server.trino_types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAYS,
    DOUBLE,
    INTEGER,
    JSON,
    MONTHS,
    TEXT,
    VARBINARY,
    VARCHAR,
    Type,
)
from lib.local.in_server.trino_values import Value, cast, text

Function = Callable[[str, list[Value]], Value]

# Name → what it takes, what it gives, how DuckDB says it. The first line that fits is taken.
_SIMPLE: dict[str, list[tuple[tuple[Type, ...], Type, str]]] = {
    # Mathematics
    "sqrt": [((DOUBLE,), DOUBLE, "sqrt({0})")],
    "cbrt": [((DOUBLE,), DOUBLE, "trino_cbrt({0})")],
    "exp": [((DOUBLE,), DOUBLE, "exp({0})")],
    "ln": [((DOUBLE,), DOUBLE, "ln({0})")],
    # As Trino computes it, which is not exact for each power of 2: 29.000000000000004 for 2^29.
    "log2": [((DOUBLE,), DOUBLE, "(ln({0}) / ln(CAST(2 AS DOUBLE)))")],
    "log10": [((DOUBLE,), DOUBLE, "log10({0})")],
    "log": [((DOUBLE, DOUBLE), DOUBLE, "(ln({1}) / ln({0}))")],
    "power": [((DOUBLE, DOUBLE), DOUBLE, "power({0}, {1})")],
    "pow": [((DOUBLE, DOUBLE), DOUBLE, "power({0}, {1})")],
    "pi": [((), DOUBLE, "pi()")],
    "e": [((), DOUBLE, "exp(CAST(1 AS DOUBLE))")],
    "infinity": [((), DOUBLE, "CAST('Infinity' AS DOUBLE)")],
    "nan": [((), DOUBLE, "CAST('NaN' AS DOUBLE)")],
    "is_nan": [((DOUBLE,), BOOLEAN, "isnan({0})")],
    "is_finite": [((DOUBLE,), BOOLEAN, "isfinite({0})")],
    "is_infinite": [((DOUBLE,), BOOLEAN, "isinf({0})")],
    "degrees": [((DOUBLE,), DOUBLE, "degrees({0})")],
    "radians": [((DOUBLE,), DOUBLE, "radians({0})")],
    **{
        name: [((DOUBLE,), DOUBLE, name + "({0})")]
        for name in ("sin", "cos", "tan", "atan", "sinh", "cosh", "tanh")
    },
    "asin": [((DOUBLE,), DOUBLE, "CASE WHEN abs({0}) > 1 THEN CAST('NaN' AS DOUBLE) ELSE asin({0}) END")],
    "acos": [((DOUBLE,), DOUBLE, "CASE WHEN abs({0}) > 1 THEN CAST('NaN' AS DOUBLE) ELSE acos({0}) END")],
    "atan2": [((DOUBLE, DOUBLE), DOUBLE, "atan2({0}, {1})")],
    "rand": [((), DOUBLE, "random()")],
    "random": [((), DOUBLE, "random()")],
    "bitwise_and": [((BIGINT, BIGINT), BIGINT, "({0} & {1})")],
    "bitwise_or": [((BIGINT, BIGINT), BIGINT, "({0} | {1})")],
    "bitwise_xor": [((BIGINT, BIGINT), BIGINT, "xor({0}, {1})")],
    "bitwise_not": [((BIGINT,), BIGINT, "(~{0})")],
    "width_bucket": [((DOUBLE, DOUBLE, DOUBLE, BIGINT), BIGINT, "trino_width_bucket({0}, {1}, {2}, {3})")],
    # Text
    "length": [((TEXT,), BIGINT, "length({0})"), ((VARBINARY,), BIGINT, "octet_length({0})")],
    "lower": [((TEXT,), TEXT, "lower({0})")],
    "upper": [((TEXT,), TEXT, "trino_upper({0})")],
    "reverse": [((TEXT,), TEXT, "trino_reverse({0})")],
    "replace": [
        ((TEXT, TEXT), TEXT, "trino_replace({0}, {1}, '')"),
        ((TEXT, TEXT, TEXT), TEXT, "trino_replace({0}, {1}, {2})"),
    ],
    "substr": [
        ((TEXT, BIGINT), TEXT, "trino_substr({0}, {1})"),
        ((TEXT, BIGINT, BIGINT), TEXT, "trino_substring({0}, {1}, {2})"),
    ],
    "strpos": [((TEXT, TEXT), BIGINT, "instr({0}, {1})")],
    "starts_with": [((TEXT, TEXT), BOOLEAN, "starts_with({0}, {1})")],
    "trim": [((TEXT,), TEXT, "trim({0}, trino_spaces())")],
    "ltrim": [((TEXT,), TEXT, "ltrim({0}, trino_spaces())")],
    "rtrim": [((TEXT,), TEXT, "rtrim({0}, trino_spaces())")],
    "lpad": [((TEXT, BIGINT, TEXT), TEXT, "trino_lpad({0}, {1}, {2})")],
    "rpad": [((TEXT, BIGINT, TEXT), TEXT, "trino_rpad({0}, {1}, {2})")],
    "chr": [((BIGINT,), TEXT, "trino_chr({0})")],
    "codepoint": [((TEXT,), INTEGER, "trino_codepoint({0})")],
    "split": [
        ((TEXT, TEXT), types.array(TEXT), "trino_split({0}, {1})"),
        ((TEXT, TEXT, BIGINT), types.array(TEXT), "trino_split_limit({0}, {1}, {2})"),
    ],
    "split_part": [((TEXT, TEXT, BIGINT), TEXT, "trino_split_part({0}, {1}, {2})")],
    "translate": [((TEXT, TEXT, TEXT), TEXT, "translate({0}, {1}, {2})")],
    # Bytes
    "to_utf8": [((TEXT,), VARBINARY, "encode({0})")],
    "from_utf8": [((VARBINARY,), TEXT, "decode({0})")],
    "to_hex": [((VARBINARY,), TEXT, "hex({0})")],
    "from_hex": [((TEXT,), VARBINARY, "unhex({0})"), ((VARBINARY,), VARBINARY, "unhex(decode({0}))")],
    "to_base64": [((VARBINARY,), TEXT, "base64({0})")],
    "from_base64": [((TEXT,), VARBINARY, "from_base64({0})")],
    "md5": [((VARBINARY,), VARBINARY, "unhex(md5({0}))")],
    "sha1": [((VARBINARY,), VARBINARY, "unhex(sha1({0}))")],
    "sha256": [((VARBINARY,), VARBINARY, "unhex(sha256({0}))")],
    # JSON
    "json_parse": [((TEXT,), JSON, "trino_json_parse({0})")],
    "json_format": [((JSON,), TEXT, "trino_json_format({0})")],
    "json_array_length": [
        ((JSON,), BIGINT, "trino_json_length({0})"),
        ((TEXT,), BIGINT, "trino_json_length({0})"),
    ],
    # Dates and times
    "now": [((), types.zoned(), "date_trunc('millisecond', timezone('UTC', now()))")],
    "current_timezone": [((), TEXT, "'UTC'")],
    "from_unixtime": [
        ((DOUBLE,), types.zoned(), "make_timestamp(CAST(floor({0} * 1000 + 0.5) AS BIGINT) * 1000)")
    ],
    "from_iso8601_date": [((TEXT,), DATE, "trino_iso_date({0})")],
    "last_day_of_month": [((DATE,), DATE, "last_day({0})")],
    "to_milliseconds": [((DAYS,), BIGINT, "{0}")],
}
_DATE_PARTS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "week_of_year": "week",
    "year_of_week": "isoyear",
    "yow": "isoyear",
    "day": "day",
    "day_of_month": "day",
    "day_of_week": "isodow",
    "dow": "isodow",
    "day_of_year": "doy",
    "doy": "doy",
}
_TIME_PARTS = {"hour": "hour", "minute": "minute", "second": "second"}
_UNITS = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
_DATE_UNITS = _UNITS[4:]
_OTHERS: dict[str, Function] = {}


def call(name: str, arguments: list[Value]) -> Value:
    """Return what a function gives.

    Args:
        name: In lower case.
        arguments: What it is given.

    Raises:
        AthenaSqlError: It does not take these.
        NotOnLocalAwsError: The local AWS does not have it, or not the same.
    """
    if name in _OTHERS:
        return _OTHERS[name](name, arguments)
    if name not in _SIMPLE:
        raise no_function(name)
    for takes, gives, template in _SIMPLE[name]:
        if len(takes) == len(arguments) and all(
            types.becomes(argument.type, kind) for argument, kind in zip(arguments, takes, strict=True)
        ):
            given = [
                values.coerce(argument, kind, name) for argument, kind in zip(arguments, takes, strict=True)
            ]
            return Value(f"({template.format(*(value.sql for value in given))})", gives)
    _count(name, arguments, *(len(takes) for takes, _, _ in _SIMPLE[name]))
    raise unfit(name, arguments)


def is_known(name: str) -> bool:
    """Return whether a function, by its name in lower case, is one of those here."""
    return name in _OTHERS or name in _SIMPLE


def no_function(name: str) -> NotOnLocalAwsError:
    """Return the error for a function that is not here."""
    return not_here(f"{name}()", "its engine does not have this function, or not the same", "run it on AWS")


def wrong_count(name: str, count: int) -> NotOnLocalAwsError:
    """Return the error for a function with another number of arguments than those it has here."""
    why = "its engine's takes others, or means something else"
    return not_here(f"{name}() with {count} arguments", why, "run it on AWS")


def unfit(name: str, arguments: list[Value]) -> AthenaSqlError:
    """Return the error for a function that does not take what it is given."""
    given = ", ".join(str(argument.type) for argument in arguments)
    return AthenaSqlError(f"FUNCTION_NOT_FOUND: Unexpected parameters ({given}) for function {name}")


def _function(*names: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        _OTHERS.update(dict.fromkeys(names, function))
        return function

    return register


def _literal(name: str, value: Value, what: str) -> Any:
    if not isinstance(value.constant, str):
        raise not_here(
            f"{name}() whose {what} is no literal", "it must translate it", "write it as a literal"
        )
    return value.constant


def _count(name: str, arguments: list[Value], *counts: int) -> None:
    if len(arguments) not in counts:
        raise wrong_count(name, len(arguments))


# --- Numbers ---


@_function("abs")
def _abs(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    (value,) = _numbers(name, arguments)
    return Value(f"CAST(abs({value.sql}) AS {value.type.duckdb})", value.type)


def _numbers(name: str, arguments: list[Value]) -> list[Value]:
    known = [cast(value, DOUBLE) if value.type == types.UNKNOWN else value for value in arguments]
    if not all(types.is_number(value.type) for value in known):
        raise unfit(name, arguments)
    return known


@_function("mod")
def _mod(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    return values.calculate("%", *_numbers(name, arguments))


@_function("sign")
def _sign(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    (value,) = _numbers(name, arguments)
    if value.type.is_a("double", "real"):
        return Value(f"CAST(trino_sign({value.sql}) AS {value.type.duckdb})", value.type)
    kind = types.decimal(1, 0) if value.type.is_a("decimal") else value.type
    return Value(f"CAST(sign({value.sql}) AS {kind.duckdb})", kind)


@_function("ceil", "ceiling", "floor")
def _ceil(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    (value,) = _numbers(name, arguments)
    rounding = "floor" if name == "floor" else "ceil"
    if not value.type.is_a("decimal"):
        whole = value.type in types.INTEGERS
        return value if whole else Value(f"{rounding}({value.sql})", value.type)
    precision, scale = value.type.arguments
    kind = types.decimal(precision - scale + min(scale, 1), 0)
    return Value(f"CAST({rounding}({value.sql}) AS {kind.duckdb})", kind)


@_function("round")
def _round(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1, 2)
    value = _numbers(name, arguments[:1])[0]
    digits = values.coerce(arguments[1], INTEGER, name) if len(arguments) == 2 else values.number("0")
    if value.type.is_a("double", "real"):
        return Value(
            f"CAST(trino_round_double({value.sql}, {digits.sql}) AS {value.type.duckdb})", value.type
        )
    if not value.type.is_a("decimal"):
        rounded = f"CAST(trino_round_whole({value.sql}, {digits.sql}) AS {value.type.duckdb})"
        return Value(rounded, value.type) if len(arguments) == 2 else value
    precision, scale = value.type.arguments
    if len(arguments) == 1:
        kind = types.decimal(precision - scale + min(1, scale), 0)
    else:
        kind = types.decimal(precision + 1, scale)
    if not isinstance(digits.constant, int):
        raise not_here(
            "round() of a decimal to digits that are no literal", "it must know them", "write them"
        )
    if digits.constant >= scale:
        return cast(value, kind)
    wide = types.decimal(min(precision + 1, types.MAX_PRECISION), scale).duckdb
    return Value(f"CAST(round(CAST({value.sql} AS {wide}), {digits.constant}) AS {kind.duckdb})", kind)


@_function("truncate")
def _truncate(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1, 2)
    value = _numbers(name, arguments[:1])[0]
    if len(arguments) == 1 and not value.type.is_a("decimal"):
        value = value if value.type.is_a("real") else values.coerce(value, DOUBLE, name)
        return Value(f"trino_truncate_double({value.sql})", value.type)
    if not value.type.is_a("decimal"):
        raise no_function("truncate(number, digits)")
    precision, scale = value.type.arguments
    digits = arguments[1].constant if len(arguments) == 2 else 0
    if not isinstance(digits, int) or digits < 0:
        raise not_here("truncate() to digits that are no literal from 0", "it must know them", "write them")
    kind = value.type if len(arguments) == 2 else types.decimal(max(precision - scale, 1), 0)
    if digits >= scale:
        return cast(value, kind)
    shifted = f"(trino_unscaled({value.sql}) // CAST('1{'0' * (scale - digits)}' AS HUGEINT))"
    point = f" * CAST('0.{'0' * (digits - 1)}1' AS DECIMAL({digits},{digits}))" if digits else ""
    return Value(f"CAST((CAST({shifted} AS DECIMAL(38,0)){point}) AS {kind.duckdb})", kind)


@_function("greatest", "least")
def _greatest(name: str, arguments: list[Value]) -> Value:
    if not arguments:
        raise unfit(name, arguments)
    arguments = values.together(arguments, name)
    kind = arguments[0].type
    values.check_comparable(kind, f"{name}()")
    sqls = [f"trino_number({value.sql})" if kind.is_a("double", "real") else value.sql for value in arguments]
    missing = " OR ".join(f"{sql} IS NULL" for sql in sqls)
    return Value(f"CASE WHEN {missing} THEN NULL ELSE {name}({', '.join(sqls)}) END", kind)


# --- Text ---


@_function("concat")
def _concat(name: str, arguments: list[Value]) -> Value:
    if len(arguments) < 2:
        raise unfit(name, arguments)
    result = arguments[0]
    for value in arguments[1:]:
        result = concatenate(result, value)
    return result


def concatenate(left: Value, right: Value) -> Value:
    """Return what || makes of two values: NULL, if one is."""
    for kind in (TEXT, VARBINARY):
        if types.becomes(left.type, kind) and types.becomes(right.type, kind):
            a, b = (values.coerce(side, kind, "||").sql for side in (left, right))
            return Value(f"({a} || {b})", kind)
    if left.type.is_a("array") or right.type.is_a("array"):
        return _join_arrays(left, right)
    raise unfit("concat", [left, right])


def _join_arrays(left: Value, right: Value) -> Value:
    if left.type.is_a("array") and right.type.is_a("array"):
        left, right = values.together([left, right], "||")
        joined = f"list_concat({left.sql}, {right.sql})"
        return Value(
            f"CASE WHEN {left.sql} IS NULL OR {right.sql} IS NULL THEN NULL ELSE {joined} END", left.type
        )
    if left.type.is_a("array"):
        array, item = values.together([left, Value(f"[{right.sql}]", types.array(right.type))], "||")
        return Value(
            f"CASE WHEN {array.sql} IS NOT NULL THEN list_concat({array.sql}, {item.sql}) END", array.type
        )
    item, array = values.together([Value(f"[{left.sql}]", types.array(left.type)), right], "||")
    return Value(
        f"CASE WHEN {array.sql} IS NOT NULL THEN list_concat({item.sql}, {array.sql}) END", array.type
    )


@_function("concat_ws")
def _concat_ws(name: str, arguments: list[Value]) -> Value:
    if len(arguments) < 2:
        raise unfit(name, arguments)
    sqls = [values.coerce(value, TEXT, name).sql for value in arguments]
    return Value(f"CASE WHEN {sqls[0]} IS NOT NULL THEN concat_ws({', '.join(sqls)}) END", TEXT)


@_function("substring")
def _substring(_: str, arguments: list[Value]) -> Value:
    return call("substr", arguments)


@_function(
    "regexp_like", "regexp_extract", "regexp_extract_all", "regexp_replace", "regexp_split", "regexp_count"
)
def _regexp(name: str, arguments: list[Value]) -> Value:
    _count(
        name,
        arguments,
        *{"regexp_extract": (2, 3), "regexp_extract_all": (2, 3), "regexp_replace": (2, 3)}.get(name, (2,)),
    )
    subject = values.coerce(arguments[0], TEXT, name).sql
    pattern = patterns.regexp(_literal(name, arguments[1], "pattern"))
    sql = text(pattern)
    if odd := patterns.odd_subjects(pattern):
        subject = f"trino_subject({subject}, {text(odd)})"
    match name:
        case "regexp_like":
            return Value(f"regexp_matches({subject}, {sql})", BOOLEAN)
        case "regexp_split" | "regexp_count" if patterns.may_be_empty(pattern):
            raise not_here(
                f"{name}() by {pattern!r}", "it counts empty matches in another way", "match something"
            )
        case "regexp_split":
            return Value(f"string_split_regex({subject}, {sql})", types.array(TEXT))
        case "regexp_count":
            return Value(f"CAST(len(regexp_extract_all({subject}, {sql})) AS BIGINT)", BIGINT)
        case "regexp_replace":
            new = _literal(name, arguments[2], "replacement") if len(arguments) == 3 else ""
            return Value(f"regexp_replace({subject}, {sql}, {text(patterns.replacement(new))}, 'g')", TEXT)
    group = arguments[2].constant if len(arguments) == 3 else 0
    if not isinstance(group, int):
        raise not_here(f"{name}() whose group is no literal", "it must know it", "write it as a number")
    if not patterns.group_is_certain(pattern, group):
        why = "it gives an empty text where Athena gives NULL"
        raise not_here(f"group {group} of {pattern!r}, which a match may leave out", why, "extract the whole")
    if name == "regexp_extract":
        return Value(f"trino_extract({subject}, {sql}, {group})", TEXT)
    return Value(f"regexp_extract_all({subject}, {sql}, {group})", types.array(TEXT))


# --- JSON ---


@_function("json_extract", "json_extract_scalar", "json_size")
def _json(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    path = text(patterns.json_path(_literal(name, arguments[1], "path")))
    subject = arguments[0] if arguments[0].type == JSON else values.coerce(arguments[0], TEXT, name)
    if name == "json_extract_scalar":
        return Value(f"trino_json_scalar({subject.sql}, {path})", TEXT)
    found = f"trino_json_value({subject.sql}, {path})"
    return Value(found, JSON) if name == "json_extract" else Value(f"trino_json_size({found})", BIGINT)


# --- Dates and times ---


def _moment(name: str, value: Value) -> Value:
    if value.type == types.UNKNOWN:
        return cast(value, types.timestamp())
    if not value.type.is_a("date", "timestamp", "timestamp with time zone"):
        raise unfit(name, [value])
    return value


def date_part(name: str, value: Value) -> Value:
    """Return a part of a date or time, as `extract` and the functions of its name give it."""
    if value.type == DAYS and name in ("day", "hour", "minute", "second", "millisecond"):
        unit = {"day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}[
            name
        ]
        whole = {"day": 2**62, "hour": 24, "minute": 60, "second": 60, "millisecond": 1000}[name]
        return Value(f"(({value.sql} // {unit}) % {whole})", BIGINT)
    if value.type == MONTHS and name in ("year", "month"):
        return Value(f"({value.sql} {'//' if name == 'year' else '%'} 12)", BIGINT)
    value = _moment(name, value)
    if name == "millisecond":
        if value.type == DATE:
            raise unfit(name, [value])
        return Value(f"(CAST(date_part('millisecond', {values.wall_clock(value)}) AS BIGINT) % 1000)", BIGINT)
    if name in ("timezone_hour", "timezone_minute"):
        raise no_function(name)
    part = _DATE_PARTS.get(name) or (None if value.type == DATE else _TIME_PARTS.get(name))
    if part is None:
        raise unfit(name, [value])
    clock = value.sql if value.type == DATE else values.wall_clock(value)
    return Value(f"CAST(date_part('{part}', {clock}) AS BIGINT)", BIGINT)


@_function(*_DATE_PARTS, *_TIME_PARTS, "millisecond")
def _date_part(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    return date_part(name, arguments[0])


@_function("date")
def _date(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    return cast(arguments[0], DATE)


def _unit(name: str, value: Value, moment: Value) -> str:
    unit = _literal(name, value, "unit").lower()
    if unit not in (_DATE_UNITS if moment.type == DATE else _UNITS):
        raise AthenaSqlError(f"INVALID_FUNCTION_ARGUMENT: '{unit}' is not a valid {moment.type} field")
    return unit


@_function("date_add")
def _date_add(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 3)
    moment = _moment(name, arguments[2])
    unit, amount = _unit(name, arguments[0], moment), values.coerce(arguments[1], BIGINT, name).sql
    if unit not in ("millisecond", "second", "minute", "hour"):
        values.check_utc(moment)
    months = {"month": 1, "quarter": 3, "year": 12}
    if unit in months:
        step = f"to_months(CAST({amount} * {months[unit]} AS INTEGER))"
    else:
        size = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
        step = f"to_microseconds({amount} * {size.get(unit, 7 * 86_400_000) * 1000})"
    moved = f"CAST(({moment.sql} + {step}) AS {moment.type.duckdb})"
    if unit == "millisecond" and moment.type.arguments[0] < 3:
        moved = f"trino_rounded({moved}, {10 ** (types.FINEST_TIMESTAMP - moment.type.arguments[0])})"
    return Value(moved, moment.type)


@_function("date_diff")
def _date_diff(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 3)
    first, second = values.together([_moment(name, value) for value in arguments[1:]], name)
    unit = _unit(name, arguments[0], first)
    if unit in ("day", "week", "month", "quarter", "year"):
        values.check_utc(first)
    a, b = (f"CAST({side.sql} AS TIMESTAMP)" for side in (first, second))
    return Value(f"date_sub('{unit}', {a}, {b})", BIGINT)


@_function("date_trunc")
def _date_trunc(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    moment = _moment(name, arguments[1])
    unit = _unit(name, arguments[0], moment)
    values.check_utc(moment)
    return Value(f"CAST(date_trunc('{unit}', {moment.sql}) AS {moment.type.duckdb})", moment.type)


@_function("date_format", "format_datetime")
def _date_format(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    read = patterns.mysql if name == "date_format" else patterns.joda
    pattern = read(_literal(name, arguments[1], "pattern"), name)
    clock = values.wall_clock(_moment(name, arguments[0]))
    return Value(f"strftime(trino_printable({clock}), {text(pattern.format)})", TEXT)


@_function("date_parse", "parse_datetime")
def _date_parse(name: str, arguments: list[Value]) -> Value:
    return parse_date(name, arguments)


def parse_date(name: str, arguments: list[Value], safe: bool = False) -> Value:
    """Return what date_parse or parse_datetime reads; in a try(), NULL if it cannot."""
    _count(name, arguments, 2)
    read = patterns.mysql if name == "date_parse" else patterns.joda
    written = _literal(name, arguments[1], "pattern")
    pattern = read(written, name)
    if pattern.read is None:
        what = f"{name}() with the pattern {written!r}"
        raise not_here(what, "it would make another time of it", "use a pattern with a year of four digits")
    subject = values.coerce(arguments[0], TEXT, name).sql
    # DuckDB reads these without the "-" that is for writing.
    format_, named = text(pattern.format.replace("%-", "%")), text(f"{name} {written!r}")
    parsed = f"trino_parsed({subject}, {text(pattern.read)}, {format_}, {named})"
    parsed = f"TRY({parsed})" if safe else parsed
    sure = f"trino_parse_sure({subject}, {text(pattern.read)}, {text(pattern.loose)}, {named})"
    parsed = f"CASE WHEN {sure} THEN {parsed} END"
    kind = types.timestamp() if name == "date_parse" else types.zoned()
    return Value(parsed, kind, wall=parsed if name == "parse_datetime" else None)


@_function("to_unixtime")
def _to_unixtime(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    moment = _moment(name, arguments[0])
    return Value(f"(epoch_us(CAST({moment.sql} AS TIMESTAMP)) / CAST(1000000 AS DOUBLE))", DOUBLE)


@_function("to_iso8601")
def _to_iso8601(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    moment = _moment(name, arguments[0])
    if moment.type == DATE:
        return cast(moment, TEXT)
    if moment.type.zone not in ("", "UTC") or (
        moment.type.is_a("timestamp with time zone") and not moment.type.zone
    ):
        raise values.other_zone()
    if moment.type.arguments[0] != 3:
        raise not_here(
            "to_iso8601() of other than milliseconds", "it writes three digits", "cast it to timestamp(3)"
        )
    written = f"strftime(trino_printable({moment.sql}), '%Y-%m-%dT%H:%M:%S.%g')"
    return Value(f"({written} || 'Z')" if moment.type.zone else written, TEXT)


@_function("from_iso8601_timestamp")
def _from_iso8601_timestamp(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    subject = values.coerce(arguments[0], TEXT, name).sql
    return Value(f"trino_iso_instant({subject})", types.zoned(3, ""), wall=f"trino_iso_wall({subject})")


@_function("at_timezone")
def _at_timezone(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    return values.at_zone(_moment(name, arguments[0]), _literal(name, arguments[1], "zone"))


@_function("with_timezone")
def _with_timezone(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    moment, zone = _moment(name, arguments[0]), _literal(name, arguments[1], "zone")
    if not moment.type.is_a("timestamp"):
        raise unfit(name, arguments)
    return Value(
        values.to_utc(moment.sql, zone), types.zoned(moment.type.arguments[0], zone), wall=moment.sql
    )


# --- Arrays, maps and rows ---


def _array(name: str, value: Value) -> Value:
    if not value.type.is_a("array"):
        raise unfit(name, [value])
    return value


def subscript(value: Value, index: Value) -> Value:
    """Return an element of an array, a map or a row, as a[i] does: one that is not there is an error."""
    if value.type.is_a("array"):
        at = values.coerce(index, BIGINT, "[]").sql
        return Value(f"trino_subscript({value.sql}, {at})", value.type.arguments[0])
    if value.type.is_a("map"):
        key = values.coerce(index, value.type.arguments[0], "[]").sql
        return Value(f"trino_value({value.sql}, {key})", value.type.arguments[1])
    if value.type.is_a("row") and isinstance(index.constant, int):
        if not 1 <= index.constant <= len(value.type.arguments):
            raise AthenaSqlError(f"INVALID_FUNCTION_ARGUMENT: ROW index out of bounds: {index.constant}")
        position = index.constant - 1
        return _field(value, position)
    raise values.mismatch(f"Cannot use {index.type} for subscript of {value.type}")


def _field(value: Value, position: int) -> Value:
    name = value.type.duckdb_fields[position]
    return Value(f"struct_extract({value.sql}, {text(name)})", value.type.arguments[position])


def dereference(value: Value, name: str) -> Value:
    """Return a row's field."""
    if not value.type.is_a("row"):
        raise values.mismatch(f"Expression of type {value.type} is not of type ROW")
    found = [position for position, field in enumerate(value.type.fields) if field == name.lower()]
    if len(found) != 1:
        raise AthenaSqlError(f"COLUMN_NOT_FOUND: {value.type} has no field {name}")
    return _field(value, found[0])


@_function("element_at")
def _element_at(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    value, index = arguments
    if value.type.is_a("map"):
        key = values.coerce(index, value.type.arguments[0], name).sql
        return Value(f"({value.sql})[{key}]", value.type.arguments[1])
    index = values.coerce(index, BIGINT, name)
    return Value(f"trino_element_at({_array(name, value).sql}, {index.sql})", value.type.arguments[0])


@_function("cardinality")
def _cardinality(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    if arguments[0].type.is_a("map"):
        return Value(f"CAST(cardinality({arguments[0].sql}) AS BIGINT)", BIGINT)
    return Value(f"CAST(len({_array(name, arguments[0]).sql}) AS BIGINT)", BIGINT)


@_function("contains", "array_position", "array_remove")
def _contains(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    array, item = arguments
    kind = types.common(_array(name, array).type.arguments[0], item.type)
    if kind is None:
        raise unfit(name, arguments)
    values.check_comparable(kind, f"{name}()")
    array, item = cast(array, types.array(kind)), cast(item, kind)
    if kind.is_a("double", "real"):
        item = Value(f"trino_number({item.sql})", kind)
    if name == "contains":
        return Value(f"trino_contains({array.sql}, {item.sql})", BOOLEAN)
    missing = f"{array.sql} IS NULL OR {item.sql} IS NULL"
    if name == "array_position":
        found = f"coalesce(list_position({array.sql}, {item.sql}), 0)"
        return Value(f"CASE WHEN {missing} THEN NULL ELSE CAST({found} AS BIGINT) END", BIGINT)
    each = values.new_name()
    kept = f"list_filter({array.sql}, lambda {each}: {each} IS NULL OR {each} <> {item.sql})"
    return Value(f"CASE WHEN {missing} THEN NULL ELSE {kept} END", array.type)


@_function("array_join")
def _array_join(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2, 3)
    array = cast(_array(name, arguments[0]), types.array(TEXT))
    separator = values.coerce(arguments[1], TEXT, name).sql
    if len(arguments) == 3:
        each, null = values.new_name(), values.coerce(arguments[2], TEXT, name).sql
        array = Value(f"list_transform({array.sql}, lambda {each}: coalesce({each}, {null}))", array.type)
    joined = f"coalesce(array_to_string({array.sql}, {separator}), '')"
    return Value(f"CASE WHEN {array.sql} IS NOT NULL AND {separator} IS NOT NULL THEN {joined} END", TEXT)


@_function("array_distinct", "array_sort", "array_max", "array_min")
def _array_order(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    array = _array(name, arguments[0])
    element = array.type.arguments[0]
    values.check_comparable(element, f"{name}()")
    sql = array.sql
    if element.is_a("double", "real"):
        each = values.new_name()
        sql = f"list_transform({sql}, lambda {each}: trino_number({each}))"
    match name:
        case "array_sort":
            return Value(f"list_sort({sql}, 'ASC', 'NULLS LAST')", array.type)
        case "array_distinct":
            return Value(f"trino_distinct({sql})", array.type)
    return Value(f"trino_{name}({sql})", element)


@_function("flatten")
def _flatten(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    inner = _array(name, arguments[0]).type.arguments[0]
    if not inner.is_a("array"):
        raise unfit(name, arguments)
    return Value(f"flatten({arguments[0].sql})", inner)


@_function("slice")
def _slice(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 3)
    start, length = (values.coerce(value, BIGINT, name).sql for value in arguments[1:])
    return Value(f"trino_slice({_array(name, arguments[0]).sql}, {start}, {length})", arguments[0].type)


@_function("repeat")
def _repeat(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    count = values.coerce(arguments[1], INTEGER, name).sql
    return Value(f"trino_repeat({arguments[0].sql}, {count})", types.array(arguments[0].type))


@_function("sequence")
def _sequence(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2, 3)
    if all(types.becomes(value.type, BIGINT) for value in arguments):
        begin, end, *given = (values.coerce(value, BIGINT, name).sql for value in arguments)
        by = (
            given[0]
            if given
            else f"CASE WHEN {begin} <= {end} THEN CAST(1 AS BIGINT) ELSE CAST(-1 AS BIGINT) END"
        )
        return Value(f"trino_sequence({begin}, {end}, {by})", types.array(BIGINT))
    low, high = arguments[:2]
    step = arguments[2] if len(arguments) == 3 else values.Value("CAST(86400000 AS BIGINT)", DAYS)
    if low.type != DATE or high.type != DATE or step.type != DAYS:
        raise no_function("sequence(times)")
    days = f"trino_sequence(0, CAST({high.sql} - {low.sql} AS BIGINT), {step.sql} // 86400000)"
    each = values.new_name()
    made = f"list_transform({days}, lambda {each}: CAST({low.sql} + CAST({each} AS INTEGER) AS DATE))"
    return Value(
        f"CASE WHEN trino_date_plus({low.sql}, {step.sql}) IS NOT NULL THEN {made} END", types.array(DATE)
    )


@_function("zip")
def _zip(name: str, arguments: list[Value]) -> Value:
    if len(arguments) < 2:
        raise unfit(name, arguments)
    arrays = [_array(name, value) for value in arguments]
    kind = Type("row", tuple(value.type.arguments[0] for value in arrays), (None,) * len(arrays))
    each = values.new_name()
    fields = [
        f"{field} := struct_extract({each}, {position})"
        for position, field in enumerate(kind.duckdb_fields, 1)
    ]
    zipped = f"list_zip({', '.join(value.sql for value in arrays)})"
    missing = " OR ".join(f"{value.sql} IS NULL" for value in arrays)
    made = f"list_transform({zipped}, lambda {each}: struct_pack({', '.join(fields)}))"
    return Value(f"CASE WHEN {missing} THEN NULL ELSE {made} END", types.array(kind))


@_function("map")
def _map(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 2)
    keys, items = (_array(name, value) for value in arguments)
    kind = types.mapping(keys.type.arguments[0], items.type.arguments[0])
    values.check_comparable(kind.arguments[0], "keys")
    return Value(f"trino_map({keys.sql}, {items.sql})", kind)


@_function("map_keys", "map_values", "map_concat")
def _map_parts(name: str, arguments: list[Value]) -> Value:
    if not arguments or not all(value.type.is_a("map") for value in arguments):
        raise unfit(name, arguments)
    if name == "map_concat":
        raise no_function(name)
    _count(name, arguments, 1)
    element = arguments[0].type.arguments[0 if name == "map_keys" else 1]
    return Value(f"{name}({arguments[0].sql})", types.array(element))


@_function("row")
def _row(_: str, arguments: list[Value]) -> Value:
    kind = Type("row", tuple(value.type for value in arguments), (None,) * len(arguments))
    named = zip(kind.duckdb_fields, arguments, strict=True)
    return Value(f"struct_pack({', '.join(f'{field} := {value.sql}' for field, value in named)})", kind)


@_function("typeof")
def _typeof(name: str, arguments: list[Value]) -> Value:
    _count(name, arguments, 1)
    if re.search(r"varchar(?!\()", str(arguments[0].type)) and types.LENGTH_UNKNOWN in _lengths(
        arguments[0].type
    ):
        raise not_here(
            "typeof() of such a text", "it does not know the limit that Athena gives it", "cast it"
        )
    return Value(text(str(arguments[0].type)), VARCHAR)


def _lengths(kind: Type) -> list[Any]:
    return [
        length
        for argument in kind.arguments
        for length in (_lengths(argument) if isinstance(argument, Type) else [argument])
    ]
