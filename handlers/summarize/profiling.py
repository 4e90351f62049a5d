"""The profile of a CSV file, whichever engine reads it."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

from column_types import (
    BIGINT,
    DATE,
    LARGEST_EXACT_DOUBLE,
    TIMESTAMP,
    TYPES,
    VARCHAR,
    Column,
    center,
    decimal,
    decimals,
    guess,
    repeats,
    written,
)
from csv_dialect import Dialect
from csv_sample import Sample, are_enough
from profile_sql import MAX_VALUE_CHARACTERS, TOP_VALUES, Functions, measures, type_counts
from rejection import RejectedError

Number = float | Decimal | str  # as an engine gives it: Athena's are texts


class Engine(Protocol):
    """What runs the queries."""

    @property
    def functions(self) -> Functions:
        """What it calls differently."""

    def keep(self, columns: Sequence[Column]) -> None:
        """Make it cheap to select these columns again, if it can; no others are selected afterwards."""

    def aggregates(
        self, columns: Sequence[Column], expressions: Callable[[Column], list[str]]
    ) -> Iterable[tuple[int, int, Column, Sequence]]:
        """Yield the number of rows, that of lines with too many fields, a column, and its values of these."""

    def top_values(
        self, columns: Sequence[Column], candidates: dict[int, list[str] | None]
    ) -> Iterable[tuple[int, str, int]]:
        """Yield the most frequent texts of each column: its number, a text, and how often it is there."""


@dataclass(frozen=True)
class Measured:
    """A column, and what `profile_sql.measures` measured of it."""

    column: Column
    count: int
    of_type: int
    distinct: int
    minimum: Any
    maximum: Any
    mean: Number | None
    standard_deviation: Number | None
    quartiles: list | None
    drawn: int | None  # how many values, drawn at random, these are of; None if of all
    candidates: list | None  # texts; if the column has such, how often each of them is there

    @property
    def is_of_type(self) -> bool:
        """Whether all its values are of the column's type; a column of nulls is of any, and called text."""
        is_known = self.count > 0 or self.column.type is VARCHAR
        return self.of_type == self.count and is_known and self.are_ends_of_type

    @property
    def are_ends_of_type(self) -> bool:
        """Whether the least and the largest time look as its type's do: other years have not four digits."""
        ends = (self.minimum, self.maximum) if self.column.type in (DATE, TIMESTAMP) else ()
        return all(end is None or re.fullmatch(self.column.type.pattern, str(end)) for end in ends)

    @property
    def has_enough_drawn(self) -> bool:
        """Whether its quartiles are of all values, or of enough of them."""
        return self.drawn is None or are_enough(self.drawn, self.count)

    @property
    def lacks_top_values(self) -> bool:
        """Whether its most frequent texts are still to be counted."""
        return self.count > 0 and self.column.repeats and self.column.candidates is None

    @property
    def is_beyond_doubles(self) -> bool:
        """Whether it holds numbers that doubles round, so that what doubles tell of it is rounded."""
        if self.column.center is not None:
            return True
        ends = (self.minimum, self.maximum) if self.column.type is BIGINT else ()
        return any(end is not None and abs(int(end)) > LARGEST_EXACT_DOUBLE for end in ends)


def profile(engine: Engine, dialect: Dialect, samples: Sequence[Sample] = ()) -> tuple[int, list[dict]]:
    """Profile a CSV file: types by the first records, and again where the others turn out not to agree.

    Again as well where fewer values were drawn for quartiles than the sample let expect.

    Args:
        engine: Reads the file.
        dialect: Names of the columns, and the first records.
        samples: A sample of each column, if the engine is to measure by that.

    Returns:
        The number of rows, and a profile of each column.
    """
    rows, measured = measure(engine, guessed(dialect, engine.functions.are_exact, samples))
    wrong = {
        number: each.column if each.has_enough_drawn else replace(each.column, share=1)
        for number, each in measured.items()
        if not (each.is_of_type and each.has_enough_drawn)
    }
    if wrong:
        asked = [number for number, each in measured.items() if number in wrong or each.lacks_top_values]
        engine.keep([measured[number].column for number in asked])
    measured |= measure(engine, infer(engine, list(wrong.values())))[1]
    top = most_frequent(engine, list(measured.values()))
    return rows, [_described(each, rows, top[number], engine) for number, each in sorted(measured.items())]


def guessed(dialect: Dialect, all_repeat: bool, samples: Sequence[Sample]) -> list[Column]:
    """Return the columns as the first records let them seem: unlike samples, these are certain."""
    columns = []
    for number, name in enumerate(dialect.names):
        texts = [record[number] for record in dialect.records if number < len(record)]
        found, middle = guess(texts)
        column = Column(number, name, found, all_repeat or repeats(texts), middle)
        column = replace(column, decimals=decimals(found, texts))
        if samples:
            candidates = samples[number].candidates() if column.repeats else None
            column = replace(column, candidates=candidates, share=samples[number].share)
        columns.append(column)
    return columns


def measure(engine: Engine, columns: Sequence[Column]) -> tuple[int, dict[int, Measured]]:
    """Return the number of rows, and what was measured of each column by its number."""
    all_rows, measured = 0, {}
    for rows, surplus, column, values in engine.aggregates(columns, partial(measures, engine.functions)):
        if surplus:
            raise RejectedError(f"{surplus} lines have more fields than the header.")
        all_rows, measured[column.number] = rows, _measured(column, values)
    return all_rows, measured


def infer(engine: Engine, columns: Sequence[Column]) -> list[Column]:
    """Return the columns with the types that all their values have."""
    inferred = []
    for _, _, column, values in engine.aggregates(columns, partial(type_counts, engine.functions)):
        count, *found = values
        *counts, decimals, whole_digits, scale, one = found
        fitting = [each for each, n in zip(TYPES, counts, strict=True) if int(n or 0) == int(count) > 0]
        if not fitting and int(decimals or 0) == int(count) > 0:
            fitting = [decimal(int(whole_digits), int(scale or 0))]
        known = fitting[0] if fitting else VARCHAR
        inferred.append(replace(column, type=known, center=center(known, [one.strip(" ")] if one else [])))
    return inferred


def most_frequent(engine: Engine, measured: Sequence[Measured]) -> dict[int, list[dict]]:
    """Return the most frequent texts of each column, by its number, with exact counts."""
    found: dict[int, list[dict]] = {each.column.number: [] for each in measured}
    for each in measured:
        if each.count and each.column.repeats and each.column.candidates is not None:  # counted already
            found[each.column.number] = _largest(each.column.candidates, each.candidates or [])
    others = [each.column for each in measured if each.lacks_top_values]
    candidates = {each.column.number: each.candidates for each in measured}
    for number, text, count in engine.top_values(others, candidates):
        found[number].append({"value": text, "count": count})
    return found


def _largest(texts: Sequence[str], counts: Sequence[int]) -> list[dict]:
    """Return the most frequent of these texts."""
    counted = sorted((-count, text) for text, count in zip(texts, counts, strict=True) if count)
    return [{"value": text, "count": -count} for count, text in counted[:TOP_VALUES]]


def _described(measured: Measured, rows: int, top: list[dict], engine: Engine) -> dict:
    """Return the profile of a column."""
    column, exact = measured.column, engine.functions.are_exact
    return {
        "name": column.name,
        "type": column.type.name,
        "nulls": rows - measured.count,
        "distinct": measured.distinct,
        "distinct_is_approximate": not exact,
        "min": written(measured.minimum, column.type),
        "max": written(measured.maximum, column.type),
        "mean": _finite(_from_center(measured.mean, column)),
        "standard_deviation": _finite(measured.standard_deviation),
        "quartiles": measured.quartiles
        and [_finite(_from_center(each, column)) for each in measured.quartiles],
        "quartiles_are_approximate": not exact or measured.is_beyond_doubles,
        "top_values": top,
        # Long values that differ only after the cut are counted as one.
        "top_values_are_approximate": (measured.count > 0 and measured.candidates is not None)
        or not column.repeats
        or any(len(each["value"]) == MAX_VALUE_CHARACTERS for each in top),
    }


def _measured(column: Column, values: Sequence) -> Measured:
    count, of_type, distinct, minimum, maximum, mean, deviation, quartiles, drawn, candidates = values
    numbers = int(count), int(of_type or 0), int(distinct)  # DuckDB's count_if of nothing is null
    ends, moments, drawn = (minimum, maximum), (mean, deviation), None if drawn is None else int(drawn)
    return Measured(column, *numbers, *ends, *moments, _array(quartiles), drawn, _array(candidates))


def _array(value: list | str | None) -> list | None:
    """Return an array, which Athena gives as text."""
    return json.loads(value) if isinstance(value, str) else value


def _from_center(number: Number | None, column: Column) -> Number | None:
    """Return a number that was measured from the column's center as what it is."""
    if number is None or column.center is None or not math.isfinite(float(number)):
        return number
    return column.center + Decimal(float(number))


def _finite(number: Number | None) -> float | None:
    """Return a number as JSON can have it, which knows no infinity."""
    # Without the sign of -0.0, which is zero
    return float(number) + 0.0 if number is not None and math.isfinite(float(number)) else None
