"""Trino's types: what an expression is, and what it becomes without being asked.

https://trino.io/docs/current/language/types.html · https://trino.io/docs/current/functions/decimal.html
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from lib.local.in_server.athena_sql import AthenaSqlError
from lib.local.in_server.not_here import not_here


@dataclass(frozen=True)
class Type:
    """A type of Trino's.

    Attributes:
        name: As `typeof` says it, without what is in parentheses.
        arguments: Precision and scale, a length, or the types of what is in it.
        fields: Names of a row's fields; None for one without a name.
        zone: Of a time with a time zone: the zone, if it is the same for all rows and known; else "".
    """

    name: str
    arguments: tuple[Any, ...] = ()
    fields: tuple[str | None, ...] = ()
    zone: str = ""

    def __str__(self) -> str:
        if self.name == "timestamp with time zone":
            return f"timestamp({self.arguments[0]}) with time zone"
        if self.name == "row":
            named = zip(self.fields, self.arguments, strict=True)
            return "row({})".format(
                ", ".join(f'"{name}" {kind}' if name else str(kind) for name, kind in named)
            )
        inner = ", " if self.name == "map" else ","
        shown = [str(argument) for argument in self.arguments if argument != LENGTH_UNKNOWN]
        return f"{self.name}({inner.join(shown)})" if shown else self.name

    @property
    def duckdb(self) -> str:
        """The type of the values that stand for it in DuckDB."""
        match self.name:
            case "decimal":
                return f"DECIMAL({self.arguments[0]},{self.arguments[1]})"
            case "array":
                return f"{self.arguments[0].duckdb}[]"
            case "map":
                return f"MAP({self.arguments[0].duckdb}, {self.arguments[1].duckdb})"
            case "row":
                inner = zip(self.duckdb_fields, self.arguments, strict=True)
                return "STRUCT({})".format(", ".join(f"{quoted(name)} {kind.duckdb}" for name, kind in inner))
        return _IN_DUCKDB[self.name]

    @property
    def duckdb_fields(self) -> list[str]:
        """What a row's fields are called in DuckDB."""
        return [name or f"field{position}" for position, name in enumerate(self.fields)]

    def is_a(self, *names: str) -> bool:
        """Say whether it is one of these types, whatever is in its parentheses."""
        return self.name in names


LENGTH_UNKNOWN = -1
UNKNOWN, BOOLEAN, DATE, JSON = Type("unknown"), Type("boolean"), Type("date"), Type("json")
TINYINT, SMALLINT, INTEGER, BIGINT = Type("tinyint"), Type("smallint"), Type("integer"), Type("bigint")
REAL, DOUBLE, VARBINARY = Type("real"), Type("double"), Type("varbinary")
# A text without a limit; a text whose limit nobody needs to know.
VARCHAR, TEXT = Type("varchar"), Type("varchar", (LENGTH_UNKNOWN,))
DAYS, MONTHS = Type("interval day to second"), Type("interval year to month")
INTEGERS = (TINYINT, SMALLINT, INTEGER, BIGINT)
# How many digits a whole number can have, when it becomes a decimal.
_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "decimal", "real", "double")
MAX_PRECISION = 38
# Finer ones are not in DuckDB.
FINEST_TIMESTAMP = 6

# Intervals are milliseconds and months, JSON is its text, a time with a zone is what the clock shows in UTC.
_IN_DUCKDB = {
    "unknown": "INTEGER",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "varchar": "VARCHAR",
    "varbinary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP",
    "interval day to second": "BIGINT",
    "interval year to month": "BIGINT",
    "json": "VARCHAR",
}
_BY_SQLGLOT = {
    "BOOLEAN": BOOLEAN,
    "TINYINT": TINYINT,
    "SMALLINT": SMALLINT,
    "INT": INTEGER,
    "BIGINT": BIGINT,
    "FLOAT": REAL,
    "DOUBLE": DOUBLE,
    "VARBINARY": VARBINARY,
    "DATE": DATE,
    "JSON": JSON,
}


def decimal(precision: int, scale: int) -> Type:
    """Return a decimal type, with at most 38 digits."""
    if scale > MAX_PRECISION:
        raise AthenaSqlError(f"DECIMAL scale must be in range [0, precision (38)]: {scale}")
    return Type("decimal", (min(precision, MAX_PRECISION), scale))


def timestamp(precision: int = 3) -> Type:
    """Return a timestamp type."""
    return Type("timestamp", (precision,))


def zoned(precision: int = 3, zone: str = "UTC") -> Type:
    """Return a timestamp type with a time zone; "" if it differs from row to row, or is unknown."""
    return Type("timestamp with time zone", (precision,), zone=zone)


def array(element: Type) -> Type:
    """Return the type of an array."""
    return Type("array", (element,))


def mapping(key: Type, value: Type) -> Type:
    """Return the type of a map."""
    return Type("map", (key, value))


def quoted(name: str) -> str:
    """Return a name as SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def from_sqlglot(found: exp.DataType, hive: bool = False) -> Type:
    """Return the type that is written in SQL or in the catalogue.

    Args:
        found: As sqlglot has parsed it.
        hive: It is the catalogue's, which has Hive's types.

    Raises:
        NotOnLocalAwsError: The local AWS has no such type.
        AthenaSqlError: Athena has none either.
    """
    if not isinstance(found, exp.DataType) or isinstance(found.this, exp.Expression):
        raise _no_type(found)
    name = found.this.name
    sizes = [int(size.name) for size in found.expressions if isinstance(size, exp.DataTypeParam)]
    inner = [part for part in found.expressions if not isinstance(part, exp.DataTypeParam)]
    if name in _BY_SQLGLOT and not found.expressions:
        return _BY_SQLGLOT[name]
    if hive and name in ("TEXT", "BINARY"):
        return VARCHAR if name == "TEXT" else VARBINARY
    match name:
        case "DECIMAL":
            precision, scale = (*sizes, *((38, 0) if not hive else (10, 0))[len(sizes) :])
            if not 1 <= precision <= MAX_PRECISION or scale > precision:
                raise AthenaSqlError(f"DECIMAL precision must be in range [1, 38]: {precision}, {scale}")
            return decimal(precision, scale)
        case "VARCHAR":
            return Type("varchar", tuple(sizes))
        case "TIMESTAMP" | "TIMESTAMPTZ" | "TIMESTAMPNTZ":
            precision = sizes[0] if sizes else 3
            if precision > FINEST_TIMESTAMP:
                raise not_here(
                    f"timestamp({precision})", "its timestamps have microseconds", "use timestamp(6)"
                )
            return zoned(precision) if name == "TIMESTAMPTZ" else timestamp(precision)
        case "ARRAY" | "LIST" if len(inner) == 1:
            return array(from_sqlglot(inner[0], hive))
        case "MAP" if len(inner) == 2:
            return mapping(*(from_sqlglot(part, hive) for part in inner))
        case "STRUCT":
            kinds = [part.args["kind"] if isinstance(part, exp.ColumnDef) else part for part in inner]
            names = [part.name.lower() if isinstance(part, exp.ColumnDef) else None for part in inner]
            return Type("row", tuple(from_sqlglot(kind, hive) for kind in kinds), tuple(names))
        case "TEXT" | "BINARY" | "STRING":
            raise AthenaSqlError(f"Unknown type: {found.sql('trino').lower()}")
    raise _no_type(found)


def _no_type(found: exp.Expr) -> Exception:
    shown = found.sql("trino").lower()
    return not_here(f"the type {shown}", "its engine does not have it, or not the same", "use another type")


def common(one: Type, other: Type) -> Type | None:
    """Return the type that both become when they meet, in a comparison, say; None if there is none.

    Trino makes no text of a number, and no number of a text.
    """
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    if one.name in _NUMBERS and other.name in _NUMBERS:
        return _common_number(one, other)
    if one.name == other.name:
        return _common_of_one_name(one, other)
    if one.is_a("date") and other.is_a("timestamp", "timestamp with time zone"):
        return other
    if one.is_a("timestamp") and other.is_a("timestamp with time zone"):
        zone = other.zone if other.zone == "UTC" else ""
        return zoned(max(one.arguments[0], other.arguments[0]), zone)
    if other.is_a("date", "timestamp") and one.is_a("timestamp", "timestamp with time zone"):
        return common(other, one)
    return None


def _common_number(one: Type, other: Type) -> Type:
    low, high = sorted((one, other), key=lambda kind: _NUMBERS.index(kind.name))
    if high.name in _DIGITS or high.is_a("real", "double"):
        return high
    (first, first_scale), (second, second_scale) = as_decimal(low).arguments, high.arguments
    scale = max(first_scale, second_scale)
    return decimal(max(first - first_scale, second - second_scale) + scale, scale)


def _common_of_one_name(one: Type, other: Type) -> Type | None:
    match one.name:
        case "varchar":
            lengths = one.arguments + other.arguments
            if not (one.arguments and other.arguments):
                return VARCHAR
            return TEXT if LENGTH_UNKNOWN in lengths else Type("varchar", (max(lengths),))
        case "timestamp":
            return timestamp(max(one.arguments[0], other.arguments[0]))
        case "timestamp with time zone":
            return zoned(
                max(one.arguments[0], other.arguments[0]), one.zone if one.zone == other.zone else ""
            )
        case "array" | "map" | "row" if len(one.arguments) == len(other.arguments):
            inner = [common(a, b) for a, b in zip(one.arguments, other.arguments, strict=True)]
            if None in inner:
                return None
            names = tuple(a if a == b else None for a, b in zip(one.fields, other.fields, strict=True))
            return replace(one, arguments=tuple(inner), fields=names)
    return None


def as_decimal(kind: Type) -> Type:
    """Return what a whole number's type is as a decimal; a decimal is one."""
    return kind if kind.is_a("decimal") else decimal(_DIGITS[kind.name], 0)


def becomes(kind: Type, target: Type) -> bool:
    """Say whether a value of a type becomes one of another without a cast."""
    if target.is_a("varchar") and kind.is_a("varchar"):
        return True
    found = common(kind, target)
    if found is None:
        return False
    if target.is_a("timestamp with time zone", "timestamp", "row", "array", "map"):
        return found.name == target.name and found.arguments == target.arguments
    return found == target


def is_number(kind: Type) -> bool:
    """Say whether it is a type of numbers."""
    return kind.name in _NUMBERS
