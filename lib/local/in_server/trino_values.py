"""Values of Trino's expressions, said in DuckDB's words: casts, comparisons, arithmetic. No AWS calls here.

Each value has Trino's type. What DuckDB would convert on its own is converted here as Trino does, or refused.
"""

import itertools
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from lib.local.in_server import trino_types as types
from lib.local.in_server.athena_sql import AthenaSqlError
from lib.local.in_server.not_here import NotOnLocalAwsError, not_here
from lib.local.in_server.trino_types import (
    BIGINT,
    DATE,
    DAYS,
    DOUBLE,
    LENGTH_UNKNOWN,
    MONTHS,
    Type,
    becomes,
    common,
    quoted,
)

MILLISECONDS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000}
_NUMBER = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?(?:[eE][+-]?[0-9]+)?")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?: ([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]+))?)?)?"
    r"(?:\s*(\S.*))?"
)
_lambda_names = itertools.count()


@dataclass(frozen=True)
class Value:
    """An expression.

    Attributes:
        sql: In DuckDB's words.
        type: Trino's.
        wall: Of a time with a time zone: the timestamp that a clock there shows, if that is known.
        constant: What it is, if it is a literal: text, or a number.
    """

    sql: str
    type: Type
    wall: str | None = None
    constant: Any = None


def text(value: str) -> str:
    """Return a text as SQL; MiniStack would put a local path in the place of one that begins with s3://."""
    if value.startswith(("s3://", "s3a://")):
        head, tail = value.split(":", 1)
        return f"({text(head + ':')} || {text(tail)})"
    return "'" + value.replace("'", "''") + "'"


def mismatch(message: str) -> AthenaSqlError:
    """Return the error for types that do not fit."""
    return AthenaSqlError(f"TYPE_MISMATCH: {message}")


def new_name() -> str:
    """Return a name for a lambda's argument that nothing else has."""
    return f"x{next(_lambda_names)}"


def number(digits: str, sign: str = "") -> Value:
    """Return the value of a number as it is written: 1 is an integer, 1.0 a decimal, 1e0 a double.

    Raises:
        AthenaSqlError: It has too many digits.
    """
    written = _NUMBER.fullmatch(digits)
    if not written:
        raise AthenaSqlError(f"mismatched input {digits!r}")
    whole, point, fraction = written.groups()
    if "e" in digits.lower():
        return Value(f"CAST({text(sign + digits)} AS DOUBLE)", DOUBLE, constant=float(sign + digits))
    if point:
        return exact(sign + digits)
    value = int(sign + whole)
    for kind, bits in ((types.INTEGER, 31), (BIGINT, 63)):
        if -(2**bits) <= value < 2**bits:
            return Value(f"CAST({text(str(value))} AS {kind.duckdb})", kind, constant=value)
    raise AthenaSqlError(f"Invalid numeric literal: {digits}")


def exact(written: str) -> Value:
    """Return the value of a decimal as it is written; its digits are its type.

    Raises:
        AthenaSqlError: It is no number, or has more than 38 digits.
    """
    found = re.fullmatch(r"([+-]?)([0-9]*)(?:\.([0-9]*))?", written)
    if not found or not (found[2] or found[3]):
        raise AthenaSqlError(f"INVALID_LITERAL: {written!r} is not a valid decimal literal")
    whole, fraction = found[2].lstrip("0"), found[3] or ""
    precision = max(1, len(whole) + len(fraction))
    if precision > types.MAX_PRECISION:
        raise AthenaSqlError(f"INVALID_LITERAL: {written!r} has more than 38 digits")
    kind = types.decimal(precision, len(fraction))
    plain = f"{found[1]}{whole or '0'}{'.' if fraction else ''}{fraction}"
    return Value(f"CAST({text(plain)} AS {kind.duckdb})", kind, constant=Decimal(plain))


def point_in_time(written: str) -> Value:
    """Return the value of TIMESTAMP '…': its seconds' digits are its precision, a zone is part of its type.

    Raises:
        AthenaSqlError: It is no timestamp.
        NotOnLocalAwsError: DuckDB has none so fine.
    """
    found = _TIMESTAMP.fullmatch(written.strip())
    if not found:
        raise AthenaSqlError(f"INVALID_LITERAL: {written!r} is not a valid timestamp literal")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    precision = len(fraction or "")
    if precision > types.FINEST_TIMESTAMP:
        raise not_here(
            f"TIMESTAMP {written!r}", "its timestamps have microseconds", "write six digits at most"
        )
    clock = f"{int(hour or 0):02}:{int(minute or 0):02}:{int(second or 0):02}.{fraction or '0'}"
    plain = f"CAST({text(f'{year}-{int(month):02}-{int(day):02} {clock}')} AS TIMESTAMP)"
    if not zone:
        return Value(plain, types.timestamp(precision))
    return Value(to_utc(plain, zone), types.zoned(precision, zone), wall=plain)


def _offset(zone: str) -> int | None:
    """The minutes of a zone such as +02:00."""
    found = re.fullmatch(r"([+-])([0-9]{2}):([0-9]{2})", zone)
    return int(f"{found[1]}{int(found[2]) * 60 + int(found[3])}") if found else None


def to_utc(wall: str, zone: str) -> str:
    """Return when it is, in UTC, when a clock in a zone shows a time."""
    if zone.upper() == "UTC":
        return wall
    minutes = _offset(zone)
    return (
        f"trino_from_zone({wall}, {text(zone)})" if minutes is None else f"({wall} - to_minutes({minutes}))"
    )


def at_zone(value: Value, zone: str) -> Value:
    """Return a time with another zone."""
    value = cast(value, types.zoned(value.type.arguments[0])) if value.type.is_a("timestamp") else value
    minutes = 0 if zone.upper() == "UTC" else _offset(zone)
    wall = (
        f"trino_at_zone({value.sql}, {text(zone)})"
        if minutes is None
        else f"({value.sql} + to_minutes({minutes}))"
    )
    return Value(value.sql, types.zoned(value.type.arguments[0], zone), wall=wall)


def wall_clock(value: Value) -> str:
    """Return what a clock shows at a time: its own zone's.

    Raises:
        NotOnLocalAwsError: The zone is that of each row's text, and no longer known.
    """
    if not value.type.is_a("timestamp with time zone"):
        return cast(value, types.timestamp(value.type.arguments[0] if value.type.arguments else 0)).sql
    if value.wall:
        return value.wall
    if value.type.zone.upper() == "UTC":
        return value.sql
    if value.type.zone:
        return at_zone(value, value.type.zone).wall or ""
    raise not_here(
        "the local time of a time whose zone may differ from row to row",
        "it keeps only when it is in UTC",
        "say which zone: AT TIME ZONE 'UTC'",
    )


def coerce(value: Value, target: Type, where: str) -> Value:
    """Return a value as one of another type, if Trino makes it one without being asked.

    Raises:
        AthenaSqlError: Trino does not.
    """
    if not becomes(value.type, target):
        raise mismatch(f"{where}: {value.type} where {target} is needed")
    return value if value.type == target else cast(value, target)


def together(values: list[Value], where: str) -> list[Value]:
    """Return values as ones of their common type.

    Raises:
        AthenaSqlError: They have none.
    """
    kind = values[0].type
    for value in values[1:]:
        met = common(kind, value.type)
        if met is None:
            raise mismatch(f"{where}: {kind} and {value.type}")
        kind = met
    return [value if value.type == kind else cast(value, kind) for value in values]


def cast(value: Value, target: Type, safe: bool = False) -> Value:
    """Return a value that is cast.

    Args:
        value: What to cast.
        target: To which type.
        safe: TRY_CAST: NULL if it cannot be cast.

    Raises:
        AthenaSqlError: Trino has no such cast.
        NotOnLocalAwsError: DuckDB's result would differ.
    """
    source, sql = value.type, value.sql
    if source == types.UNKNOWN:
        return Value(f"CAST(NULL AS {target.duckdb})", target)
    if source.is_a("array") and target.is_a("array"):
        return _cast_array(value, target, safe)
    if source.is_a("row") and target.is_a("row"):
        return _cast_row(value, target)
    if source.is_a("timestamp with time zone") or target.is_a("timestamp with time zone"):
        return _cast_zoned(value, target)
    if source.name == target.name and source.name not in ("decimal", "varchar", "timestamp"):
        if source.arguments != target.arguments:
            raise not_here(
                f"a cast of {source} to {target}", "it cannot do that as Athena does", "cast its parts"
            )
        return replace(value, type=target, constant=None)
    guard, converted = _conversion(sql, source, target)
    if converted == sql:
        return replace(value, type=target)
    if converted is None:
        raise mismatch(f"Cannot cast {source} to {target}")
    if safe:
        # TRY evaluates row by row, which takes a hundred times as long.
        converted = f"TRY_{converted}" if _is_one_cast(converted) else f"TRY({converted})"
        converted = f"CASE WHEN {guard} THEN {converted} END" if guard else converted
    elif guard:
        shown = "INT" if target.name == "integer" else str(target).upper()
        converted = f"CASE WHEN trino_castable({guard}, {sql}, {text(shown)}) THEN {converted} END"
    return Value(f"({converted})", target)


def _is_one_cast(sql: str) -> bool:
    """Say whether the outermost of an expression is a CAST and nothing else."""
    if not sql.startswith("CAST("):
        return False
    depth = 0
    for found in re.finditer(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]", sql):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if found[0] == ")" and depth == 0:
            return found.end() == len(sql)
    return False


def _cast_array(value: Value, target: Type, safe: bool) -> Value:
    name = new_name()
    element = cast(Value(name, value.type.arguments[0]), target.arguments[0], safe)
    return Value(f"list_transform({value.sql}, lambda {name}: {element.sql})", target)


def _cast_row(value: Value, target: Type) -> Value:
    if len(value.type.arguments) != len(target.arguments):
        raise mismatch(f"Cannot cast {value.type} to {target}")
    parts = [
        cast(Value(f"struct_extract({value.sql}, {text(name)})", kind), wanted).sql
        for name, kind, wanted in zip(
            value.type.duckdb_fields, value.type.arguments, target.arguments, strict=True
        )
    ]
    named = [f"{quoted(name)} := {sql}" for name, sql in zip(target.duckdb_fields, parts, strict=True)]
    return Value(f"CASE WHEN {value.sql} IS NOT NULL THEN struct_pack({', '.join(named)}) END", target)


def _cast_zoned(value: Value, target: Type) -> Value:
    source = value.type
    if target.is_a("timestamp with time zone"):
        if source.is_a("date", "timestamp"):
            plain = cast(value, types.timestamp(target.arguments[0]))
            return Value(plain.sql, types.zoned(target.arguments[0], "UTC"), wall=plain.sql)
        if source.is_a("timestamp with time zone") and source.arguments[0] <= target.arguments[0]:
            return replace(value, type=replace(target, zone=source.zone))
    elif target.is_a("timestamp", "date"):
        return cast(Value(wall_clock(value), types.timestamp(source.arguments[0])), target)
    elif target.is_a("varchar") and source.zone:
        clock = cast(Value(wall_clock(value), types.timestamp(source.arguments[0])), target)
        return Value(f"({clock.sql} || {text(' ' + source.zone)})", target)
    raise not_here(
        f"a cast of {source} to {target}",
        "it keeps no time zones",
        "cast AT TIME ZONE 'UTC' to timestamp first",
    )


def _conversion(sql: str, source: Type, target: Type) -> tuple[str | None, str | None]:
    """What must hold, and what then does it; None if there is no such cast."""
    plain = f"CAST({sql} AS {target.duckdb})"
    match source.name, target.name:
        case "varchar", _:
            return _from_text(sql, source, target)
        case _, "varchar":
            return None, _to_text(sql, source, target)
        case "double" | "real", "tinyint" | "smallint" | "integer" | "bigint":
            return None, f"CAST(trino_whole({sql}, {text(str(target))}) AS {target.duckdb})"
        case "double" | "real", "decimal":
            # By the digits with which it is written: 1.005e0 is 1.01 then.
            return f"isfinite({sql})", f"CAST(CAST({sql} AS VARCHAR) AS {target.duckdb})"
        case "decimal", "double" | "real" if source.arguments[0] > 15 or target.is_a("real"):
            return None, f"CAST(CAST({sql} AS VARCHAR) AS {target.duckdb})"
        case "boolean", "tinyint" | "smallint" | "integer" | "bigint" | "double" | "real" | "decimal":
            return None, plain
        case _, "boolean" if types.is_number(source):
            return None, f"({sql} <> 0)"
        case "json", _:
            return _from_json(sql, target)
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint", "json":
            return None, f"CAST({sql} AS VARCHAR)"
        case "array", "json" if source.arguments[0].is_a("varchar", *(kind.name for kind in types.INTEGERS)):
            return None, f"CAST(to_json({sql}) AS VARCHAR)"
        case "date", "timestamp":
            return None, plain
        case "timestamp", "date":
            return None, plain
        case "timestamp", "timestamp":
            coarser = source.arguments[0] > target.arguments[0]
            unit = 10 ** (types.FINEST_TIMESTAMP - target.arguments[0])
            return None, f"trino_rounded({sql}, {unit})" if coarser else sql
    if types.is_number(source) and types.is_number(target):
        return None, plain
    return None, None


def _from_text(sql: str, source: Type, target: Type) -> tuple[str | None, str | None]:
    kind = text(str(target))
    match target.name:
        case "varchar":
            fits = not target.arguments or LENGTH_UNKNOWN in target.arguments
            fits = fits or 0 <= (source.arguments or (LENGTH_UNKNOWN,))[0] <= target.arguments[0]
            return None, sql if fits else f"trino_varchar({sql}, {target.arguments[0]})"
        case "tinyint" | "smallint" | "integer" | "bigint":
            return f"trino_is_whole(trino_plain({sql}, {kind}))", f"CAST({sql} AS {target.duckdb})"
        case "decimal":
            return f"trino_is_decimal(trino_plain({sql}, {kind}))", f"CAST({sql} AS {target.duckdb})"
        case "double" | "real":
            return (
                f"trino_is_double(trino_java_double({sql}))",
                f"CAST(trino_trimmed({sql}) AS {target.duckdb})",
            )
        case "boolean":
            return f"trino_is_boolean({sql})", f"trino_true({sql})"
        case "date":
            return f"trino_is_date(trino_date_text({sql}))", f"CAST(trino_trimmed({sql}) AS DATE)"
        case "timestamp":
            sql = f"trino_microseconds({sql})" if target.arguments[0] == types.FINEST_TIMESTAMP else sql
            read = f"CAST(trino_timestamp_text({sql}) AS TIMESTAMP)"
            unit = 10 ** (types.FINEST_TIMESTAMP - target.arguments[0])
            return (
                f"trino_is_timestamp(coalesce(trino_timestamp_text({sql}), {sql}))",
                f"trino_rounded({read}, {unit})" if unit > 1 else read,
            )
        case "json":
            return None, f"CAST(to_json({sql}) AS VARCHAR)"
    return None, None


def _to_text(sql: str, source: Type, target: Type) -> str | None:
    match source.name:
        case "double" | "real":
            shown = f"trino_double_text(CAST({sql} AS VARCHAR))"
        case "date":
            shown = f"strftime(trino_printable({sql}), '%Y-%m-%d')"
        case "timestamp":
            cut = types.FINEST_TIMESTAMP - source.arguments[0] + (source.arguments[0] == 0)
            written = f"strftime(trino_printable({sql}), '%Y-%m-%d %H:%M:%S.%f')"
            shown = f"left({written}, {26 - cut})" if cut else written
        case "interval day to second":
            shown = f"trino_interval_text({sql})"
        case "interval year to month":
            shown = f"trino_months_text({sql})"
        case "json":
            shown = f"trino_json_text({sql})"
        case "decimal" if source.arguments[0] == source.arguments[1]:
            shown = rf"regexp_replace(CAST({sql} AS VARCHAR), '^(-?)\.', '\10.')"
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint" | "decimal":
            shown = f"CAST({sql} AS VARCHAR)"
        case _:
            return None
    return f"trino_fitting({shown}, {target.arguments[0]})" if target.arguments[:1] > (0,) else shown


def _from_json(sql: str, target: Type) -> tuple[str | None, str | None]:
    scalar = f"trino_json_scalar({sql}, '$')"
    match target.name:
        case "tinyint" | "smallint" | "integer" | "bigint":
            return (
                f"(json_type({sql}) = 'NULL' OR trino_is_whole({scalar}))",
                f"CAST({scalar} AS {target.duckdb})",
            )
        case "double":
            return f"(json_type({sql}) = 'NULL' OR trino_is_double({scalar}))", f"CAST({scalar} AS DOUBLE)"
        case "boolean":
            return (
                f"(json_type({sql}) IN ('NULL', 'BOOLEAN'))",
                f"CAST({scalar} AS BOOLEAN)",
            )
    raise not_here(f"a cast of JSON to {target}", "it cannot do that as Athena does", "extract its scalars")


def compare(operator: str, left: Value, right: Value) -> Value:
    """Return a comparison; NaN equals nothing, and is neither less nor more than anything.

    Args:
        operator: `=`, `<>`, `<`, `<=`, `>` or `>=`.
        left: Its left side.
        right: Its right side.

    Raises:
        AthenaSqlError: The two have no type in common.
        NotOnLocalAwsError: DuckDB compares such values in another way.
    """
    kind = common(left.type, right.type)
    if kind is None:
        raise mismatch(f"Cannot apply operator: {left.type} {operator} {right.type}")
    check_comparable(kind, operator)
    left, right = together([left, right], operator)
    if operator in (">", ">="):
        left, right, operator = right, left, {">": "<", ">=": "<="}[operator]
    finite = right.constant is not None or (left.constant is not None and operator in ("=", "<>"))
    if not kind.is_a("double", "real") or finite:
        return Value(f"({left.sql} {operator} {right.sql})", types.BOOLEAN)
    macro = {"=": "equal", "<>": "unequal", "<": "less", "<=": "at_most"}[operator]
    return Value(f"trino_{macro}({left.sql}, {right.sql})", types.BOOLEAN)


def check_comparable(kind: Type, what: str) -> None:
    """Refuse to compare what DuckDB compares in another way.

    Raises:
        NotOnLocalAwsError: It is an array, a map, a row or JSON.
    """
    if kind.is_a("array", "map", "row", "json"):
        raise not_here(f"{what} of {kind}", "it treats NULL in it in another way", "compare its parts")


def calculate(operator: str, left: Value, right: Value) -> Value:
    """Return the result of + - * / or %, with the type that it has in Trino.

    https://trino.io/docs/current/functions/decimal.html#binary-arithmetic-decimal-operators

    Raises:
        AthenaSqlError: Trino has no such operator for these types.
    """
    if left.type == types.UNKNOWN or right.type == types.UNKNOWN:
        kinds = [kind for kind in (left.type, right.type) if kind != types.UNKNOWN]
        if kinds and not types.is_number(kinds[0]):
            raise mismatch(f"Cannot apply operator: {left.type} {operator} {right.type}")
        kind = kinds[0] if kinds else BIGINT
        left, right = (cast(side, kind) if side.type == types.UNKNOWN else side for side in (left, right))
    if not (types.is_number(left.type) and types.is_number(right.type)):
        found = _calculate_times(operator, left, right)
        if found is None:
            raise mismatch(f"Cannot apply operator: {left.type} {operator} {right.type}")
        return found
    met = common(left.type, right.type)
    if met is None:
        raise mismatch(f"Cannot apply operator: {left.type} {operator} {right.type}")
    if met.is_a("decimal"):
        return _calculate_decimals(operator, left, right)
    a, b = (side.sql for side in together([left, right], operator))
    if met.is_a("double", "real"):
        return Value(f"({a} {operator} {b})", met)
    if operator == "/":
        return Value(f"({a} // trino_nonzero({b}))", met)
    return Value(f"({a} % trino_nonzero({b}))" if operator == "%" else f"({a} {operator} {b})", met)


def _calculate_decimals(operator: str, left: Value, right: Value) -> Value:
    left, right = (cast(side, types.as_decimal(side.type)) for side in (left, right))
    (p, s), (q, t) = left.type.arguments, right.type.arguments
    scale = max(s, t)
    match operator:
        case "+" | "-":
            kind = types.decimal(max(p - s, q - t) + scale + 1, scale)
            a, b = (cast(side, kind).sql for side in (left, right))
            return Value(f"CAST(({a} {operator} {b}) AS {kind.duckdb})", kind)
        case "*":
            kind = types.decimal(p + q, s + t)
            # DuckDB's product of two short decimals is short, whatever it needs.
            wide = types.decimal(p + q, s).duckdb
            return Value(f"CAST((CAST({left.sql} AS {wide}) * {right.sql}) AS {kind.duckdb})", kind)
        case "/":
            kind = types.decimal(p + t + max(t - s, 0), scale)
            return Value(divide(left.sql, right.sql, scale - s + t, scale, kind), kind)
    kind = types.decimal(min(p - s, q - t) + scale, scale)
    both = types.decimal(max(p - s, q - t) + scale, scale)
    a, b = (cast(side, both).sql for side in (left, right))
    return Value(f"CAST(({a} % trino_nonzero({b})) AS {kind.duckdb})", kind)


def divide(dividend: str, divisor: str, shift: int, scale: int, kind: Type) -> str:
    """Return a quotient of decimals, rounded half up.

    Args:
        dividend: A decimal.
        divisor: A decimal.
        shift: How many digits to add to the dividend's.
        scale: How many digits of the quotient are a fraction.
        kind: The quotient's type.
    """
    shifted = f"trino_unscaled({dividend})"
    if shift > types.MAX_PRECISION:
        raise not_here(
            "a division by a decimal with so long a fraction", "it has 38 digits", "cast it to double"
        )
    if shift:
        shifted = f"({shifted} * CAST('1{'0' * shift}' AS HUGEINT))"
    quotient = f"CAST(trino_quotient({shifted}, trino_unscaled({divisor})) AS DECIMAL(38,0))"
    if scale:
        quotient = f"({quotient} * CAST('0.{'0' * (scale - 1)}1' AS DECIMAL({scale},{scale})))"
    return f"CAST({quotient} AS {kind.duckdb})"


def _calculate_times(operator: str, left: Value, right: Value) -> Value | None:
    """Dates, times and intervals; an interval is a number of milliseconds or of months."""
    one, other = left.type.name, right.type.name
    moments = ("date", "timestamp", "timestamp with time zone")
    intervals = (DAYS.name, MONTHS.name)
    whole = ("tinyint", "smallint", "integer", "bigint")
    if one in intervals and other in moments and operator == "+":
        return _calculate_times(operator, right, left)
    if one in moments and other in intervals and operator in ("+", "-"):
        return shift(left, right, operator)
    if one in moments and other in moments and operator == "-":
        sides = together([left, right], operator)
        if max(sides[0].type.arguments or (0,)) > 3:
            what = "the difference of times finer than milliseconds"
            raise not_here(what, "an interval has milliseconds", "cast them to timestamp(3)")
        a, b = (side.sql for side in sides)
        a, b = (f"epoch_us(CAST({side} AS TIMESTAMP))" for side in (a, b))
        return Value(f"(({a} - {b}) // 1000)", DAYS)
    if one == other and one in intervals and operator in ("+", "-"):
        return Value(f"({left.sql} {operator} {right.sql})", left.type)
    if one in intervals and other in whole and operator in ("*", "/"):
        divided = f"({left.sql} // trino_nonzero(CAST({right.sql} AS BIGINT)))"
        return Value(divided if operator == "/" else f"({left.sql} * {right.sql})", left.type)
    if other in intervals and one in whole and operator == "*":
        return Value(f"({left.sql} * {right.sql})", right.type)
    return None


def shift(moment: Value, interval: Value, operator: str) -> Value:
    """Return a date or a time that is moved by an interval."""
    sign = "" if operator == "+" else "-"
    if interval.type == MONTHS:
        if moment.type.zone and moment.type.zone != "UTC":
            raise other_zone()
        moved = f"({moment.sql} {operator} to_months(CAST({interval.sql} AS INTEGER)))"
        return Value(f"CAST({moved} AS {moment.type.duckdb})", moment.type)
    if moment.type == DATE:
        return Value(f"trino_date_plus({moment.sql}, {sign}{interval.sql})", DATE)
    kind = moment.type
    finer = replace(kind, arguments=(max(kind.arguments[0], 3),))
    return Value(f"({moment.sql} {operator} to_microseconds({interval.sql} * 1000))", finer)


def other_zone() -> NotOnLocalAwsError:
    """Return the error for what depends on a time zone's own days."""
    return not_here(
        "arithmetic with days, months or years in a time zone other than UTC",
        "it keeps only when it is in UTC",
        "cast it to timestamp first",
    )


def check_utc(value: Value) -> None:
    """Refuse what depends on a time zone's own days.

    Raises:
        NotOnLocalAwsError: Its zone is not UTC.
    """
    if value.type.is_a("timestamp with time zone") and value.type.zone.upper() != "UTC":
        raise other_zone()
