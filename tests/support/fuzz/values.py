"""Random values through `query`: what is bound into SQL comes back equal, or is refused."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
from support.fuzz.drawing import Case, Fault
from support.running import Running

from lib.base.errors import RunbookError
from lib.lake.query import Athena


@dataclass(frozen=True)
class Value:
    """A value to bind."""

    case: Case
    value: Any


def draw(case: Case) -> Value:
    """Draw a value."""
    draw = case.draw()
    kind = draw.randrange(9)
    if kind <= 2:
        return Value(case, draw.text(15, controls=0.2))
    if kind == 3:
        return Value(case, draw.randint(-(2**63), 2**63 - 1) if draw.chance(0.5) else draw.randint(-9, 9))
    if kind == 4:
        digits = draw.randint(1, 37)
        return Value(
            case, Decimal(draw.randrange(-(10**digits), 10**digits)).scaleb(-draw.randint(0, digits))
        )
    if kind == 5:
        return Value(
            case,
            draw.choice((draw.uniform(-1e9, 1e9), draw.random() * 10 ** draw.randint(-300, 300), 0.1, -0.0)),
        )
    if kind == 6:
        return Value(case, datetime(1600, 1, 1) + timedelta(milliseconds=draw.randrange(10**13 * 2)))
    if kind == 7:
        return Value(case, date(1, 1, 1) + timedelta(draw.randrange(3652058)))
    return Value(case, draw.choice((None, True, False, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))))


def check(running: Running, values: list[Value]) -> list[Fault]:
    """Bind each, alone and in a comparison with itself."""
    outputs = {"workgroup": running.parameters.scope("migrate").name("queries"), "database": "default"}
    athena = Athena(running.target, running.parameters.migrate.target_region, **outputs, quiet=True)
    found = {each.case: _wrong(athena, each.value) for each in values}
    return [Fault(case, what) for case, what in found.items() if what]


def _wrong(athena: Athena, value: Any) -> str:
    sql = "SELECT %(value)s AS a, %(value)s = %(value)s AS b, '%%' AS p"
    try:
        row = athena.query(sql, value=value).iloc[0]
    except RunbookError as error:
        return f"{value!r} is refused: {error}"[:300]
    if row["p"] != "%":
        return f"{value!r}: %% came back as {row['p']!r}"
    if value is None:
        return "" if pd.isna(row["a"]) else f"None came back as {row['a']!r}"
    if not row["b"]:
        return f"{value!r} is not equal to itself"
    return "" if _same(row["a"], value) else f"{value!r} came back as {row['a']!r}"


def _same(found: Any, value: Any) -> bool:
    if isinstance(value, float):
        return math.isclose(float(found), value, rel_tol=0, abs_tol=0)
    if isinstance(value, datetime):
        return pd.Timestamp(found).tz_localize(None) == pd.Timestamp(value).tz_localize(None)
    if isinstance(value, date):
        return str(found)[:10] == value.isoformat()
    return found == value and type(found is bool) is type(value is bool)
